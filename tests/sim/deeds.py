"""What somebody else does to an object of ours: deletes it, edits it, puts another one in its place.

A deed is told at once and in full before the operator can look, as a quick hand has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.model.faults import Rejected
from penstock.model.names import LABEL_NAME
from penstock.shell.kube import FIELD_MANAGER
from tests.fake.ownership import copied
from tests.fake.store import Ref
from tests.sim.machine import Object, Sim

HAND = "kubectl-edit"
KEPT = {"team": "risk"}  # somebody's own label, annotation and field, which stay
THEIRS = ("labels", "annotations")
OWNERS = ("metadata", "ownerReferences")
Hand = Callable[[Sim, Ref], None]


@dataclass(frozen=True)
class Deed:
    """What is done; how it is undone, where the operator must not do that itself."""

    do: Hand
    undo: Hand | None = None
    keeps: bool = False  # whether something of somebody's must still be there in the end
    writes: int = 1  # of the object, to mend it


def edit(sim: Sim, ref: Ref, change: Callable[[Object], None]) -> None:
    """Somebody's edit."""
    sim.store.edit(ref, change, HAND)


def delete(sim: Sim, ref: Ref) -> None:
    """`kubectl delete`."""
    sim.store.delete(*ref)


def fields(sim: Sim, ref: Ref) -> list[tuple[Any, ...]]:
    """Every field that we set."""
    found = sorted(sim.store.entries[ref].managers[FIELD_MANAGER], key=repr)
    return [path for path in found if is_ours(ref, path)]


def is_ours(ref: Ref, path: tuple[Any, ...]) -> bool:
    """Whether another value of the field is put right.

    Not what an item of a list is known by: who changes that takes one of ours away and adds one of their own. Nor the
    names of ports by which clients know the common Service, whoever gave them.
    """
    key = any(isinstance(each, tuple) and each[0] == path[-1] for each in path[-2:-1])
    port = (ref[0], ref[2]) == ("Service", "churn") and path[:2] == ("spec", "ports") and path[-1] == "name"
    return path[:2] != OWNERS and not key and not port


def alter(sim: Sim, ref: Ref, path: tuple[Any, ...]) -> bool:
    """Give one field another value; False where the API server has it that it never changes."""
    try:
        edit(sim, ref, lambda live: alter_at(live, path))
    except (Rejected, LookupError):  # or another edit has changed what it is found by
        return False
    return True


def alter_at(live: Object, path: tuple[Any, ...]) -> None:
    """Give one field of this copy another value; `LookupError` where it is not there."""
    place: Any = live
    for key in path[:-1]:
        place = _at(place, key)
    if isinstance(place, list):  # an item that is nothing but its key
        place.remove(_at(place, path[-1]))
    else:
        place[path[-1]] = altered(place[path[-1]])


def _at(place: Any, key: Any) -> Any:
    return {item.get(key[0]): item for item in place}[key[1]] if isinstance(place, list) else place[key]


def altered(value: Any) -> Any:
    """Another value of the same shape."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, dict):
        return {key: altered(each) for key, each in value.items()}
    if isinstance(value, list):
        return [altered(each) for each in value]
    return value + (1 if isinstance(value, int) else "x")


def alter_all(sim: Sim, ref: Ref) -> None:
    """Every field, one after the other."""
    for path in fields(sim, ref):
        alter(sim, ref, path)


def strip(*names: str) -> Hand:
    """Take parts of the metadata away."""

    def act(sim: Sim, ref: Ref) -> None:
        edit(sim, ref, lambda live: [live["metadata"].pop(name, None) for name in names] and None)

    return act


def add(sim: Sim, ref: Ref) -> None:
    """Fields of somebody's own, beside ours."""

    def change(live: Object) -> None:
        for name in THEIRS:
            live["metadata"][name] = (live["metadata"].get(name) or {}) | KEPT
        if "spec" in live:
            live["spec"] |= KEPT

    edit(sim, ref, change)


def lead_elsewhere(sim: Sim, ref: Ref) -> None:
    """The label names another ModelDeployment."""
    edit(sim, ref, lambda live: live["metadata"]["labels"].update({LABEL_NAME: "other"}))


def squat(**metadata: Any) -> Hand:
    """Delete it and make it anew with the same content, as from a backup, and with this metadata."""

    def act(sim: Sim, ref: Ref) -> None:
        live = sim.store.get(*ref)
        assert live
        made = {key: value for key, value in live.items() if key not in ("metadata", "status")}
        meta = {"name": ref[2], "namespace": ref[1]} | metadata
        if metadata.get("ownerReferences"):
            meta["ownerReferences"] = [_somebody(sim)]
        sim.store.delete(*ref)
        sim.store.create(copied(made | {"metadata": meta}), HAND)

    return act


def _somebody(sim: Sim) -> Object:
    """Another controller."""
    meta = {"name": "somebody", "namespace": "ml"}
    made = sim.store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}}, HAND)
    uid = made["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": uid, "controller": True}


def hand_over(sim: Sim, ref: Ref) -> None:
    """`kubectl label KIND NAME penstock.dev/name=churn`, as the condition says."""
    edit(sim, ref, lambda live: live["metadata"].setdefault("labels", {}).update({LABEL_NAME: "churn"}))


DEEDS: dict[str, Deed] = {
    "deleted": Deed(delete),
    "altered": Deed(alter_all),
    "unlabelled": Deed(strip("labels")),
    "led elsewhere": Deed(lead_elsewhere),
    "disowned": Deed(strip("ownerReferences")),
    "unstamped": Deed(strip("annotations")),
    "added to": Deed(add, keeps=True, writes=0),
    "orphaned": Deed(strip("labels", "ownerReferences"), hand_over),
    "squatted": Deed(squat(), delete),
    "squatted by a controller": Deed(squat(labels={LABEL_NAME: "churn"}, ownerReferences=True), delete),
    "squatted and given": Deed(squat(labels={LABEL_NAME: "churn"}), writes=3),
}
