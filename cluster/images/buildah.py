"""Builds Dockerfiles with buildah in a storage of our own, whose layers speed up the next build.

A session marks the storage while it works in it: a mark that is found belongs to a killed session, and the whole
storage is thrown away. Mounts die with the private mount namespace that each command runs in. It must never pull: the
base image is put into the storage first.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images.archive import image_id
from cluster.images.recipe import Context

_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Dies with us and takes its mounts along.
_CONFINED = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private")
_LONG_AGO = 1_000_000_000


class Session:
    """The image storage, and a folder that lives as long as the session."""

    def __init__(self, storage: Path, folder: Path) -> None:
        self._folder = folder
        driver = _driver(folder)
        self._storage = ["--root", str(storage / driver), "--runroot", str(folder / "run"), "--storage-driver", driver]

    def add_base(self, reference: str, archive: Path) -> None:
        """Puts the base image into the storage, if this very one is not there."""
        there = self._try("inspect", "--type", "image", "--format", "{{.FromImageID}}", reference)
        if there.stdout.strip() != image_id(archive):
            self._run("rmi", "--all", "--force")  # layers on top of another base are of no more use
            self._run("pull", "--quiet", f"docker-archive:{archive}")

    def build(self, context: Context, name: str, base: str, out: Path) -> None:
        """Builds one Dockerfile and writes its image, so named, as a docker-archive."""
        folder = self._folder / f"context-{context.name}"
        _write(context, folder)
        quiet = ["--quiet", "--isolation", "chroot", "--pull-never", "--layers", "--format", "docker"]
        self._run("bud", *quiet, *self._host_trust(), "--build-arg", f"BASE={base}", "--tag", name, str(folder))
        self._run("push", "--quiet", name, f"docker-archive:{out}:{name}")

    def _host_trust(self) -> list[str]:
        # pip inside a build must trust what this machine trusts (a company's proxy, say) and look where it looks.
        conf = self._folder / "pip.conf"
        conf.write_text(pip_conf(os.environ))
        mounts = [f"{conf}:/etc/pip.conf:ro"] + ([f"{_BUNDLE}:{_BUNDLE}:ro"] if _BUNDLE.exists() else [])
        return [part for mount in mounts for part in ("--volume", mount)]

    def _try(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*_CONFINED, "buildah", *self._storage, *arguments], check=False, capture_output=True, text=True
        )

    def _run(self, *arguments: str) -> None:
        made = self._try(*arguments)
        if made.returncode:
            raise ClusterError(f"buildah {arguments[0]} failed: {_last_words(made.stderr or made.stdout)}")


def _write(context: Context, folder: Path) -> None:
    for name, content in context.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    # Equal content must find its layer again, whenever it was written.
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def pip_conf(environment: Mapping[str, str]) -> str:
    """A pip.conf that says what the host's PIP_* variables say about where packages come from."""
    names = ("index-url", "extra-index-url", "trusted-host", "proxy")
    given = {name: environment.get(f"PIP_{name.upper().replace('-', '_')}") for name in names}
    lines = [f"{name} = {value}" for name, value in given.items() if value]
    trust = [f"cert = {_BUNDLE}"] if _BUNDLE.exists() else []
    return "\n".join(["[global]", "disable-pip-version-check = true", "no-cache-dir = true", *trust, *lines, ""])


@contextmanager
def session(storage: Path) -> Iterator[Session]:
    """The storage for the block; the caller holds the lock on it."""
    mark = storage / "in-use"
    if mark.exists():
        shutil.rmtree(storage)
    storage.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=storage))
    mark.touch()
    try:
        yield Session(storage, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    mark.unlink()  # only after a good end: what failed is not built upon


def _driver(folder: Path) -> str:
    """overlay where the kernel can stack on this file system; vfs, which copies every layer, where it cannot."""
    parts = {name: folder / "probe" / name for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
    probe = subprocess.run([*_CONFINED, *mount], check=False, capture_output=True)
    return "vfs" if probe.returncode else "overlay"


def _last_words(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "WARNING" not in line and "exit status 1" not in line]
    if "no space left on device" in text:
        return "the disk is full"
    return " | ".join(lines[-3:])
