"""What images there are and what each is made from; the cache key that follows from it.

It must do no more than read the inputs: whether an image is up to date is decided here, building it is not.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

PREFIX = "penstock.local"  # resolves nowhere, so that a missing image is a missing image and not a download
REPOSITORY = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Recipe:
    """An image built from a Dockerfile and nothing but these inputs. Without a tag the content's key is the tag."""

    name: str
    tag: str
    root: Path
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """The inputs as they were read at one moment: what is hashed is what is built, however files change meanwhile."""

    name: str
    tag: str
    files: Mapping[str, bytes]

    def key(self, base_id: str) -> str:
        """Changes when the Dockerfile, any file of the context or the base image changes."""
        digest = hashlib.sha256(f"{self.name}\0{self.tag}\0{base_id}\0".encode())
        for path, content in sorted(self.files.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:12]

    def reference(self, base_id: str) -> str:
        """The image's full name."""
        return ref(self.name, self.tag or self.key(base_id))


def read(recipe: Recipe) -> Context:
    """Reads every input of a recipe."""
    paths = [path for name in recipe.inputs for path in _files(recipe, name)]
    return Context(recipe.name, recipe.tag, {str(path.relative_to(recipe.root)): path.read_bytes() for path in paths})


def _files(recipe: Recipe, name: str) -> list[Path]:
    path = recipe.root / name
    inner = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    found = [each for each in inner if "__pycache__" not in each.parts]
    if not found:
        raise ClusterError(f"image {recipe.name} needs {path}, which is not there")
    return found


def ref(name: str, tag: str) -> str:
    """The full name under which nodes know an image."""
    return f"{PREFIX}/{name}:{tag}"


def _server(name: str, tag: str, *more: str) -> Recipe:
    return Recipe(name, tag, _HERE / name, ("Dockerfile", "requirements.lock", *more))


_OPERATOR_INPUTS = ("Dockerfile", "requirements.lock", "operator/penstock")

RECIPES: dict[str, Recipe] = {
    one.name: one
    for one in (
        _server("mlserver", "1.7.1"),
        _server("kserve", "0.21.0", "server.py"),
        _server("envoy", "1.40.0"),
        Recipe("operator", "", REPOSITORY, _OPERATOR_INPUTS),
    )
}

PROGRAM_IMAGES = ("envoy-gateway", "prometheus")
