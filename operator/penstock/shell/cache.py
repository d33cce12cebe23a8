"""What the watches have shown: ModelDeployments and records as text, children as small projections.

No I/O, no decision. An older resourceVersion never replaces a newer one, be it of a namesake that is gone (kopf has a
worker for each uid, so their events cross), so that the order of events, lists and our own writes' answers does not
matter. A child keeps its live object only until a turn has compared it with what it should be; from then on a
fingerprint tells whether anybody touched it. Of a user's ConfigMap only the content is kept.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from sys import intern
from typing import Any

from penstock.core import config
from penstock.model.kinds import KINDS
from penstock.model.names import ANNOTATION_APPLIED, LABEL_CONFIG, LABEL_DOOR, LABEL_NAME, LABEL_REVISION, digest
from penstock.model.values import Config, Following, Manifest, RouteSeen
from penstock.routing import ROUTES, payload, read_own, service
from penstock.routing.access import READERS
from penstock.scaling.follow import follow
from penstock.shell import endpoints, pods
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
FOLLOWING = ("Pod", "EndpointSlice")  # made by other controllers out of what we made; never written by us
BURIED = 4096  # deletions that are remembered; an answer is never so late


@dataclass(slots=True)
class Child:
    """What is remembered of one owned object."""

    kind: str
    name: str
    uid: str
    version: int
    revision: str
    applied: str
    fingerprint: str
    owner_uid: str
    seen: Any
    live: Object | None
    verified: str = ""

    def is_ours(self, uid: str) -> bool:
        """True for what the ModelDeployment with this uid controls, and for what Penstock wrote and nobody controls."""
        return self.owner_uid == uid if self.owner_uid else bool(self.applied)

    def is_given(self) -> bool:
        """True for what somebody else wrote, nobody controls, and whose label hands it over."""
        return not self.owner_uid and not self.applied and self.kind not in FOLLOWING


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
        self._note_gone(live["metadata"]["uid"], _version(live))

    def drop(self, key: Key, child: Child) -> None:
        """The answer to a DELETE says that it is gone: a watch that is late would have each turn delete it again."""
        self._note_gone(child.uid, inf)
        self._drop(key, {"kind": child.kind, "metadata": {"name": child.name, "uid": child.uid}})

    def _note_gone(self, uid: str, version: float) -> None:
        self.gone[uid] = max(version, self.gone.get(uid, version))
        if len(self.gone) > BURIED:
            del self.gone[next(iter(self.gone))]

    def _is_old_news(self, live: Object) -> bool:
        return _version(live) <= self.gone.get(live["metadata"]["uid"], -1)

    def see_parent(self, live: Object) -> bool:
        """Remember a ModelDeployment; True where somebody else changed it, False for our own status echo."""
        meta = live["metadata"]
        meta.pop("managedFields", None)
        key = (meta["namespace"], meta["name"])
        known = self.parents.get(key)
        if known and _version(known) >= _version(live):
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
        if (known and _version(known) >= _version(live)) or self._is_old_news(live):
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
        if known and known.version >= _version(live):
            return False
        self.configs[key] = Tracked(uid, _version(live), config.read(live))
        return not known or known.config.digest != self.configs[key].config.digest

    def mounting(self, key: Key) -> list[Key]:
        """The ModelDeployments that mount a ConfigMap, all of its namespace."""
        return [k for k in self.parents if k[0] == key[0] and key[1] in _mounts(self.parents[k])]

    def see_child(self, live: Object) -> Key | None:
        """Remember an owned object; the key of its ModelDeployment where something of interest changed."""
        key = owner_key(live)
        if not key or self._is_old_news(live):
            return None
        mine = self.children.setdefault(key, {})
        child = project(live)
        known = mine.get((child.kind, child.name))
        if known and known.version >= child.version:
            return None
        if known and known.uid == child.uid and known.verified and known.fingerprint == child.fingerprint:
            child.verified, child.live = known.verified, None
        mine[child.kind, child.name] = child
        self._found(key, child)
        changed = not known or (known.fingerprint, known.seen) != (child.fingerprint, child.seen)
        return key if changed else None

    def forget_child(self, live: Object) -> Key | None:
        """Drop an owned object that is gone."""
        key = owner_key(live)
        if key:
            self._drop(key, live)
        return key

    def forget_stray(self, live: Object) -> Key | None:
        """Drop an object whose label names another ModelDeployment than before; the key of the one before.

        What is ours, or follows it, has a name that begins with its ModelDeployment's.
        """
        meta, now = live["metadata"], owner_key(live)
        parts = meta["name"].split("-")
        keys = [(meta.get("namespace", ""), "-".join(parts[:count])) for count in range(1, len(parts) + 1)]
        return next((key for key in keys if key != now and self._drop(key, live)), None)

    def _drop(self, key: Key, live: Object) -> bool:
        """Forget one object; True where it was known. A record that is in use is kept: it is made anew."""
        mine, where = self.children.get(key, {}), (live["kind"], live["metadata"]["name"])
        known = mine.get(where)
        if not known or known.uid != live["metadata"]["uid"]:
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


def project(live: Object) -> Child:
    """The few facts that turns need."""
    meta = live["metadata"]
    seen = _SEEN[live["kind"]](live) if live["kind"] in _SEEN else None
    meta.pop("managedFields", None)
    owner: Object = next((ref for ref in meta.get("ownerReferences") or [] if ref.get("controller")), {})
    follows = live["kind"] in FOLLOWING
    return Child(
        kind=live["kind"],
        name=intern(meta["name"]),  # many children of one object say the same
        uid=meta["uid"],
        version=_version(live),
        revision=intern((meta.get("labels") or {}).get(LABEL_REVISION, "")),
        applied=intern(_applied(live)),
        fingerprint="" if follows else _fingerprint(live),
        owner_uid=intern(owner.get("uid", "")),
        seen=seen,
        live=None if follows else live,
    )


def _version(live: Object) -> int:
    return int(live["metadata"]["resourceVersion"])


def _asks(live: Object) -> tuple[Any, ...]:
    meta = live["metadata"]
    return meta["uid"], meta.get("generation"), meta.get("deletionTimestamp"), meta.get("annotations")


def _fingerprint(live: Object) -> str:
    """Digest of all that somebody could have edited; status and bookkeeping left out."""
    meta = live["metadata"]
    kept = {k: meta.get(k) for k in ("labels", "annotations", "ownerReferences", "deletionTimestamp")}
    if live["kind"] == "Deployment":  # written by the Deployment controller itself
        kept["annotations"] = {k: v for k, v in (kept["annotations"] or {}).items() if not k.startswith("deployment.")}
    return digest([kept, {k: v for k, v in live.items() if k not in ("metadata", "status", "apiVersion")}], 16)


@dataclass(frozen=True, slots=True)
class Scale:
    """A Deployment's numbers."""

    desired: int
    ready: int
    trouble: str = ""
    labels: frozenset[tuple[str, str]] = frozenset()  # of its pods, where we did not make them


@dataclass(frozen=True, slots=True)
class Front:
    """A Service: the revision that it leads to; of one that bears the ModelDeployment's name also the rest."""

    route: RouteSeen
    selector: frozenset[tuple[str, str]] = frozenset()
    ports: tuple[Manifest, ...] = ()
    door: bool = False  # whether it leads to a door


@dataclass(frozen=True, slots=True)
class Scaler:
    """An autoscaler: the Deployment that it scales, and who else does."""

    target: str
    rivals: str = ""
    following: Following | None = None  # None: it has not said yet


def _scale(live: Object) -> Scale:
    status = live.get("status") or {}
    # Where no pod can even be made (ServiceAccount, quota, pod security), only the Deployment has heard why.
    failed = [c for c in status.get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    trouble = f"{failed[0].get('reason')}: {failed[0].get('message', '')}"[:300] if failed else ""
    labels = {} if _applied(live) else live["spec"]["template"]["metadata"].get("labels") or {}
    return Scale(live["spec"].get("replicas", 1), status.get("readyReplicas", 0), trouble, frozenset(labels.items()))


def _front(live: Object) -> Front:
    meta, spec = live["metadata"], live.get("spec") or {}
    door = LABEL_DOOR in (spec.get("selector") or {})
    if meta["labels"][LABEL_NAME] != meta["name"]:
        return Front(service.read(live), door=door)
    selector = frozenset((spec.get("selector") or {}).items())
    return Front(service.read(live), selector, tuple(spec.get("ports") or ()), door)


def _scaler(live: Object) -> Scaler:
    """Two autoscalers on the same pods: Kubernetes sees it, stops both, and names them."""
    told = (live.get("status") or {}).get("conditions") or []
    found: Object = next((c for c in told if c.get("reason") == "AmbiguousSelector"), {})
    target = (live.get("spec") or {}).get("scaleTargetRef") or {}
    name = target.get("name", "") if target.get("kind") == "Deployment" else ""
    return Scaler(name, found.get("message", "")[:300], follow(live))


def _applied(live: Object) -> str:
    return str((live["metadata"].get("annotations") or {}).get(ANNOTATION_APPLIED, ""))


def _route(live: Object) -> RouteSeen:
    return read_own(live["kind"], live) if _applied(live) else ROUTES[live["kind"]].read(live)


_SEEN = {
    "Deployment": _scale,
    "Pod": pods.read,
    "ControllerRevision": Record.of,
    "Service": _front,
    "EndpointSlice": endpoints.read,
    "HorizontalPodAutoscaler": _scaler,
    "EnvoyExtensionPolicy": payload.read,
    **dict.fromkeys(ROUTES, _route),
    **READERS,
}
