"""The few things of the machine itself that a cluster changes, and their way back.

Folders: the node's programs insist on some places that no setting moves. The node mounts something of its own over
them, but a mount needs a folder to be over, so missing ones are made. Settings: kernel limits that several control
planes soon exhaust, and forwarding for pods that reach outside. What was changed is written down before it is changed;
the last cluster to go puts it back, since the others still stand on it.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.locks import locked
from cluster.paths import lock_folder, state_root

NODE_FOLDERS = (Path("/var/lib/kubelet"), Path("/var/lib/cni"), Path("/var/log/containers"))
_INOTIFY = Path("/proc/sys/fs/inotify")
# A control plane takes 18 of the 128 file watchers that a user has by default; the program that gets none ends.
LIMITS = {_INOTIFY / "max_user_instances": 4096, _INOTIFY / "max_user_watches": 524288}
FORWARDING = {Path("/proc/sys/net/ipv4/ip_forward"): 1}
_NAME = "machine.json"


def prepare(state: Path, folders: tuple[Path, ...], at_least: Mapping[Path, int]) -> None:
    """Makes folders that are missing and raises settings that are lower, where we may."""
    with locked("machine", lock_folder()):
        low = {
            path: old for path, least in at_least.items() if (old := _value(path)) < least and os.access(path, os.W_OK)
        }
        absent = [place for place in folders if not place.exists()]
        record = {
            "folders": [str(place) for place in absent],
            "settings": {str(path): old for path, old in low.items()},
        }
        (state / _NAME).write_text(json.dumps(record))
        for place in absent:
            place.mkdir(parents=True, exist_ok=True)
        for path in low:
            path.write_text(str(at_least[path]))


def restore(state: Path) -> None:
    """Puts back what this cluster changed, or leaves that to another one that still runs."""
    record = state / _NAME
    with locked("machine", lock_folder()):
        if not record.exists():
            return
        others = [other for other in sorted(state_root().glob(f"*/{_NAME}")) if other != record]
        said = json.loads(record.read_text())
        if others:
            others[0].write_text(json.dumps(inherited(json.loads(others[0].read_text()), said)))
        else:
            _put_back(said)
        record.unlink()


def inherited(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """What another cluster must put back once it takes over our part: of two old values the older one."""
    return {
        "folders": sorted({*theirs["folders"], *ours["folders"]}),
        "settings": {**theirs["settings"], **ours["settings"]},
    }


def _put_back(said: dict[str, Any]) -> None:
    for place in map(Path, said["folders"]):
        if place.is_dir() and not any(place.iterdir()):  # whoever put something there keeps it
            place.rmdir()
    for path, old in said["settings"].items():
        Path(path).write_text(str(old))


def _value(path: Path) -> int:
    return int(path.read_text())
