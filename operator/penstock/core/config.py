"""Tracked ConfigMaps: their content belongs to the revision, as its image does.

A revision's name covers the content, its record holds it, and its pods mount a copy that nobody can edit. So an edit
is a new revision that walks the steps, and every revision that is kept can be run again just as it was. Only the
ModelDeployment's own namespace is ever looked at.
"""

from collections.abc import Iterator, Mapping

from penstock.api.serving import ConfigMapMount
from penstock.model import names
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.values import Config, Manifest, Problem, World

# Bytes of a revision's content. Each kept revision holds it, in the operator's memory and in etcd, which takes 1.5 MiB
# of an object's JSON, where a character may become six.
LIMIT = 200 * 1024
_PARTS = ("data", "binaryData")


def read(live: Manifest) -> Config:
    """What a ConfigMap holds; of one that no revision could pin only how large it is."""
    content = {part: live[part] for part in _PARTS if live.get(part)}
    size = sum(len(word.encode()) for part in content.values() for entry in part.items() for word in entry)
    return Config(names.digest(content, 32), size, content if size <= LIMIT else {})


def digests(world: World) -> dict[str, str]:
    """What the revision's name covers: each mounted ConfigMap's content; nothing where none is mounted."""
    return {m.name: world.configs[m.name].digest if m.name in world.configs else "" for m in _mounted(world)}


def contents(world: World) -> dict[str, Manifest]:
    """What the revision keeps: the content of each mounted ConfigMap, by the ConfigMap's name."""
    return {m.name: world.configs[m.name].content for m in _mounted(world)}


def lacking(world: World) -> Problem | None:
    """Why the wanted content cannot be had."""
    sizes = {m.name: world.configs[m.name].size if m.name in world.configs else None for m in _mounted(world)}
    missing = next((name for name, size in sizes.items() if size is None), None)
    if missing:
        label = f"kubectl -n {world.namespace} label configmap {missing} {names.LABEL_CONFIG}=tracked"
        text = f"no ConfigMap {missing} with the label {names.LABEL_CONFIG} in this namespace; if it exists: {label}"
        return Problem(Reason.CONFIG_NOT_FOUND, text)
    if sum(filter(None, sizes.values())) > LIMIT:
        held = ", ".join(f"{name} {(size or 0) // 1024} KiB" for name, size in sizes.items())
        text = f"a revision keeps at most {LIMIT // 1024} KiB of ConfigMaps, but there is more: {held}; put large files"
        return Problem(Reason.CONFIG_TOO_LARGE, f"{text} where the model is")
    return None


def recall(world: World, revision: str) -> World:
    """The world as if the ConfigMaps that are gone still held what a revision has kept of them."""
    kept = world.snapshots[revision].configs
    lost = {name: read(content) for name, content in kept.items() if name not in world.configs}
    return replace(world, configs={**world.configs, **lost})


def clash(world: World, model_path: str) -> Problem | None:
    """A mount that overlaps the folder where the model is mounted, so that no container could start."""
    model = model_path.rstrip("/") + "/"
    for mount in _mounted(world):
        path = mount.mount_path + "/"
        if path.startswith(model) or model.startswith(path):
            text = f"spec.server.configMaps: {mount.name} at {mount.mount_path} overlaps the model at {model_path}"
            return Problem(Reason.MOUNT_CONFLICT, f"{text}; choose a folder beside it, such as /etc/{world.name}")
    return None


def volumes(world: World, revision: str) -> list[Manifest]:
    """The pod's volumes: the copies."""
    copies = _copies(revision, contents(world))
    return [{"name": volume, "configMap": {"name": copy}} for _, volume, copy in copies]


def mounts(world: World) -> list[Manifest]:
    """Where the server finds them."""
    paths = {m.name: m.mount_path for m in _mounted(world)}
    copies = _copies("", contents(world))
    return [{"name": volume, "mountPath": paths[name], "readOnly": True} for name, volume, _ in copies]


def make_copies(revision: str, pinned: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """Bodies of the ConfigMaps that the pods mount, by name; immutable, so that no edit reaches a running revision."""
    return {copy: {"immutable": True, **pinned[name]} for name, _, copy in _copies(revision, pinned)}


def _copies(revision: str, pinned: Mapping[str, Manifest]) -> Iterator[tuple[str, str, str]]:
    """Of each ConfigMap its name, the volume's and the copy's; numbered, as its name may be too long to extend."""
    for number, name in enumerate(sorted(pinned)):
        yield name, f"config-{number}", f"{revision}-{number}"


def _mounted(world: World) -> list[ConfigMapMount]:
    return world.spec.server.config_maps if world.spec else []
