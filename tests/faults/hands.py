"""What somebody does to an object of ours before a real API server: the deeds of `tests/sim/deeds.py`, by requests.

Who owns which field is read from managedFields, as the API server keeps it.
"""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.kinds import KINDS
from penstock.model.names import LABEL_NAME
from penstock.shell.kube import FIELD_MANAGER
from tests.fake.store import Ref
from tests.faults.ends import CHILDREN, GIVEN, child, differences
from tests.faults.scene import Scene
from tests.sim.deeds import KEPT, THEIRS, alter_at, is_ours

Object = dict[str, Any]
Deed = Callable[["Hand"], Awaitable[Any]]
Path = tuple[Any, ...]
MEND = 30.0  # seconds; it only ends a failed test
STILL = 1.0


async def owned(scene: Scene) -> list[Object]:
    """All that the ModelDeployment controls."""
    uid = (await scene.live())["metadata"]["uid"]
    every = [one for kind in CHILDREN for one in await scene.children(kind)]
    return [one for one in every if any(ref["uid"] == uid for ref in one["metadata"].get("ownerReferences") or [])]


def fields(ref: Ref, live: Object) -> Iterator[Path]:
    """Every field that the operator has set, with items of lists by their keys."""
    for entry in live["metadata"]["managedFields"]:
        if entry["manager"] == FIELD_MANAGER and "subresource" not in entry:
            yield from (p for p in _leaves(entry["fieldsV1"]) if is_ours(ref, p))


def _leaves(tree: Object, at: Path = ()) -> Iterator[Path]:
    for key, below in tree.items():
        kind, _, word = key.partition(":")
        if kind == "f":
            yield from _leaves(below, (*at, word)) if set(below) - {"."} else [(*at, word)]
        elif kind == "k":
            yield from _leaves(below, (*at, next(iter(json.loads(word).items()))))


@dataclass
class Hand:
    """Somebody in one scene, and one object as it was before."""

    scene: Scene
    before: Object

    @property
    def ref(self) -> Ref:
        """Kind, namespace and name."""
        return self.before["kind"], self.scene.namespace, self.before["metadata"]["name"]

    async def get(self) -> Object | None:
        """The object now."""
        return await self.scene.house.kube.get(*self.ref)

    async def edit(self, change: Callable[[Object], Any]) -> bool:
        """`kubectl edit`; False where the API server does not let it be."""
        while True:
            live = await self.get()
            assert live, self.ref
            now = json.loads(json.dumps(live))
            change(now)
            try:
                await self.scene.house.kube.edit(live, list(_edits(live, now)))
            except Stale:
                continue
            except (Rejected, Retry):  # a field that never changes, or a value that cannot even be read
                return False
            return True

    async def delete(self) -> None:
        """`kubectl delete`."""
        live = await self.get()
        if live:
            await self.scene.house.kube.delete(*self.ref, live["metadata"]["uid"])

    async def squat(self, **metadata: Any) -> None:
        """Another one in its place, before anybody looks."""
        made = {key: value for key, value in self.before.items() if key not in ("metadata", "status")}
        if "spec" in made:
            made["spec"] = {key: value for key, value in made["spec"].items() if key not in GIVEN}
        meta = {"name": self.ref[2], "namespace": self.ref[1]} | metadata
        if metadata.get("ownerReferences"):
            meta["ownerReferences"] = [await self._somebody()]
        self.scene.operator.signal(signal.SIGSTOP)
        try:
            await self.delete()
            await self.scene.house.kube.create(made | {"metadata": meta})
        finally:
            self.scene.operator.signal(signal.SIGCONT)

    async def _somebody(self) -> Object:
        meta = {"name": "somebody", "namespace": self.scene.namespace}
        made = await self.scene.house.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        uid = made["metadata"]["uid"]
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": uid, "controller": True}

    async def mended(self) -> list[str]:
        """Once it is as before; else what is not."""
        end, wrong = time.monotonic() + MEND, ["is gone"]
        while wrong and time.monotonic() < end:
            live = await self.get()
            wrong = differences(child(self.before), _child(live)) if live else ["is gone"]
            await asyncio.sleep(0.05)
        return wrong

    def writes(self, since: int) -> list[str]:
        """What the operator wrote of it, from that place in the log on."""
        place = (KINDS[self.ref[0]].plural, self.ref[2])
        log = self.scene.proxy.log[since:]
        return [one.where for one in log if one.number and (one.place.resource, one.place.name) == place]


def _edits(live: Object, now: Object) -> Iterator[Object]:
    """As a JSON Patch: whoever puts a whole ControllerRevision spells its data otherwise, which is refused."""
    for key in ("metadata", *(set(live) - {"metadata"})):
        was, at = (live[key], now[key]) if isinstance(live[key], dict) else ({key: live[key]}, {key: now[key]})
        where = f"/{key}" if isinstance(live[key], dict) else ""
        for name in {*was, *at}:
            if was.get(name) != at.get(name):
                path = f"{where}/{name}"
                yield {"op": "add", "path": path, "value": at[name]} if name in at else {"op": "remove", "path": path}


def _child(live: Object) -> Object:
    """Without what somebody added."""
    for place in (live["metadata"].get("labels") or {}, live["metadata"].get("annotations") or {}):
        place.pop("team", None)
    return child(live)


def _strip(*names: str) -> Deed:
    return lambda hand: hand.edit(lambda live: [live["metadata"].pop(name, None) for name in names])


def _squat(**metadata: Any) -> Deed:
    return lambda hand: hand.squat(**metadata)


def _label(**words: str) -> Deed:
    def change(live: Object) -> None:
        live["metadata"]["labels"] = (live["metadata"].get("labels") or {}) | {LABEL_NAME: words["name"]}

    return lambda hand: hand.edit(change)


async def _add(hand: Hand) -> None:
    def change(live: Object) -> None:
        for name in THEIRS:
            live["metadata"][name] = (live["metadata"].get(name) or {}) | KEPT

    await hand.edit(change)


@dataclass(frozen=True)
class Case:
    """What is done, what a person does about it, and how many writes of the object mend it."""

    do: Deed
    undo: Deed | None = None
    writes: int = 1


CHURN = {LABEL_NAME: "churn"}
CASES: dict[str, Case] = {
    "deleted": Case(Hand.delete),
    "unlabelled": Case(_strip("labels"), writes=2),  # the first is refused: what is not seen is made (decision 28)
    "led elsewhere": Case(_label(name="other"), writes=2),
    "disowned": Case(_strip("ownerReferences")),
    "unstamped": Case(_strip("annotations")),
    "added to": Case(_add, writes=0),
    "orphaned": Case(_strip("labels", "ownerReferences"), _label(name="churn")),
    "squatted": Case(_squat(), Hand.delete),
    "squatted by a controller": Case(_squat(labels=CHURN, ownerReferences=True), Hand.delete),
    "squatted and given": Case(_squat(labels=CHURN), writes=4),
}


async def told(hand: Hand, name: str) -> list[str]:
    """One deed, and what is wrong with what came of it."""
    case, since, wrong = CASES[name], len(hand.scene.proxy.log), []
    if name == "squatted and given" and hand.ref[0] == "ControllerRevision":  # its data never changes, nor its spelling
        case = Case(case.do, Hand.delete)
    assert await case.do(hand) is not False, f"{hand.ref} {name}: the API server refuses it"
    if case.undo:
        words = f"{hand.ref[0]} {hand.ref[2]}"
        await hand.scene.until(lambda status: _says(status, words), MEND)
        await case.undo(hand)
    wrong += await hand.mended()
    await hand.scene.quiet(STILL)
    wrong += await hand.mended()
    wrote = hand.writes(since)
    if not case.undo and len(wrote) > case.writes + 2 * (
        hand.ref[0] == "Deployment"
    ):  # its number; while it is counted
        wrong.append(f"{len(wrote)} writes")
    return [f"{hand.ref[0]} {hand.ref[2]} {name}: {line}" for line in wrong]


async def altered(hand: Hand) -> list[str]:
    """Each field that is ours, one after the other, until it is as it was."""
    wrong, since, count = [], len(hand.scene.proxy.log), 0
    for path in list(fields(hand.ref, hand.before)):
        with suppress(LookupError):
            count += await hand.edit(lambda live, path=path: alter_at(live, path))  # type: ignore[misc]
            wrong += [f"{path}: {line}" for line in await hand.mended()]
    await hand.scene.quiet(STILL)
    wrote = hand.writes(since)
    if len(wrote) > 1 + count * (1 + (hand.ref[0] == "Deployment")):  # one is refused: without its label it is not seen
        wrong.append(f"{len(wrote)} writes mend {count} edits")
    return [f"{hand.ref[0]} {hand.ref[2]} altered: {line}" for line in wrong]


def _says(status: Object, words: str) -> bool:
    """A conflict that names it."""
    found = [one for one in status.get("conditions", []) if one["type"] == "Ready" and one["reason"] == "Conflict"]
    return bool(found) and words in found[0]["message"]
