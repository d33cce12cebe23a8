"""The command lines of the control plane's programs, each flag with its reason where that is not plain.

Pure text from values: nothing is started and nothing is read.
"""

from dataclasses import dataclass
from pathlib import Path

from cluster.network import Block

_UNROUTED = "10.224.0.0/16"  # Services of a control plane without a node: no packet goes there, and there may be many


@dataclass(frozen=True)
class Place:
    """What the flags depend on."""

    state: Path
    pki: Path
    block: Block
    address: str


def etcd(plane: Place) -> list[str]:
    """One member, on loopback."""
    client, peer = (f"http://127.0.0.1:{plane.block.port(name)}" for name in ("etcd", "etcd-peer"))
    return [
        f"--data-dir={plane.state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the cluster does not outlive the machine, so neither need its data
        "--log-level=warn",
    ]


def apiserver(plane: Place) -> list[str]:
    """The API server, with everything that aggregated APIs and webhooks need."""
    pki, block = plane.pki, plane.block
    bare = plane.address == "127.0.0.1"
    loopback = ["--endpoint-reconciler-type=none"] if bare else []
    services = _UNROUTED if bare else block.services
    return [
        f"--etcd-servers=http://127.0.0.1:{block.port('etcd')}",
        f"--bind-address={plane.address}",
        f"--advertise-address={plane.address}",
        f"--secure-port={block.port('api')}",
        f"--service-cluster-ip-range={services}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--service-account-key-file={pki}/service-accounts.pub",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",  # names of nodes are in no DNS
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        "--enable-aggregator-routing=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        *loopback,  # a loopback address may not become an endpoint of the kubernetes Service
    ]


def _delegated(plane: Place, user: str) -> list[str]:
    config = f"{plane.pki}/{user}.kubeconfig"
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--client-ca-file={plane.pki}/ca.crt",
        f"--requestheader-client-ca-file={plane.pki}/front-proxy-ca.crt",
        f"--tls-cert-file={plane.pki}/apiserver.crt",
        f"--tls-private-key-file={plane.pki}/apiserver.key",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.block.port(user)}",
        "--leader-elect=false",
        # The defaults (20 to 50 a second) would be what a load run measures.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
        "--profiling=false",
    ]


def controller_manager(plane: Place) -> list[str]:
    """All of Kubernetes' own controllers."""
    return [
        *_delegated(plane, "controller-manager"),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={plane.pki}/service-accounts.key",
        f"--root-ca-file={plane.pki}/ca.crt",
        f"--cluster-signing-cert-file={plane.pki}/ca.crt",
        f"--cluster-signing-key-file={plane.pki}/ca.key",
        f"--cluster-cidr={plane.block.pods}",
        "--allocate-node-cidrs=false",
        f"--flex-volume-plugin-dir={plane.state}/volume-plugins",  # the default is made in /usr
        # Every 15 seconds is too rare for a demonstration that people watch.
        "--horizontal-pod-autoscaler-sync-period=5s",
    ]


def scheduler(plane: Place) -> list[str]:
    """The default scheduler."""
    return _delegated(plane, "scheduler")
