"""One real node: containerd, kubelet and kube-proxy in namespaces of their own on this machine.

Namespaces of their own mean that the node's mounts, packet filter rules, devices and processes cannot mix with the
machine's, and that all of them end with one process. It must not talk to the API server; who starts it waits for Ready.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cluster import build, cgroups, images, machine, nodefiles, proc, wire
from cluster.errors import ClusterError
from cluster.kube import wait_for
from cluster.network import Block

PROGRAMS = (
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "kubelet",
    "kube-proxy",
    "ptp",
    "loopback",
    "host-local",
    "pause",
)
_CNI = ("ptp", "loopback", "host-local")
_INIT = Path(__file__).resolve().parent / "node_init.py"
_LONGEST_SOCKET = 107
_CAP_SYS_RESOURCE = 1 << 24


@dataclass(frozen=True)
class Node:
    """The node of one cluster."""

    name: str
    state: Path
    block: Block

    @property
    def folder(self) -> Path:
        """All that the node reads and writes."""
        return self.state / "node"

    @property
    def record(self) -> Path:
        """Where the pid of the process that holds the namespaces is written."""
        return self.state / "run" / "node.json"

    @property
    def cgroup(self) -> str:
        """Named after the block, of which there is one per cluster on a machine."""
        return f"penstock-{self.block.index}"

    def start(self) -> None:
        """Returns when the node's programs have been told to start and containerd holds the pause image."""
        facts = self._facts()
        if len(str(facts.socket)) > _LONGEST_SOCKET:
            raise ClusterError(f"{facts.socket} is too long for a socket: set PENSTOCK_STATE to a shorter path")
        self._write(facts)
        wire.make_bridge(self.block)
        joinable = cgroups.create(self.cgroup)
        init = self._enter(joinable)
        wire.connect(self.block, init.pid)
        assert init.stdin is not None
        with init.stdin as orders:
            orders.write(b"begin\n")
        wait_for("containerd (see log/containerd.log)", lambda: _answers(facts.socket), 30)
        self.load([images.from_binary("pause", build.program("pause"), nodefiles.PAUSE_TAG)])

    def load(self, archives: Iterable[Path]) -> None:
        """Puts images into containerd, unpacked, so that no pod's start waits for that."""
        snapshotter = _snapshotter(self.state)
        for path in archives:
            mark = self.folder / "loaded" / path.name
            what = f"{path.stat().st_size} {path.stat().st_mtime_ns}"
            if mark.exists() and mark.read_text() == what:
                continue
            ctr = [str(build.program("ctr")), "--address", str(self.folder / "containerd.sock"), "-n", "k8s.io"]
            done = subprocess.run(
                [*ctr, "images", "import", "--snapshotter", snapshotter, str(path)],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise ClusterError(f"image {path} could not be loaded: {done.stderr.strip()}")
            mark.parent.mkdir(exist_ok=True)
            mark.write_text(what)

    def shelter(self, pids: Iterable[int]) -> None:
        """These processes of the control plane do not wait for pods."""
        cgroups.shelter(self.cgroup, pids)

    def invite(self, pids: Iterable[int]) -> None:
        """These processes of a client do not wait for pods either."""
        cgroups.invite(self.cgroup, pids)

    def stop(self) -> None:
        """Ends the node with all its pods and takes its traces off the machine."""
        proc.stop(self.record)
        cgroups.destroy(self.cgroup)
        wire.remove(self.block)

    def _enter(self, joinable: Iterable[Path]) -> subprocess.Popen[bytes]:
        namespaces = [
            "unshare",
            "--mount",
            "--propagation",
            "slave",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        join = ["sh", "-ec", "".join(f'echo 0 > "{path}"; ' for path in joinable) + 'exec "$@"', "sh"]
        words = [*join, *namespaces, sys.executable, str(_INIT), str(self.folder)]
        return proc.spawn(proc.Command(words, self.state / "log" / "node.log", stdin=subprocess.PIPE), self.record)

    def _facts(self) -> nodefiles.NodeFacts:
        runc = shutil.which("runc")
        if runc is None:
            raise ClusterError("the program runc is missing: apt-get install runc")
        return nodefiles.NodeFacts(
            self.state, self.block, self.cgroup, Path(runc), _may_lower_oom_score(), _snapshotter(self.state)
        )

    def _write(self, facts: nodefiles.NodeFacts) -> None:
        for name, text in nodefiles.render(facts).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.folder / "cni-bin").mkdir()
        for name in _CNI:
            (self.folder / "cni-bin" / name).symlink_to(build.program(name))
        (self.folder / "resolv.conf").write_text(resolvers(Path("/etc/resolv.conf").read_text()))
        (self.folder / "init.json").write_text(json.dumps(self._orders(facts)))

    def _orders(self, facts: nodefiles.NodeFacts) -> dict[str, object]:
        folder = self.folder
        kubelet = [
            f"--config={folder}/kubelet.json",
            f"--kubeconfig={self.state}/pki/node.kubeconfig",
            f"--root-dir={folder}/kubelet",
            f"--cert-dir={folder}/kubelet/pki",
            f"--hostname-override={self.name}",
            f"--node-ip={self.block.node_address}",
            "--housekeeping-interval=5s",
        ]
        shim = build.program("containerd-shim-runc-v2").parent
        containerd = [
            "env",
            f"PATH={shim}:{os.environ['PATH']}",
            build.program("containerd"),
            "--config",
            f"{folder}/containerd.toml",
        ]
        proxy = [build.program("kube-proxy"), f"--config={folder}/kube-proxy.json", f"--hostname-override={self.name}"]
        programs = {"containerd": containerd, "kube-proxy": proxy, "kubelet": [build.program("kubelet"), *kubelet]}
        return {
            "setup": [*_mounts(), *wire.node_commands(self.block)],
            "programs": [(name, [str(word) for word in words]) for name, words in programs.items()],
            "socket": str(facts.socket),
            "log": str(self.state / "log"),
        }


def _mounts() -> list[list[str]]:
    # Mounts for pods must spread among the node's own processes, and stay among them.
    own = [
        ["mount", "-t", "tmpfs", "-o", "mode=755", "penstock", str(path)]
        for path in (Path("/run"), *machine.NODE_FOLDERS)
    ]
    return [["mount", "--make-rshared", "/"], *own]


def resolvers(text: str) -> str:
    """The machine's name servers as a pod can use them: those on loopback would lead it to itself."""
    return "".join(
        f"{line}\n"
        for line in text.splitlines()
        if not line.replace("\t", " ").startswith(("nameserver 127.", "nameserver ::1"))
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _may_lower_oom_score() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) & _CAP_SYS_RESOURCE)


def _snapshotter(state: Path) -> str:
    # An overlay cannot be stacked on an overlay's own files: in a container without a volume, copying is all there is.
    shown = subprocess.run(["stat", "--file-system", "--format=%T", state], capture_output=True, text=True, check=True)
    return "native" if shown.stdout.strip() == "overlayfs" else "overlayfs"
