"""Which programs there are, and how each is compiled: the only list of them.

Versions are not repeated here; they are read from the pin folder's go.mod, so that the pin is the single truth.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

PINS = Path(__file__).resolve().parent / "pins"
_KUBERNETES = "k8s.io/kubernetes"
_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins"


@dataclass(frozen=True)
class Program:
    """One main package of one pin folder."""

    name: str
    pin: str
    module: str
    package: str
    tags: str = ""
    stamps: tuple[str, ...] = ()

    @property
    def pin_dir(self) -> Path:
        """The folder whose go.mod and go.sum decide what is compiled."""
        return PINS / self.pin

    @property
    def version(self) -> str:
        """The module version that the pin requires; a program whose source is the pin itself has no other."""
        if not self.module:
            return "v1"
        return module_version(self.pin_dir / "go.mod", self.module)

    def link_flags(self) -> str:
        """Strips symbols and stamps the version, without which a server calls itself a development build."""
        number = self.version.removeprefix("v")
        major, minor = (*number.split("."), "0")[:2]
        facts = {"version": self.version, "number": number, "major": major, "minor": minor}
        return " ".join(["-s -w", *(f"-X {stamp.format(**facts)}" for stamp in self.stamps)])


def module_version(go_mod: Path, module: str) -> str:
    """The version of a module that a go.mod requires."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{go_mod} does not require {module}")
    return found.group(1)


_KUBERNETES_STAMPS = (
    "k8s.io/component-base/version.gitVersion={version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
    "k8s.io/component-base/version.gitTreeState=clean",
)


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", _KUBERNETES, f"{_KUBERNETES}/cmd/{name}", "", _KUBERNETES_STAMPS)


def _containerd(name: str) -> Program:
    return Program(name, "containerd", _CONTAINERD, f"{_CONTAINERD}/cmd/{name}")


def _cni(name: str, kind: str) -> Program:
    return Program(name, "cni", _CNI, f"{_CNI}/plugins/{kind}/{name}")


_ENVOY_GATEWAY = "github.com/envoyproxy/gateway"
_ARGO_ROLLOUTS = "github.com/argoproj/argo-rollouts"
_FLAGGER = "github.com/fluxcd/flagger"
_PROMETHEUS = "github.com/prometheus/prometheus"

_ALL = (
    *map(
        _kubernetes, ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kube-proxy")
    ),
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    *map(_containerd, ("containerd", "containerd-shim-runc-v2", "ctr")),
    _cni("ptp", "main"),
    _cni("loopback", "main"),
    _cni("host-local", "ipam"),
    Program("pause", "pause", "", "."),
    Program("coredns", "coredns", "github.com/coredns/coredns", "github.com/coredns/coredns"),
    Program(
        "metrics-server",
        "metrics-server",
        "sigs.k8s.io/metrics-server",
        "sigs.k8s.io/metrics-server/cmd/metrics-server",
    ),
    Program("kwok", "kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    Program(
        "helm",
        "helm",
        "helm.sh/helm/v4",
        "helm.sh/helm/v4/cmd/helm",
        "",
        ("helm.sh/helm/v4/internal/version.version={version}",),
    ),
    Program(
        "envoy-gateway",
        "gateway",
        _ENVOY_GATEWAY,
        f"{_ENVOY_GATEWAY}/cmd/envoy-gateway",
        "",
        (f"{_ENVOY_GATEWAY}/internal/cmd/version.envoyGatewayVersion={{version}}",),
    ),
    # Only the Kubernetes service discovery: the clouds' SDKs would double the build for nothing.
    Program(
        "prometheus", "prometheus", _PROMETHEUS, f"{_PROMETHEUS}/cmd/prometheus", "remove_all_sd,enable_kubernetes_sd"
    ),
    Program("kind", "kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind"),
    # What the benchmarks stand beside; nothing else needs them.
    Program("rollouts-controller", "argo-rollouts", _ARGO_ROLLOUTS, f"{_ARGO_ROLLOUTS}/cmd/rollouts-controller"),
    Program("flagger", "flagger", _FLAGGER, f"{_FLAGGER}/cmd/flagger"),
)

PROGRAMS: dict[str, Program] = {one.name: one for one in _ALL}


def find(name: str) -> Program:
    """The program of that name, or the list of those that exist."""
    try:
        return PROGRAMS[name]
    except KeyError:
        raise ClusterError(f"no program '{name}'; there are: {' '.join(sorted(PROGRAMS))}") from None
