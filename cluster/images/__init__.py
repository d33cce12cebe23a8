"""Container images without Docker or a registry: `image(name)` builds what is missing and names a file to load.

Why it exists: nodes here can pull nothing, so every image is made on this machine and cached by the hash of what it is
made from. It must not load anything into a cluster (providers do) and must leave nothing half-written in the cache.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster import build
from cluster.errors import ClusterError
from cluster.images import archive as archives
from cluster.images import buildah, rootfs, tools
from cluster.images.archive import Config
from cluster.images.recipe import PROGRAM_IMAGES, RECIPES, Context, read, ref
from cluster.locks import locked
from cluster.paths import cache_root
from cluster.programs import find
from cluster.progress import step

BASE = ref("base", rootfs.SUITE)
_PLAIN = Config()
_KEPT = 5
_KEY_LENGTH = 12
_HOUR = 3600.0
NAMES = (*RECIPES, *PROGRAM_IMAGES)


@dataclass(frozen=True)
class Image:
    """What a manifest names and what a node loads."""

    reference: str
    archive: Path


def image(name: str) -> Image:
    """One image, built if it is not cached."""
    return images_of([name])[name]


def images_of(names: Iterable[str]) -> dict[str, Image]:
    """Several images; those that need buildah share one session."""
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise ClusterError(f"no image '{unknown[0]}'; there are: {' '.join(sorted(NAMES))}")
    programs = build.programs(name for name in wanted if name in PROGRAM_IMAGES)
    made = {
        name: Image(ref(name, find(name).version), from_binary(name, path, find(name).version))
        for name, path in programs.items()
    }
    return made | _built([read(RECIPES[name]) for name in wanted if name in RECIPES])


def base_archive() -> Path:
    """The docker-archive of the base image; Dockerfiles get it as BASE."""
    final = _cached("base", rootfs.key())
    if not final.exists():
        tools.need("mmdebstrap")
        with locked("image-base"):
            _once(final, f"image {BASE}", _write_base)
    return final


def from_files(name: str, files: Mapping[str, Path], config: Config = _PLAIN) -> Path:
    """The docker-archive of an image that holds these files and nothing else: {path in the image: local file}."""
    digest = hashlib.sha256(f"{archives.FORMAT}\0{name}\0{config}\0".encode())
    for target, source in sorted(files.items()):
        digest.update(f"{target}\0{archives.file_digest(source)}\0{source.stat().st_mode & 0o100}\0".encode())
    final = _cached(name.rpartition("/")[2].partition(":")[0], digest.hexdigest()[:12])
    _once(final, f"image {name}", lambda out: _write_files(out, name, files, config))
    return final


def from_binary(name: str, binary: Path, tag: str = "local") -> Path:
    """The docker-archive of an image `penstock.local/NAME:TAG` that is one static program, its entrypoint."""
    target = f"/usr/local/bin/{name}"
    return from_files(ref(name, tag), {target: binary}, Config(entrypoint=(target,)))


def _built(contexts: list[Context]) -> dict[str, Image]:
    if not contexts:
        return {}
    base = base_archive()
    base_id = archives.image_id(base)
    made = {one.name: Image(one.reference(base_id), _cached(one.name, one.key(base_id))) for one in contexts}
    if not all(image.archive.exists() for image in made.values()):
        tools.need("buildah")
        with locked("image-buildah"), buildah.session(cache_root() / "images" / ".buildah") as session:
            session.add_base(BASE, base)
            for one in contexts:
                reference = made[one.name].reference
                _once(made[one.name].archive, f"image {reference}", partial(session.build, one, reference, BASE))
                _prune(one.name)
    return made


def _write_base(out: Path) -> None:
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        layer = Path(folder) / "rootfs.tar"
        rootfs.make(layer)
        archives.write(out, BASE, layer, rootfs.CONFIG)


def _write_files(out: Path, name: str, files: Mapping[str, Path], config: Config) -> None:
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        layer = Path(folder) / "layer.tar"
        archives.files_layer(files, layer)
        archives.write(out, name, layer, config)


def _cached(name: str, content_key: str) -> Path:
    return cache_root() / "images" / f"{name}-{content_key}.tar"


def _prune(name: str) -> None:
    """Keeps the newest archives of an image that changes with every edit, and takes away what killed builds left."""
    folder = cache_root() / "images"
    archives_by_age = sorted(folder.glob(f"{name}-{'?' * _KEY_LENGTH}.tar"), key=lambda path: path.stat().st_mtime)
    unfinished = [path for path in folder.glob(".making-*") if path.stat().st_mtime < time.time() - _HOUR]
    for path in [*archives_by_age[:-_KEPT], *unfinished]:
        path.unlink(missing_ok=True)


def _once(final: Path, what: str, make: Callable[[Path], None]) -> None:
    """Makes a file under another name and renames it: it is there whole or not at all, whoever races or dies."""
    if final.exists():
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".making-", dir=final.parent)
    os.close(descriptor)
    made = Path(name)
    made.unlink()  # buildah refuses to write into a file that is there
    try:
        with step(what):
            make(made)
        made.replace(final)
    finally:
        made.unlink(missing_ok=True)
