"""Where things are kept: the cache of built programs and the state of running clusters, both outside the repository.

It must not create anything on import: asking for a path is not a reason to leave one behind.
"""

import os
import re
from pathlib import Path

from cluster.errors import ClusterError

DEFAULT_NAME = "default"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def cache_root() -> Path:
    """Programs, images and toolchains, shared by all clusters of this user."""
    return Path(os.environ.get("PENSTOCK_CACHE") or Path.home() / ".cache" / "penstock").resolve()


def state_root() -> Path:
    """One folder per cluster lives here, and nothing that outlives a cluster."""
    return Path(os.environ.get("PENSTOCK_STATE") or Path.home() / ".local" / "state" / "penstock").resolve()


def lock_folder() -> Path:
    """Locks about running clusters; the cache has its own about what is built."""
    return state_root() / ".locks"


def state_dir(name: str) -> Path:
    """Everything one cluster writes; removed by `down`."""
    if not _NAME.fullmatch(name):
        raise ClusterError(f"'{name}' cannot name a cluster: use at most 32 of a-z, 0-9 and -")
    return state_root() / name
