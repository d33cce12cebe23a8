"""The base image: a small Debian with Python, made on this machine from Debian's own packages.

Why it exists: without a registry there is no `python:3.11-slim`; Dockerfiles take their FROM as a build argument, and
this is what they get here. It must not hold anything that an application needs beyond Python and trusted certificates.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images.archive import FORMAT, Config

SUITE = "bookworm"  # its Python is 3.11, for which the lock files next to the Dockerfiles were resolved
# The wheels of numpy and its kin need the C++ library; usr-is-merged keeps out a package that would bring all of Perl.
_PACKAGES = ("ca-certificates", "libstdc++6", "python3", "python3-venv", "usr-is-merged")
_MERGED = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
_LEFT_OUT = ("doc", "info", "locale", "man")
# root, as in the images that users put in its place: a Dockerfile installs as root and ends with USER.
CONFIG = Config(command=("/usr/bin/python3",), user="0:0")


def command(out: Path) -> list[str]:
    """The whole recipe: essential packages and ours, without device nodes, which a container gets from its runtime."""
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    include = f"--include={','.join(_PACKAGES)}"
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        include,
        _MERGED,
        *leave_out,
        "--skip=output/dev,output/mknod",
        SUITE,
        str(out),
    ]


def key() -> str:
    """Changes with the recipe; a newer package in the archive does not rebuild what is cached."""
    return hashlib.sha256(repr((command(Path("-")), CONFIG, FORMAT)).encode()).hexdigest()[:12]


def make(out: Path) -> None:
    """Writes the root file system as a tar."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "0"}
    made = subprocess.run(command(out), check=False, capture_output=True, text=True, env=environment)
    if made.returncode:
        errors = [line for line in made.stderr.splitlines() if line.startswith("E:")] or made.stderr.splitlines()[-1:]
        raise ClusterError(f"the base image did not build: {' | '.join(errors[:3])}")
