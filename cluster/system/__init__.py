"""The cluster's own pods, which every real cluster has: names (CoreDNS) and resource metrics (metrics-server).

It installs and waits; it must not know which provider's cluster it talks to.
"""

from pathlib import Path
from string import Template

from cluster import build, images
from cluster.images.recipe import ref
from cluster.kube import kubectl
from cluster.programs import find

PROGRAMS = ("coredns", "metrics-server")
_FOLDER = Path(__file__).resolve().parent
_BY_AUTHORITY = "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


def archives(names: tuple[str, ...] = PROGRAMS) -> list[Path]:
    """Images of the pods, each made from its one static program."""
    return [images.from_binary(name, build.program(name), version(name)) for name in names]


def version(name: str) -> str:
    """The version of a pod's program, which is also its image's tag."""
    return find(name).version


def install_names(kubeconfig: Path, address: str, forward: bool) -> None:
    """CoreDNS behind the Service address that the kubelet tells pods."""
    outside = "forward . /etc/resolv.conf" if forward else "# no name server of this machine's is reachable from pods"
    _apply(kubeconfig, "coredns.yaml", {"COREDNS": _reference("coredns"), "DNS_ADDRESS": address, "FORWARD": outside})


def install_metrics(kubeconfig: Path, kubelets_have_our_certificates: bool = True) -> None:
    """metrics-server, which trusts kubelets by the cluster's authority where they have a certificate of it."""
    trust = _BY_AUTHORITY if kubelets_have_our_certificates else "--kubelet-insecure-tls"
    _apply(kubeconfig, "metrics-server.yaml", {"METRICS_SERVER": _reference("metrics-server"), "KUBELET_TRUST": trust})


def _apply(kubeconfig: Path, name: str, values: dict[str, str]) -> None:
    kubectl(kubeconfig, "apply", "-f", "-", stdin=Template((_FOLDER / name).read_text()).substitute(values))


def _reference(name: str) -> str:
    return ref(name, version(name))
