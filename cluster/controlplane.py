"""The control plane: etcd, API server, controller manager, scheduler, and kwok for nodes that are not there.

It needs no privileges and shares nothing with other control planes, so that tests run many side by side. It must not
know about containers: the node is another module's matter.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import build, certs, flags, proc
from cluster.errors import ClusterError
from cluster.kube import Api, condition, kubectl, wait_for
from cluster.network import Block

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_PRETENDED = Path(__file__).resolve().parent / "pretended.yaml"
_STOP_ORDER = ("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


@dataclass(frozen=True)
class ControlPlane:
    """One control plane in one state folder."""

    state: Path
    block: Block
    address: str  # where the API server listens: loopback, or the bridge when there is a node
    node_name: str

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{self.address}:{self.block.port('api')}"

    @property
    def _place(self) -> flags.Place:
        return flags.Place(self.state, self.pki, self.block, self.address)

    def prepare(self) -> None:
        """Everything on disk that the programs read."""
        for folder in (self.pki, self.state / "log", self.state / "run"):
            folder.mkdir(parents=True, exist_ok=True)
        self.pki.chmod(0o700)
        self._certificates()
        for user in ("admin", "controller-manager", "scheduler", "node", "proxy"):
            path = self.kubeconfig if user == "admin" else self.pki / f"{user}.kubeconfig"
            certs.kubeconfig(path, self.server, self.pki, user)

    def start(self) -> None:
        """Starts the four programs and returns when the API server is ready."""
        self._spawn("etcd", flags.etcd(self._place))
        self._spawn("kube-apiserver", flags.apiserver(self._place))
        api = Api(self.kubeconfig)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        begun = PROGRAMS[:2]
        wait_for(
            "the API server (see log/kube-apiserver.log)",
            lambda: self._all_live(begun) and api.get("/readyz")[0] == 200,
            60,
        )
        # Only now: they end by themselves when the API server takes ten seconds, as on a machine that is busy.
        self._spawn("kube-controller-manager", flags.controller_manager(self._place))
        self._spawn("kube-scheduler", flags.scheduler(self._place))
        wait_for("the default service account", lambda: self._all_live() and api.get(account)[0] == 200, 30)

    def start_kwok(self, nodes: int) -> None:
        """Makes nodes that are not there, and plays the kubelet for each that carries kwok's annotation."""
        words = [
            f"--kubeconfig={self.kubeconfig}",
            f"--config={_PRETENDED}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{self.block.port('kwok')}",
        ]
        self._spawn("kwok", words)
        kubectl(self.kubeconfig, "create", "-f", "-", stdin=json.dumps(pretended_nodes(nodes)))
        api = Api(self.kubeconfig)
        paths = [f"/api/v1/nodes/pretended-{number}" for number in range(nodes)]
        wait_for(
            "the pretended nodes (see log/kwok.log)",
            lambda: all(condition(api.read(path), "Ready") for path in paths),
            30,
        )

    def stop(self) -> None:
        """Ends what runs; all state is thrown away afterwards, so nobody is asked to finish."""
        for name in _STOP_ORDER:
            proc.stop(self.record(name))

    def record(self, name: str) -> Path:
        """Where a component's pid is written."""
        return self.state / "run" / f"{name}.json"

    def _all_live(self, names: Sequence[str] = PROGRAMS) -> bool:
        for name in names:
            if proc.living_pid(self.record(name)) is None:
                log = self.state / "log" / f"{name}.log"
                raise ClusterError(f"{name} ended at once: {_last_line(log)} (whole log: {log})")
        return True

    def _spawn(self, name: str, words: list[str]) -> None:
        program = build.program(name)
        proc.spawn(proc.Command([program, *words], self.state / "log" / f"{name}.log"), self.record(name))

    def _certificates(self) -> None:
        cluster, front = certs.Authority(self.pki, "ca"), certs.Authority(self.pki, "front-proxy-ca")
        cluster.create()
        front.create()
        services = (
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        )
        cluster.issue(
            "apiserver",
            "/CN=kube-apiserver",
            (self.address, self.block.kubernetes_address, "127.0.0.1", "localhost", *services),
        )
        cluster.issue(
            "kubelet-server",
            f"/O=system:nodes/CN=system:node:{self.node_name}",
            (self.node_name, self.block.node_address),
        )
        for name, subject in _clients(self.node_name).items():
            cluster.issue(name, subject)
        front.issue("front-proxy", "/CN=front-proxy")
        certs.signing_key(self.pki, "service-accounts")


def pretended_nodes(count: int) -> dict[str, Any]:
    """Node objects that only kwok will answer for, large enough for any test."""
    capacity = {"cpu": "1000", "memory": "4Ti", "pods": "20000"}
    status = {"capacity": capacity, "allocatable": capacity}
    nodes = [
        {"apiVersion": "v1", "kind": "Node", "metadata": _pretended(f"pretended-{number}"), "status": status}
        for number in range(count)
    ]
    return {"apiVersion": "v1", "kind": "List", "items": nodes}


def _pretended(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}
    return {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": labels}


def _clients(node_name: str) -> dict[str, str]:
    return {
        "admin": "/O=system:masters/CN=admin",
        "apiserver-kubelet": "/O=system:masters/CN=apiserver-kubelet",
        "controller-manager": "/CN=system:kube-controller-manager",
        "scheduler": "/CN=system:kube-scheduler",
        "node": f"/O=system:nodes/CN=system:node:{node_name}",
        "proxy": "/CN=system:kube-proxy",
    }


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "it wrote nothing"
