"""Compiles the pinned programs once and keeps them by content of their pin.

It must be safe to run twice at a time and to be killed at any moment: builds happen in a folder of their own under a
lock per pin, and appear under their final name by one rename.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from cluster import gotool
from cluster.errors import ClusterError
from cluster.locks import locked
from cluster.paths import cache_root
from cluster.programs import Program, find
from cluster.progress import begin, step

Compile = Callable[[list[Program], Path], None]


def program(name: str) -> Path:
    """The path of a built program; builds it if it is not there."""
    return programs([name])[name]


def programs(names: Iterable[str], compile_with: Compile | None = None) -> dict[str, Path]:
    """Paths of several programs; those of one pin that are missing are compiled together."""
    wanted = [find(name) for name in dict.fromkeys(names)]
    for pin, group in groupby(sorted(wanted, key=lambda one: one.pin), key=lambda one: one.pin):
        members = list(group)
        if _missing(members):
            with locked(f"build-{pin}"):
                _build(_missing(members), compile_with or _compile)
    return {one.name: destination(one) for one in wanted}


def cache_key(one: Program, go_version: str) -> str:
    """Changes when anything that decides the binary changes: the pin's files, flags, compiler, machine type."""
    digest = hashlib.sha256()
    for text in (go_version, os.uname().machine, one.package, one.tags, one.link_flags()):
        digest.update(text.encode() + b"\0")
    for path in sorted(one.pin_dir.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def destination(one: Program) -> Path:
    """Where the program is, or will be once built."""
    return cache_root() / "bin" / f"{one.name}-{one.version}-{cache_key(one, gotool.go_version())}" / one.name


def _missing(members: list[Program]) -> list[Program]:
    return [one for one in members if not destination(one).exists()]


def _build(members: list[Program], compile_with: Compile) -> None:
    if not members:
        return
    work = cache_root() / "bin" / f".work-{members[0].pin}"
    shutil.rmtree(work, ignore_errors=True)  # what a killed build left; the lock says that nobody is in it
    work.mkdir(parents=True)
    try:
        what = f"{' '.join(one.name for one in members)} {members[0].version}"
        begin(f"building {what}")
        with step(f"built {what}"):
            compile_with(members, work)
        for one in members:
            _publish(work / one.name, destination(one))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(built: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    built.replace(final)


def _compile(members: list[Program], work: Path) -> None:
    first = members[0]
    command = [str(gotool.go()), "build", "-trimpath", "-tags", first.tags, "-ldflags", first.link_flags(), "-o"]
    # One package goes to a file of the program's name, which its last word need not be (go.etcd.io/etcd/server/v3).
    target = [f"{work}/{first.name}"] if len(members) == 1 else [f"{work}/"]
    packages = [one.package for one in members]
    made = subprocess.run(
        [*command, *target, *packages],
        cwd=first.pin_dir,
        env=gotool.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise ClusterError(f"{first.pin} did not build: {_last_words(made.stderr)}")


def _last_words(stderr: str) -> str:
    if "no space left on device" in stderr:
        return f"the disk is full (cache: {cache_root()}; Go's own: `go env GOCACHE`)"
    return " | ".join(stderr.strip().splitlines()[-3:])
