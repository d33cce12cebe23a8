"""Who set which field: the part of server-side apply that decides what vanishes and what stays.

Objects are compared in a keyed form, in which the lists that the API merges by key (containers, env, ...) are maps.
Lists and maps that the API treats as one value stay one value. It knows nothing of versions, events or validation.
"""

import json
import marshal
from typing import Any

Object = dict[str, Any]
Path = tuple[Any, ...]

MERGED_BY = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port"),
}
ATOMIC = ("selector", "nodeSelector")
NOT_OWNED: set[Path] = {
    ("apiVersion",),
    ("kind",),
    *(("metadata", key) for key in ("name", "namespace", "uid", "resourceVersion")),
}


def copied(value: Any) -> Any:
    """A copy of a JSON value, as the wire makes one; `deepcopy` took half of every simulated hour."""
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:  # a subclass of str or dict, which the wire spells like any other
        return json.loads(json.dumps(value))


class Keyed(dict[Any, Any]):
    """A list that merges by key."""


class Whole(dict[Any, Any]):
    """A map that is one value."""


def keyed(value: Any, field: str = "") -> Any:
    """The keyed form of an object."""
    if isinstance(value, dict):
        return (
            Whole(value)
            if field in ATOMIC
            else {key: keyed(item, key) for key, item in value.items() if item is not None}
        )
    if isinstance(value, list) and field in MERGED_BY and all(isinstance(item, dict) for item in value):
        return Keyed((_key_of(item, field), keyed(item)) for item in value)
    return value


def plain(value: Any) -> Any:
    """Back from the keyed form."""
    if isinstance(value, Keyed):
        return [plain(item) for item in value.values()]
    if isinstance(value, Whole):
        return dict(value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else _copied_leaf(value)


def paths(value: Any, at: Path = ()) -> set[Path]:
    """The paths of all fields that have an owner."""
    if isinstance(value, dict) and value and not isinstance(value, Whole):
        return set().union(*(paths(item, (*at, key)) for key, item in value.items())) - NOT_OWNED
    return {at}


def nulls(value: Any, at: Path = ()) -> set[Path]:
    """The paths of all fields that an intent wants to be gone, whoever owns them."""
    if isinstance(value, dict):
        return set().union(*(nulls(item, (*at, key)) for key, item in value.items()))
    return {at} if value is None else set()


def value_at(value: Any, path: Path) -> Any:
    """What is at the path, or None."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def merged(live: Any, intent: Any) -> Any:
    """`live` with every field that `intent` has."""
    if not isinstance(live, dict) or not isinstance(intent, dict) or isinstance(intent, Whole):
        return _copied_leaf(intent)
    result = type(intent)(live)
    for key, item in intent.items():
        result[key] = merged(live.get(key), item)
    return result


def without(live: Any, path: Path) -> Any:
    """`live` without the field at `path`, and without the maps that this leaves empty."""
    if not isinstance(live, dict) or path[0] not in live:
        return live
    result = type(live)(live)
    rest = without(result[path[0]], path[1:]) if len(path) > 1 else None
    if rest or (len(path) > 1 and not isinstance(rest, dict)):
        result[path[0]] = rest
    else:
        del result[path[0]]
    return result


def _copied_leaf(value: Any) -> Any:
    """A copy that keeps the keyed form; most leaves are plain values and need none."""
    if isinstance(value, dict):
        return type(value)((key, _copied_leaf(item)) for key, item in value.items())
    return [_copied_leaf(item) for item in value] if isinstance(value, list) else value


def _key_of(item: Object, field: str) -> tuple[str, Any]:
    name = next((name for name in MERGED_BY[field] if name in item), "")
    return name, item.get(name)
