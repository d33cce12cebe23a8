"""The control group below which everything of one node runs, on hosts with version 1 and with version 2.

It is the list of the node's processes that survives any crash of ours: whoever is in it is ours, nobody else is.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cluster.errors import ClusterError
from cluster.kube import wait_for

ROOT = Path("/sys/fs/cgroup")
CONTROL = "control"  # of a node's group: its own programs and the control plane, beside its pods


def unified(root: Path = ROOT) -> bool:
    """Whether this host has version 2 only."""
    return (root / "cgroup.controllers").exists()


def trees(name: str, root: Path = ROOT) -> list[Path]:
    """Where the node's group is, or would be: one folder, or one per version 1 hierarchy."""
    if unified(root):
        return [root / name]
    # `unified` beside the others is the hybrid layout: a version 2 tree without controllers.
    return [
        hierarchy / name for hierarchy in sorted(root.iterdir()) if hierarchy.is_dir() and not hierarchy.is_symlink()
    ]


def create(name: str, root: Path = ROOT) -> list[Path]:
    """Makes the group in every hierarchy; returns the files that a process of the node writes itself to."""
    try:
        if unified(root):
            _enable_controllers(root)
        for tree in trees(name, root):
            tree.mkdir(exist_ok=True)
        _outweigh(name, root)
        return _joinable(name, root)
    except OSError as error:
        raise ClusterError(
            f"control groups cannot be made in {root} ({error.strerror}): a node needs a machine or VM of its own"
        ) from None


def shelter(name: str, pids: Iterable[int], root: Path = ROOT) -> None:
    """Lets the control plane weigh more than all pods beside it, as on a machine of its own, and as the node does.

    Else pods that start keep the API server waiting, for a second and more, on the writes that take traffic off others.
    """
    _gather(f"{name}/{CONTROL}", pids, root)


def invite(name: str, pids: Iterable[int], root: Path = ROOT) -> None:
    """Lets processes that ask the node's pods weigh as much as the whole node, as on a machine of their own.

    Else they wait for pods that start, for seconds, and take their own waiting for the pods'. They are not the node's:
    `destroy` sends them back.
    """
    _gather(_guests(name), pids, root)


def _guests(name: str) -> str:
    return f"{name}-guests"


def _folder(group: str, root: Path) -> Path:
    return root / group if unified(root) else root / "cpu" / group


def _gather(group: str, pids: Iterable[int], root: Path) -> None:
    folder = _folder(group, root)
    folder.mkdir(exist_ok=True)
    _outweigh(group, root)
    for pid in pids:  # one for each write: the kernel takes no list
        (folder / "cgroup.procs").write_text(str(pid))


def _send_back(group: str, root: Path) -> None:
    folder = _folder(group, root)
    if folder.exists():
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (folder.parent / "cgroup.procs").write_text(pid)
        folder.rmdir()


def _outweigh(name: str, root: Path) -> None:
    """All pods together weigh as a machine of their own would, not as one more process beside a compiler."""
    knob, weight = ("cpu.weight", "1000") if unified(root) else ("cpu/" + name + "/cpu.shares", "16384")
    path = root / name / knob if unified(root) else root / knob
    if path.exists():
        path.write_text(weight)


def _enable_controllers(root: Path) -> None:
    # The kubelet takes a group without them for a missing one.
    available = (root / "cgroup.controllers").read_text().split()
    (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in available))


def _joinable(name: str, root: Path) -> list[Path]:
    # A leaf of its own: version 2 forbids processes in a group that has children. In version 1 `pids` needs no setup.
    _gather(f"{name}/{CONTROL}", (), root)
    leaves = [_folder(f"{name}/{CONTROL}", root)]
    if not unified(root):
        leaves.append(root / "pids" / name / CONTROL)
        leaves[-1].mkdir(exist_ok=True)
    return [leaf / "cgroup.procs" for leaf in leaves]


def members(name: str, root: Path = ROOT) -> set[int]:
    """Every process of the node."""
    found: set[int] = set()
    for tree in trees(name, root):
        for listing in tree.rglob("cgroup.procs"):
            try:
                found.update(int(line) for line in listing.read_text().split())
            except OSError:
                continue  # the group went away while it was read
    return found - {0}


def destroy(name: str, root: Path = ROOT) -> None:
    """Kills whoever is left and removes the group; fine when there is none."""
    _send_back(_guests(name), root)
    wait_for(f"the processes in control group {name} to end", lambda: not _kill(name, root), 20)
    for tree in trees(name, root):
        for folder, _, _ in os.walk(tree, topdown=False):
            Path(folder).rmdir()


def _kill(name: str, root: Path) -> set[int]:
    left = members(name, root)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left
