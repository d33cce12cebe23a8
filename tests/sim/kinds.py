"""Somebody lays hands on one object of ours, in one phase: what must come of it.

The undisturbed story of a phase says how it ends; nobody has to say what is right. Whatever is done, the end is that
one, and then nothing is written. Where the operator may not mend it, a condition names the object and what to do, and
once that is done the end is the same.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from penstock.shell.cache import WATCHED
from penstock.shell.projection import FOLLOWING
from tests.fake.clock import run
from tests.fake.store import Ref
from tests.faults.ends import child, differences, plain
from tests.sim.deeds import DEEDS, KEPT, THEIRS, Deed, Hand
from tests.sim.machine import Object, Sim
from tests.sim.phases import PATIENCE, PHASES, Phase, Says, reach, status_of, why

OWNED = frozenset(WATCHED) - frozenset(FOLLOWING)  # the kinds that can be ours
STILL = 30.0  # seconds
HELD = 25.0  # seconds in which what stands in our way stays
IN_TWO = {  # in which phases, of a kind
    "Deployment": tuple(PHASES),  # the number of pods first, where an autoscaler has it
    "HTTPRoute": ("rich", "previewed", "sticky"),  # guarded: born shut; before users are drawn: their place
    "EnvoyExtensionPolicy": ("rich",),  # for the sink's route first
}
REVISION = re.compile(r"churn-[0-9a-f]{10}")
STATUS = ("sleep", "cost")  # they tell of the way: how it was woken, for how long pods were there


@dataclass
class Tale:
    """How a story ended."""

    end: Object = field(default_factory=dict)
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)  # that landed since the deed, by kind and name
    wrong: list[str] = field(default_factory=list)
    targets: tuple[Ref, ...] = ()
    gone: tuple[str, ...] = ()  # revisions that were about to go


def ours(sim: Sim) -> list[Ref]:
    """Objects that the ModelDeployment controls."""
    live = sim.store.get("ModelDeployment", "ml", "churn")
    uid = live["metadata"]["uid"] if live else ""
    owned = ((ref, entry.live["metadata"].get("ownerReferences") or []) for ref, entry in sim.store.entries.items())
    return sorted(ref for ref, owners in owned if any(one["uid"] == uid for one in owners) and ref[0] in OWNED)


@cache
def undisturbed(phase: str) -> Tale:
    """How the phase ends where nobody does anything, and what is there to be disturbed."""
    tale = run(_told(PHASES[phase], None))
    assert not tale.wrong, (phase, tale.wrong)
    return tale


def disturbed(phase: str, deed: str, ref: Ref) -> list[str]:
    """What is wrong with the end of a story in which this is done to that object."""
    golden, what = undisturbed(phase), DEEDS[deed]
    tale = run(_told(PHASES[phase], (what, ref)))
    wrong = [*tale.wrong, *differences(_remade(golden.end, ref), _remade(tale.end, ref))]
    usual, wrote = golden.writes[ref[0], ref[2]], tale.writes[ref[0], ref[2]]
    if not what.undo and wrote > usual + _most(phase, what, ref):
        wrong.append(f"written {wrote} times, undisturbed {usual}")
    return [f"{phase}: {ref[0]} {ref[2]} {deed}: {line}" for line in wrong]


def razed(phase: str) -> list[str]:
    """What is wrong with the end of a story in which all objects are deleted at once.

    The record of a revision that was about to go, and now has no pods, is gone with it.
    """
    golden = undisturbed(phase)
    tale = run(_told(PHASES[phase], (Deed(_raze), golden.targets[0])))
    found = [*tale.wrong, *differences(golden.end, tale.end)]
    old = tuple(f".ControllerRevision {name}: " for name in golden.gone)
    return [f"{phase}: {line}" for line in found if not line.startswith(old)]


def _raze(sim: Sim, _: Ref) -> None:
    for ref in ours(sim):
        sim.store.delete(*ref)


def _most(phase: str, what: Deed, ref: Ref) -> int:
    """Writes that mend one object: some kinds come about in two of them."""
    return 0 if PHASES[phase].ends else what.writes + (phase.split(",")[0] in IN_TWO.get(ref[0], ()))


def _remade(end: Object, ref: Ref) -> Object:
    """Without the record of a revision that has no more pods: it is there for undo, and nobody can make it anew."""
    used = [(end["status"].get(role) or {}).get("revision") for role in ("stable", "candidate")]
    old = ref[0] == "ControllerRevision" and ref[2] not in used
    return {key: value for key, value in end.items() if not old or key != f"{ref[0]} {ref[2]}"}


async def _told(phase: Phase, done: tuple[Deed, Ref] | None) -> Tale:
    tale = Tale()
    sim = await reach(phase)
    tale.targets = tuple(ours(sim))
    tale.gone = tuple(gone["revision"] for gone in status_of(sim).get("leaving", []))
    before, stale = len(sim.kube.writes), len(sim.kube.stale)
    if done:
        done[0].do(sim, done[1])
    await sim.run(HELD)
    if done and done[0].undo:
        tale.wrong += _helped(sim, done[0].undo, done[1]) if _is_needed(sim, phase, done[1]) else ()
    phase.resume(sim)
    tale.wrong += await _rested(sim, phase.rests)
    tale.writes = Counter((kind, name) for _, kind, name in sim.kube.writes[before:])
    tale.writes -= Counter((kind, name) for _, kind, name in sim.kube.stale[stale:])
    if done and done[0].keeps:
        tale.wrong += _taken_away(sim, done[1])
    tale.end = end(sim)
    return tale


async def _rested(sim: Sim, rests: Says) -> list[str]:
    """Once all is over and nothing was written for a while; a complaint where that never comes."""
    still, wrote = 0.0, len(sim.kube.writes)
    for _ in range(int(PATIENCE / 5)):
        await sim.run(5)
        status = status_of(sim)
        busy = status.get("candidate") or status.get("leaving") or why("Conflict")(status) or not rests(status)
        still = 0.0 if busy or len(sim.kube.writes) > wrote else still + 5
        wrote = len(sim.kube.writes)
        if still >= STILL:
            break
    else:
        return [f"never still: {sim.kube.writes[-6:]} {ready(status_of(sim))}"]
    ear: Any = getattr(sim, "ear", None)
    return list(ear.bugs) if ear else []


def ready(status: Object) -> Object:
    """The condition Ready."""
    return next((one for one in status.get("conditions", []) if one["type"] == "Ready"), {})


def _is_needed(sim: Sim, phase: Phase, ref: Ref) -> bool:
    """Whether the model still wants the object: it stays, and what has pods is still of that revision."""
    mine = any(ref[2].startswith(name) for name in _used(status_of(sim)))
    return not phase.ends and (mine or not REVISION.match(ref[2]))


def _helped(sim: Sim, undo: Hand, ref: Ref) -> Iterator[str]:
    """The condition names what stands in the way, and what to do; somebody does it."""
    said = ready(status_of(sim))
    if said.get("reason") != "Conflict" or f"{ref[0]} {ref[2]}" not in said["message"]:
        yield f"is not told: {said}"
    undo(sim, ref)


def _used(status: Object) -> list[str]:
    """Revisions that have pods."""
    sides = [status.get("stable"), status.get("candidate"), *status.get("leaving", [])]
    return [side["revision"] for side in sides if side]


def _taken_away(sim: Sim, ref: Ref) -> Iterator[str]:
    live = sim.store.get(*ref)
    places = [*(live["metadata"].get(name) or {} for name in THEIRS), live.get("spec", KEPT)] if live else []
    if not all(KEPT.items() <= place.items() for place in places):
        yield "what somebody added is gone"


def end(sim: Sim) -> Object:
    """Every object that is ours, and the status, without times, identities and what somebody added."""
    found = {f"{ref[0]} {ref[2]}": child(_ours_of(sim.store.get(*ref) or {})) for ref in ours(sim)}
    status = {key: value for key, value in status_of(sim).items() if key not in STATUS}
    return found | {"status": plain(status)}


def _ours_of(live: Object) -> Object:
    for place in (live["metadata"].get("labels"), live["metadata"].get("annotations"), live.get("spec")):
        for key in KEPT if place else ():
            place.pop(key, None)
    return live
