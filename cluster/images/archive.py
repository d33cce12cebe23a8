"""Writes container images as docker-archives with nothing but tar and json: no daemon, no registry, no buildah.

Why it exists: a model, a static binary or a root file system is one layer, and a tool for that would be one more thing
to install. Equal content gives equal bytes (fixed times and owners), so that archives can be keyed by content. It must
not run anything: what needs a RUN step is built by buildah.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cluster.errors import ClusterError

FORMAT = 2  # part of the cache keys: an archive written by older code is another archive
NOBODY = 65532
_CHUNK = 1 << 20
_CREATED = "1970-01-01T00:00:00Z"  # without any time buildah takes no layer on top of the image from its cache


@dataclass(frozen=True)
class Config:
    """How a container of the image starts."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = f"{NOBODY}:{NOBODY}"


def files_layer(files: Mapping[str, Path], out: Path) -> None:
    """A layer tar with each file at its absolute path in the image, world-readable, with the folders above it."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as layer:
        for folder in _folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(entry)
        for name, source in sorted(files.items()):
            entry = tarfile.TarInfo(_relative(name))
            entry.size, entry.mode = source.stat().st_size, 0o755 if source.stat().st_mode & 0o100 else 0o644
            with source.open("rb") as content:
                layer.addfile(entry, content)


def write(out: Path, ref: str, layer: Path, config: Config) -> str:
    """Writes the archive of a one-layer image and returns the image's id."""
    layer_digest = file_digest(layer)
    text = json.dumps(_image(config, layer_digest), sort_keys=True).encode()
    image_id = hashlib.sha256(text).hexdigest()
    layer_name = f"{layer_digest}.tar"
    manifest = [{"Config": f"{image_id}.json", "RepoTags": [ref], "Layers": [layer_name]}]
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, f"{image_id}.json", io.BytesIO(text), len(text))
        with layer.open("rb") as content:
            _add(archive, layer_name, content, layer.stat().st_size)
        text = json.dumps(manifest, sort_keys=True).encode()
        _add(archive, "manifest.json", io.BytesIO(text), len(text))
    return image_id


def image_id(archive: Path) -> str:
    """The id of the image in a docker-archive, as its manifest names it."""
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("manifest.json")
        if manifest is None:
            raise ClusterError(f"{archive} is not a docker-archive: manifest.json is no file")
        name: str = json.load(manifest)[0]["Config"]
    return PurePosixPath(name).name.removesuffix(".json")


def file_digest(path: Path) -> str:
    """sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _image(config: Config, layer_digest: str) -> dict[str, object]:
    start = {
        "User": config.user,
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            *(f"{k}={v}" for k, v in config.env.items()),
        ],
        "Entrypoint": list(config.entrypoint) or None,
        "Cmd": list(config.command) or None,
    }
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]}
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": start,
        "rootfs": rootfs,
        "history": [{"created": _CREATED, "created_by": "penstock"}],
    }


def _folders(files: Mapping[str, Path]) -> list[str]:
    above = {str(parent) for name in files for parent in PurePosixPath(_relative(name)).parents}
    return sorted(above - {"."})


def _relative(name: str) -> str:
    path = PurePosixPath(name)
    if not path.is_absolute() or ".." in path.parts:
        raise ClusterError(f"'{name}' is no absolute path inside an image")
    return str(path.relative_to("/"))


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    archive.addfile(entry, content)
