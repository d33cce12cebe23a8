"""The Debian programs that image building needs: there, installed where that is possible, or named in one line.

It must not install anything without root.
"""

import os
from functools import partial

from cluster import debian
from cluster.errors import ClusterError
from cluster.locks import locked

_PACKAGES = {
    "mmdebstrap": {"mmdebstrap": "mmdebstrap"},
    "buildah": {"buildah": "buildah", "unshare": "util-linux", "setpriv": "util-linux", "mount": "mount"},
}


def need(tool: str) -> None:
    """Makes sure that mmdebstrap or buildah can run."""
    if os.geteuid() != 0:
        raise ClusterError("building images needs root (chroots and mounts): run it as root")
    missing = partial(debian.missing_packages, _PACKAGES[tool])
    if missing():
        with locked("apt"):
            if still := missing():
                debian.install(still)
