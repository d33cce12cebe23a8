"""The objects of the in-memory cluster and what every write does to them: versions, generation, events, garbage
collection.

Everything here is synchronous and exact; the network, its faults and the waiting are in `kube.py`. Known to be simpler
than the real server: no defaulting beyond what a test asks for, no admission, only the merge keys of `ownership.py`.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from penstock.model.faults import Rejected, Stale
from penstock.model.kinds import KINDS

from .fields import check_fields, has_fields
from .ownership import Path, copied, keyed, merged, nulls, paths, plain, value_at, without
from .rules import check

Object = dict[str, Any]
Ref = tuple[str, str, str]
Watcher = Callable[[str, Object], None]

SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


@dataclass
class Entry:
    """One stored object and the fields that each manager set."""

    live: Object
    managers: dict[str, set[Path]] = field(default_factory=dict)


class Store:
    """A cluster's objects. Tests may act on it directly, as users, controllers and kubelets do."""

    def __init__(self, wall: Callable[[], datetime] | None = None, defaults: dict[str, Object] | None = None) -> None:
        self.entries: dict[Ref, Entry] = {}
        self.history: list[tuple[str, Object]] = []
        self.missing_namespaces: set[str] = set()
        self.missing_kinds: set[str] = set()
        self.collects = True  # whether the garbage collector runs
        self._wall = wall or (lambda: datetime.now(UTC))
        self._defaults = defaults or {}
        self._watchers: list[Watcher] = []
        self._version = 1  # that of a store without objects

    @property
    def version(self) -> str:
        """That of a list of now."""
        return str(self._version)

    def subscribe(self, watcher: Watcher) -> None:
        """Call `watcher(ADDED | MODIFIED | DELETED, object)` on each change from now on."""
        self._watchers.append(watcher)

    def unsubscribe(self, watcher: Watcher) -> None:
        """Call it no more."""
        self._watchers.remove(watcher)

    def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """A copy of the live object."""
        entry = self.entries.get((kind, namespace or "", name))
        return copied(entry.live) if entry else None

    def list(self, kind: str, namespace: str | None = None, selector: str = "", fields: str = "") -> list[Object]:
        """Copies of all objects of a kind, in the server's order."""
        self._known(kind, kind)
        check_fields(kind, fields)
        found = [self.entries[ref].live for ref in sorted(self.entries) if ref[0] == kind]
        return [copied(live) for live in found if _chosen(live, namespace, selector) and has_fields(live, fields)]

    def apply(self, manifest: Object, manager: str) -> Object:
        """Server-side apply."""
        ref, entry = self._find(manifest)
        intent = keyed({key: value for key, value in manifest.items() if key != "status"})
        if entry is None:
            if "uid" in manifest["metadata"]:
                raise Stale(f"{ref[0]}/{ref[2]}: is gone")
            return self._insert(ref, intent, manager)
        _unchanged_since(manifest, entry.live)
        owned = paths(intent)
        others = set().union(*(fields for name, fields in entry.managers.items() if name != manager))
        wanted = keyed(entry.live)
        for path in (entry.managers.get(manager, set()) - owned - others) | nulls(manifest):
            wanted = without(wanted, path)
        managers = _disowned(entry, merged(wanted, intent)) | {manager: owned}
        return self._update(ref, plain(merged(wanted, intent)), managers)

    def create(self, manifest: Object, manager: str) -> Object:
        """POST."""
        ref, entry = self._find(manifest)
        if entry is not None:
            raise Stale(f'{ref[0]}/{ref[2]}: "{ref[2]}" already exists')
        return self._insert(ref, keyed(manifest), manager)

    def replace(self, manifest: Object, manager: str) -> Object:
        """PUT; the status stays."""
        ref, entry = self._find(manifest)
        if entry is None:
            raise Stale(f"{ref[0]}/{ref[2]}: is gone")
        _unchanged_since(manifest, entry.live)
        wanted = copied(manifest)
        wanted.pop("status", None)
        wanted["metadata"] |= {key: entry.live["metadata"][key] for key in SERVER_SET if key in entry.live["metadata"]}
        wanted |= {"status": entry.live["status"]} if "status" in entry.live else {}
        before, after = keyed(entry.live), keyed(wanted)
        changed = {path for path in paths(after) if value_at(before, path) != value_at(after, path)}
        managers = _disowned(entry, after)
        if changed:
            managers[manager] = managers.get(manager, set()) | changed
        return self._update(ref, wanted, managers)

    def patch(self, seen: Object, edits: Sequence[Object], manager: str) -> Object:
        """A JSON Patch (RFC 6902) of `add` and `replace`, fenced by the version that was seen."""
        ref, entry = self._find(seen)
        if entry is None:
            raise Stale(f"{ref[0]}/{ref[2]}: is gone")
        _unchanged_since({"kind": ref[0], "metadata": seen["metadata"]}, entry.live)
        wanted = copied(entry.live)
        for edit in edits:
            _set(wanted, edit, f"{ref[0]}/{ref[2]}")
        return self.replace(wanted, manager)

    def update_status(self, live: Object, status: Object) -> Object:
        """PUT of the status subresource, fenced by the version."""
        ref, entry = self._find(live)
        if entry is None:
            raise Stale(f"{ref[0]}/{ref[2]}: is gone")
        if entry.live["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Stale(f"{ref[0]}/{ref[2]}: the object has been modified")
        wanted = copied(entry.live)
        wanted["status"] = copied(status)
        return self._update(ref, wanted, entry.managers)

    def patch_series(self, event: Object, series: Object) -> Object:
        """A merge patch of an Event's series."""
        ref, entry = self._find(event)
        if entry is None:
            raise Stale(f"{ref[0]}/{ref[2]}: is gone")
        return self._update(ref, _patched(copied(entry.live), {"series": series}), entry.managers)

    def delete(self, kind: str, namespace: str | None, name: str, uid: str | None = None) -> bool:
        """DELETE in the background; with finalizers it stays, shows that it is being deleted, and gives False."""
        ref = (kind, namespace or "", name)
        entry = self.entries.get(ref)
        if entry is None:
            return True
        if uid is not None and entry.live["metadata"]["uid"] != uid:
            raise Stale(f"{kind}/{name}: Precondition failed: UID in precondition: {uid}")
        if entry.live["metadata"].get("finalizers"):
            wanted = copied(entry.live)
            wanted["metadata"].setdefault("deletionTimestamp", self._stamp())
            self._update(ref, wanted, entry.managers)
            return False
        self._remove(ref)
        return True

    def edit(self, ref: Ref, change: Callable[[Object], None], manager: str = "someone") -> Object:
        """Another actor's change of anything but the server's own fields: `change` edits a copy in place."""
        live = copied(self.entries[ref].live)
        change(live)
        if live.get("status") != self.entries[ref].live.get("status"):
            self._update(ref, self.entries[ref].live | {"status": live.get("status", {})}, self.entries[ref].managers)
            live["metadata"]["resourceVersion"] = self.entries[ref].live["metadata"]["resourceVersion"]
        return live if live == self.entries[ref].live else self.replace(live, manager)

    def _find(self, manifest: Object) -> tuple[Ref, Entry | None]:
        kind, meta = manifest["kind"], manifest["metadata"]
        where = f"{kind}/{meta['name']}"
        self._known(kind, where)
        namespace = meta.get("namespace", "") if KINDS[kind].namespaced else ""
        if namespace in self.missing_namespaces:
            raise Rejected("NamespaceMissing", f'{where}: namespaces "{namespace}" not found')
        ref = (kind, namespace, meta["name"])
        return ref, self.entries.get(ref)

    def _known(self, kind: str, where: str) -> None:
        if kind in self.missing_kinds:
            raise Rejected("ApiKindMissing", f"{where}: the server could not find the requested resource")

    def _insert(self, ref: Ref, intent: Object, manager: str) -> Object:
        intent.pop("status", None)  # only the status subresource sets it
        made = merged(self._defaults.get(ref[0], {}), plain(intent))
        check(made, None)
        made = copied(made)
        made["metadata"] |= {
            "uid": str(uuid.UUID(int=self._version + 1, version=4)),
            "generation": 1,
            "creationTimestamp": self._stamp(),
        }
        self._date(made)
        self.entries[ref] = Entry(made, {manager: paths(intent)})
        return self._announce("ADDED", ref)

    def _update(self, ref: Ref, wanted: Object, managers: dict[str, set[Path]]) -> Object:
        entry = self.entries[ref]
        check(wanted, entry.live)
        if wanted == entry.live and managers == entry.managers:
            return copied(entry.live)
        if _generation_sees(wanted) != _generation_sees(entry.live):
            wanted["metadata"]["generation"] += 1
            self._date(wanted)
        entry.live, entry.managers = wanted, managers
        if "deletionTimestamp" in wanted["metadata"] and not wanted["metadata"].get("finalizers"):
            return self._remove(ref)
        return self._announce("MODIFIED", ref)

    def _date(self, live: Object) -> None:
        """When it was written; only where anybody reads it."""
        if KINDS[live["kind"]].dated:
            live["metadata"]["managedFields"] = [{"operation": "Apply", "time": self._stamp()}]

    def _remove(self, ref: Ref) -> Object:
        entry = self.entries.pop(ref)
        gone = self._tell("DELETED", entry.live)
        self._collect()
        return gone

    def _announce(self, change: str, ref: Ref) -> Object:
        said = self._tell(change, self.entries[ref].live)
        self._collect()
        return said

    def _tell(self, change: str, live: Object) -> Object:
        self._version += 1
        live["metadata"]["resourceVersion"] = str(self._version)
        said = copied(live)
        self.history.append((change, said))
        for watcher in list(self._watchers):
            watcher(change, copied(said))
        return copied(said)

    def _collect(self) -> None:
        """Remove one object whose owners are all gone; removing it collects the next."""
        uids = {entry.live["metadata"]["uid"] for entry in self.entries.values()}
        for ref, entry in self.entries.items():
            owners = {owner["uid"] for owner in entry.live["metadata"].get("ownerReferences") or []}
            dying = "deletionTimestamp" in entry.live["metadata"]
            if self.collects and owners and not owners & uids and not dying:
                self.delete(*ref)
                return

    def _stamp(self) -> str:
        return self._wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _set(live: Object, edit: Object, where: str) -> None:
    """One operation on keys of maps; a place that is not there is refused, as by the server."""
    *way, last = edit["path"].removeprefix("/").split("/")
    place: Any = live
    for key in way:
        at: Any = int(key) if isinstance(place, list) else key
        if at not in (range(len(place)) if isinstance(place, list) else place):
            raise Rejected("ApiInvalid", f"{where}: the server rejected our request due to an error in our request")
        place = place[at]
    place[last] = copied(edit["value"])


def _disowned(entry: Entry, wanted: Object) -> dict[str, set[Path]]:
    """What the managers still own once their fields have the values of `wanted`: a changed field changes hands."""
    live = keyed(entry.live)
    return {
        name: {path for path in fields if value_at(live, path) == value_at(wanted, path)}
        for name, fields in entry.managers.items()
    }


def _unchanged_since(manifest: Object, live: Object) -> None:
    for key in ("uid", "resourceVersion"):
        if manifest["metadata"].get(key, live["metadata"][key]) != live["metadata"][key]:
            raise Stale(f"{manifest['kind']}/{manifest['metadata']['name']}: the object has been modified")


def _generation_sees(live: Object) -> Object:
    """What bumps the generation: all but metadata and status; of a Deployment also its annotations."""
    seen = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    return seen | {"metadata": live["metadata"].get("annotations") if live["kind"] == "Deployment" else None}


def _patched(before: Any, patch: Object) -> Object:
    """RFC 7386."""
    after = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = _patched(after.get(key), value) if isinstance(value, dict) else copied(value)
    return after


def _chosen(live: Object, namespace: str | None, selector: str) -> bool:
    labels = live["metadata"].get("labels") or {}
    if namespace is not None and live["metadata"].get("namespace") != namespace:
        return False
    return all(_matches(labels, term.strip()) for term in selector.split(",") if term.strip())


def _matches(labels: dict[str, str], term: str) -> bool:
    if "!=" in term:
        key, _, value = term.partition("!=")
        return labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return labels.get(key.strip()) == value.strip()
    return term[1:].strip() not in labels if term.startswith("!") else term in labels
