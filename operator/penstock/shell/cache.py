"""What the watches have shown: ModelDeployments and records as text, children as small projections.

No I/O, no decision. An older resourceVersion never replaces a newer one, be it of a namesake that is gone (kopf has a
worker for each uid, so their events cross), so that the order of events, lists and our own writes' answers does not
matter. Of a user's ConfigMap only the content is kept.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any

from penstock.core import config
from penstock.model.kinds import KINDS
from penstock.model.names import LABEL_CONFIG, LABEL_NAME
from penstock.model.values import Config
from penstock.shell.projection import Child, fingerprint, project, version
from penstock.shell.texts import Key, Object, Record, Texts

WATCHED = (
    "ControllerRevision",
    "ConfigMap",
    "Deployment",
    "Service",
    "EndpointSlice",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Pod",
    *(name for name, kind in KINDS.items() if kind.optional),
)
BURIED = 4096  # deletions that are remembered; an answer is never so late


@dataclass(frozen=True)
class Tracked:
    """What is remembered of a user's ConfigMap that carries the label."""

    uid: str
    version: int
    config: Config


@dataclass
class Cache:
    """All that is known, by key of the ModelDeployment; tracked ConfigMaps by their own."""

    parents: Texts = field(default_factory=Texts)
    runtimes: dict[str, Object] = field(default_factory=dict)
    configs: dict[Key, Tracked] = field(default_factory=dict)
    children: dict[Key, dict[tuple[str, str], Child]] = field(default_factory=dict)
    rivals: dict[Key, str] = field(default_factory=dict)
    doubts: dict[Key, set[tuple[str, str]]] = field(default_factory=dict)  # children whose last write got no answer
    gone: dict[str, float] = field(default_factory=dict)  # uid -> version at which it went
    lost: dict[Key, dict[str, Record]] = field(default_factory=dict)  # records in use that somebody deleted

    def bury(self, live: Object) -> None:
        """An object is gone: what is still under way of it, such as the answer to a write of ours, is old news."""
        self._note_gone(live["metadata"]["uid"], version(live))

    def drop(self, key: Key, child: Child) -> None:
        """The answer to a DELETE says that it is gone: a watch that is late would have each turn delete it again."""
        self._note_gone(child.uid, inf)
        self._drop(key, (child.kind, child.name), child.uid)

    def _note_gone(self, uid: str, at: float) -> None:
        self.gone[uid] = max(at, self.gone.get(uid, at))
        if len(self.gone) > BURIED:
            del self.gone[next(iter(self.gone))]

    def _is_old_news(self, live: Object) -> bool:
        return version(live) <= self.gone.get(live["metadata"]["uid"], -1)

    def see_parent(self, live: Object) -> bool:
        """Remember a ModelDeployment; True where somebody else changed it, False for our own status echo."""
        meta = live["metadata"]
        meta.pop("managedFields", None)
        key = (meta["namespace"], meta["name"])
        known = self.parents.get(key)
        if known and version(known) >= version(live):
            return False
        if self._is_old_news(live):
            return False
        self.parents[key] = live
        return not known or _asks(known) != _asks(live)

    def forget_parent(self, key: Key, uid: str) -> None:
        """Drop a ModelDeployment that is gone, unless a namesake has taken its place."""
        if self.parents.uid(key) == uid:
            del self.parents[key]
            self.rivals.pop(key, None)
            self.lost.pop(key, None)

    def see_runtime(self, live: Object, gone: bool = False) -> bool:
        """Remember a ModelRuntime while it is there; True where what it says has changed."""
        name, uid = live["metadata"]["name"], live["metadata"]["uid"]
        known = self.runtimes.get(name)
        if gone:
            return bool(known and known["metadata"]["uid"] == uid and self.runtimes.pop(name))
        if (known and version(known) >= version(live)) or self._is_old_news(live):
            return False
        self.runtimes[name] = live
        return not known or known.get("spec") != live.get("spec")

    def see_config(self, live: Object, gone: bool = False) -> bool:
        """Remember a user's ConfigMap while it carries the label; True where what it holds has changed."""
        meta = live["metadata"]
        key, uid = (meta["namespace"], meta["name"]), meta["uid"]
        known = self.configs.get(key)
        if gone or not _is_tracked(live):
            return bool(known and known.uid == uid and self.configs.pop(key))
        if known and known.version >= version(live):
            return False
        self.configs[key] = Tracked(uid, version(live), config.read(live))
        return not known or known.config.digest != self.configs[key].config.digest

    def mounting(self, key: Key) -> list[Key]:
        """The ModelDeployments that mount a ConfigMap, all of its namespace."""
        return [k for k in self.parents if k[0] == key[0] and key[1] in _mounts(self.parents[k])]

    def see_child(self, live: Object) -> Key | None:
        """Remember an owned object; the key of its ModelDeployment where something of interest changed."""
        key = owner_key(live)
        if not key or self._is_old_news(live):
            return None
        known = self.children.get(key, {}).get(_identity(live)[0])
        if known and known.version >= version(live):
            return None
        child = project(live)
        if known and known.uid == child.uid and known.verified and known.fingerprint == child.fingerprint:
            child.applied = known.verified
            child.verify()
        else:
            child.keep(live)
        self.children.setdefault(key, {})[child.kind, child.name] = child
        self._found(key, child)
        changed = not known or (known.fingerprint, known.seen) != (child.fingerprint, child.seen)
        return key if changed else None

    def confirm(self, key: Key, answer: Object) -> None:
        """What the server answered to an apply is as it should be, even where it spells a value differently.

        So is what came after it and says the same: a controller's status may overtake the answer. An edit does not.
        """
        known = self.children.get(key, {}).get((answer["kind"], answer["metadata"]["name"]))
        if known and known.uid == answer["metadata"]["uid"] and known.fingerprint == fingerprint(answer):
            known.verify()

    def forget_child(self, live: Object) -> Key | None:
        """Drop an owned object that is gone."""
        key = owner_key(live)
        if key:
            self._drop(key, *_identity(live))
        return key

    def forget_stray(self, live: Object) -> Key | None:
        """Drop an object whose label names another ModelDeployment than before; the key of the one before.

        What is ours, or follows it, has a name that begins with its ModelDeployment's.
        """
        meta, now = live["metadata"], owner_key(live)
        parts = meta["name"].split("-")
        keys = [(meta.get("namespace", ""), "-".join(parts[:count])) for count in range(1, len(parts) + 1)]
        return next((key for key in keys if key != now and self._drop(key, *_identity(live))), None)

    def _drop(self, key: Key, where: tuple[str, str], uid: str) -> bool:
        """Forget one object; True where it was known. A record that is in use is kept: it is made anew."""
        mine = self.children.get(key, {})
        known = mine.get(where)
        if not known or known.uid != uid:
            return False
        del mine[where]
        if isinstance(known.seen, Record) and known.name in self._in_use(key):
            self.lost.setdefault(key, {})[known.name] = known.seen
        if not mine:
            self.children.pop(key, None)
        return True

    def _found(self, key: Key, child: Child) -> None:
        """A record that was lost is there again; one of somebody else's is none."""
        if isinstance(child.seen, Record) and child.is_ours(self.parents.uid(key)):
            self.lost.get(key, {}).pop(child.name, None)

    def _in_use(self, key: Key) -> set[str]:
        """Revisions that have pods, or are to have some, by the status as it was last seen."""
        status = (self.parents.get(key) or {}).get("status") or {}
        sides = [status.get("stable"), status.get("candidate"), *(status.get("leaving") or [])]
        return {side["revision"] for side in sides if side}

    def owned(self, key: Key) -> Iterator[Child]:
        """The children of a ModelDeployment, pods too."""
        return iter(list(self.children.get(key, {}).values()))


def _identity(live: Object) -> tuple[tuple[str, str], str]:
    """Kind and name, and the uid."""
    return (live["kind"], live["metadata"]["name"]), live["metadata"]["uid"]


def owner_key(live: Object) -> Key | None:
    """Key of the ModelDeployment that an object names as its own; None for an object of somebody else."""
    meta = live["metadata"]
    name = (meta.get("labels") or {}).get(LABEL_NAME)
    return (meta["namespace"], name) if name else None


def _is_tracked(live: Object) -> bool:
    """True for a user's ConfigMap with the label; a copy of ours carries it too, but is a child."""
    return LABEL_CONFIG in (live["metadata"].get("labels") or {}) and not owner_key(live)


def _mounts(live: Object) -> set[str]:
    """Names of the ConfigMaps that a ModelDeployment mounts; none of a spec that its schema would not let in today."""
    with suppress(AttributeError, KeyError, TypeError):
        server = (live.get("spec") or {}).get("server") or {}
        return {mount["name"] for mount in server.get("configMaps") or []}
    return set()


def _asks(live: Object) -> tuple[Any, ...]:
    meta = live["metadata"]
    return meta["uid"], meta.get("generation"), meta.get("deletionTimestamp"), meta.get("annotations")
