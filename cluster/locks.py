"""Locks between processes that vanish with their holder, so that a killed build or `up` never blocks the next one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.paths import cache_root


@contextmanager
def locked(name: str, folder: Path | None = None) -> Iterator[None]:
    """Holds the named lock for the block; the kernel frees it when the process ends, however it ends."""
    folder = folder or cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
