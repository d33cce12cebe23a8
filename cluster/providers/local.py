"""The provider `local`: a control plane and a node as plain programs on this machine, where no Docker is.

It decides the order of starting and cleaning up; it must leave nothing behind, however the cluster ended.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from cluster import build, debian, machine, network, node, proc, system
from cluster.controlplane import PROGRAMS as CONTROL_PROGRAMS
from cluster.controlplane import ControlPlane
from cluster.errors import ClusterError
from cluster.kube import Api, condition, wait_for
from cluster.locks import locked
from cluster.paths import lock_folder, state_dir
from cluster.progress import say, step

_LOOPBACK = "127.0.0.1"


class Local:
    """One cluster by name."""

    def __init__(self, cluster_name: str) -> None:
        self.name = cluster_name
        self.state = state_dir(cluster_name)

    @property
    def node_name(self) -> str:
        """The only node's."""
        return f"{self.name}-node"

    @property
    def _complete(self) -> Path:
        return self.state / "complete"

    def is_bare(self) -> bool:
        """Whether there is something of this name, and it is a control plane without a node."""
        return self.state.exists() and not (self.state / "node").exists()

    def kubeconfig(self) -> Path:
        """The administrator's; there is none before `up`."""
        return self.state / "kubeconfig"

    def up(self) -> None:
        """A whole cluster: Ready node, names, metrics. Does nothing if it runs already."""
        debian.install_node_tools()
        build.programs(["kubectl", *CONTROL_PROGRAMS, *node.PROGRAMS, *system.PROGRAMS])
        with self._alone():
            if self._running(["node"]):
                say(f"cluster {self.name} is up")
                return
            self._start_whole()

    def up_control_plane(self, nodes: int = 1) -> None:
        """Only an API server and its controllers, with pretended nodes; needs no privileges."""
        build.programs(["kubectl", *CONTROL_PROGRAMS, "kwok"])
        with self._alone():
            if self._running(["kwok"]):
                say(f"control plane {self.name} is up")
                return
            plane = self._plane(_LOOPBACK)
            with step("control plane"):
                machine.prepare(self.state, (), machine.LIMITS)
                plane.prepare()
                plane.start()
                plane.start_kwok(nodes)
            self._complete.touch()

    def down(self) -> None:
        """Ends everything and removes every trace; fine when there is none."""
        with self._alone():
            self._clean()

    def load(self, archives: Iterable[Path]) -> None:
        """Puts images into the node."""
        self._node(self._block()).load(archives)

    def image(self, reference: str) -> str:
        """As it was built: it lies in the node under that name."""
        return reference

    def invite(self, pid: int) -> None:
        """Beside the node, with the same weight."""
        self._node(self._block()).invite([pid])

    def status(self) -> dict[str, str]:
        """Each component that was started, and whether it still runs."""
        pids = {record.stem: proc.living_pid(record) for record in sorted(self.state.glob("run/*.json"))}
        return {name: "dead" if pid is None else f"pid {pid}" for name, pid in pids.items()}

    def _start_whole(self) -> None:
        plane = self._plane(None)
        worker = self._node(plane.block)
        machine.prepare(self.state, machine.NODE_FOLDERS, {**machine.LIMITS, **machine.FORWARDING})
        plane.prepare()
        with step("node: namespaces, network, containerd"):
            worker.start()
        with step("control plane"):
            plane.start()
            pids = (proc.living_pid(plane.record(name)) for name in CONTROL_PROGRAMS)
            worker.shelter(pid for pid in pids if pid)
        with step("images of the cluster's own pods"):
            worker.load(system.archives())
        with step("node Ready"):
            api = Api(plane.kubeconfig)
            wait_for(
                "the node (see log/kubelet.log)",
                lambda: self._ready(api, f"/api/v1/nodes/{self.node_name}", "Ready"),
                60,
            )
        self._start_system(plane, api)
        self._complete.touch()

    def _start_system(self, plane: ControlPlane, api: Api) -> None:
        forward = "nameserver" in (self.state / "node" / "resolv.conf").read_text()
        system.install_names(plane.kubeconfig, plane.block.dns_address, forward)
        system.install_metrics(plane.kubeconfig)
        with step("names (CoreDNS)"):
            wait_for(
                "CoreDNS (see log/kubelet.log, log/containerd.log)",
                lambda: self._ready(api, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", "Available"),
                90,
            )
        with step("metrics (metrics.k8s.io)"):
            path = f"/apis/metrics.k8s.io/v1beta1/nodes/{self.node_name}"
            wait_for(
                "metrics-server (see log/kubelet.log, log/pods)",
                lambda: self._lives("node") and api.get(path)[0] == 200,
                90,
            )

    def _ready(self, api: Api, path: str, name: str) -> bool:
        return self._lives("node") and condition(api.read(path), name)

    def _lives(self, name: str) -> bool:
        if proc.living_pid(self.state / "run" / f"{name}.json") is None:
            raise ClusterError(f"the {name} ended: see {self.state}/log/{name}.log")
        return True

    def _running(self, kind: list[str]) -> bool:
        """Whether all of it runs; a part is no cluster, so what is left of one is thrown away."""
        wanted = [*CONTROL_PROGRAMS, *kind]
        if self._complete.exists() and all(proc.living_pid(self.state / "run" / f"{name}.json") for name in wanted):
            return True
        if self.state.exists():
            say(f"cluster {self.name} is broken or was interrupted: starting over")
            self._clean()
        return False

    def _clean(self) -> None:
        block = network.of(self.state)
        if block is not None:
            has_node = (self.state / "node").exists()
            if has_node and os.geteuid() != 0:
                raise ClusterError(f"cluster '{self.name}' has a node, which only root can take down")
            self._plane(_LOOPBACK).stop()
            if has_node:
                self._node(block).stop()
        machine.restore(self.state)
        if self.state.exists():
            shutil.rmtree(self.state)

    def _plane(self, address: str | None) -> ControlPlane:
        block = network.claim(self.state)
        return ControlPlane(self.state, block, address or block.host_address, self.node_name)

    def _node(self, block: network.Block) -> node.Node:
        return node.Node(self.node_name, self.state, block)

    def _block(self) -> network.Block:
        block = network.of(self.state)
        if block is None:
            raise ClusterError(f"there is no cluster '{self.name}': start it with `python3 -m cluster up`")
        return block

    def _alone(self) -> AbstractContextManager[None]:
        return locked(f"cluster-{self.name}", lock_folder())
