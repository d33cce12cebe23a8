"""The other families of small worlds: what people ask for, who agrees, what the spec wants, nothing tried."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from penstock.api.condition import ConditionStatus, SeenShare
from penstock.api.status import Acted, Approved, Ended, Leaving, Refused, Status, StepKind
from penstock.model.room import Room
from penstock.model.values import RouteSeen, World
from tests.unit.worlds import (
    CLOCKS,
    HOLDS,
    OWNED,
    PROBLEM,
    READY,
    STABLE,
    STEPS,
    V1,
    V2,
    V3,
    ago,
    as_planned,
    bare,
    held,
    pinned,
    pods,
    trying,
    usual,
    walks,
)

NAMING = ("abort", "undo", "retry", "approve", "skip", "promote", "promote-full")
VALUES = (V2, V1, V3, "churn-0000000000", "?" * 300, f"{V2}/1", f"{V2}/3", f"{V2}/99", f"{V2}/x")
REJECTED = {
    name: Refused(revision=name, version=version, reason="NeverReady", at=ago(500), message="0 of 2 pods ready")
    for name, version in ((V2, "v2"), (V3, "v3"))
}


def asked() -> Iterator[dict[str, str]]:
    """Annotations: each action with each kind of value, and those that meet."""
    yield from ({action: value} for action, value in product(NAMING, VALUES))
    yield from ({"pause": word} for word in ("true", "yes"))
    for going in ("promote", "promote-full", "approve", "skip"):
        yield {"abort": V2, going: V2}
        yield {"pause": "true", going: V2}
    yield {"abort": V2, "undo": V3}
    yield {"undo": V1, "promote-full": V2}
    yield {"retry": V3, "undo": V3}


def taken(annotations: dict[str, str]) -> list[Acted]:
    """The same, when it was taken up before."""
    return [Acted(action=k, value=v[:256], by="alice", at=ago(30)) for k, v in annotations.items()]


def people() -> Iterator[World]:
    """Each action in every step, new and taken up, free and frozen, inside the step's time and after it."""
    who = {"requested-by": "alice", "requested-groups": "leads"}
    whom = [(step, clock) for step in STEPS for clock in ("inside", "over")]
    for ((plan, number), clock), annotations in product(whom, list(asked())):
        candidate = trying(plan, number, CLOCKS[clock], "pass")
        for old, hold, away in product((False, True), ("free", "frozen"), (False, True)):
            before = taken(annotations) if old else []
            status = Status(stable=STABLE, candidate=candidate, rejected=[REJECTED[V3]], acted=before)
            route = None if away else as_planned(plan, number)
            seen = replace(usual("v2", plan), status=status, route=route, annotations=annotations | who)
            yield held(seen, hold, plan)


def people_alone() -> Iterator[World]:
    """Each action where nothing is tried, or nothing but the first revision ever."""
    first = trying("walk", 0, CLOCKS["inside"], first=True)
    statuses = (Status(), Status(candidate=first), *(Status(stable=STABLE, rejected=r) for r in rejections()))
    for status, wanted, annotations, hold in product(statuses, ("v1", "v2"), list(asked()), HOLDS):
        for old, problem in product((False, True), (None, PROBLEM)):
            acted = status.model_copy(update={"acted": taken(annotations) if old else []})
            seen = replace(usual(wanted, "walk"), status=acted, problem=problem)
            seen = seen if status.stable else replace(seen, route=None, owned=frozenset())
            yield replace(seen, annotations=held(seen, hold).annotations | annotations, spec=held(seen, hold).spec)


def rejections() -> list[list[Refused]]:
    """Nobody, v2, or v3 was taken off before."""
    return [[], [REJECTED[V2]], [REJECTED[V3]]]


GIVEN = {
    "nobody": [],
    "one": [("ann", "leads")],
    "twice the same": [("ann", "leads"), ("ann", "owners")],
    "of another group": [("ann", "leads"), ("bob", "staff")],
    "two": [("ann", "leads"), ("bob", "owners")],
}


def approvals() -> Iterator[World]:
    """A step that asks: who has agreed, to which step, for how long it has asked, what follows, what else holds."""
    for then, (given, off), age in product(("Wait", "Abort", "Promote"), _agreements(), (None, 60, 7200)):
        for clock, what, hold in product(("over", "late", "stands"), ("pass", "short", "fail"), HOLDS):
            agreed = [Approved(step=3 + off, by=by, groups=[group], at=ago(50)) for by, group in GIVEN[given]]
            more: dict[str, Any] = {"approvals": agreed, "cleared_at": None if age is None else ago(age)}
            candidate = trying("walk", 2, CLOCKS[clock], what, extra=then, **more)
            status = Status(stable=STABLE, candidate=candidate)
            for mine in (1, 0):
                seen = replace(usual("v2", "walk", then), status=status, workloads=pods(mine, 2))
                yield held(replace(seen, route=as_planned("walk", 2)), hold, extra=then)


def _agreements() -> list[tuple[str, int]]:
    return [*((given, 0) for given in GIVEN), ("two", 1)]


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "undo": {"undo_by": "zoe"},
    "forced": {"forced_by": "eve"},
    "waived": {},
    "skips": {},
}


def kind_of(kind: str, plan: str, number: int) -> dict[str, Any]:
    """What is special about a candidate of this kind; the step that gives everything is never skipped."""
    rest = [n for n, step in enumerate(pinned(plan)) if n > number and step.kind is not StepKind.FULL]
    special: dict[str, dict[str, Any]] = {"waived": {"waived": number}, "skips": {"skipped": rest}}
    return KINDS[kind] | special.get(kind, {})


def wishes() -> Iterator[World]:
    """The spec asks for the one that is tried, for the stable one, for a third; with every kind of candidate."""
    for (plan, number), kind, clock in product(STEPS, KINDS, ("inside", "over", "late")):
        more = kind_of(kind, plan, number)
        for what, refused in product(("pass", "fail"), rejections()):
            candidate = trying(plan, number, CLOCKS[clock], what, **more)
            if REJECTED[V2] in refused:
                continue
            status = Status(stable=STABLE, candidate=candidate, rejected=refused)
            for wanted, problem, mine in product(("v1", "v2", "v3"), (None, PROBLEM), (2, 0)):
                route = as_planned(plan, number)
                seen = replace(usual(wanted, plan), status=status, route=route, workloads=pods(mine, 2))
                yield replace(seen, problem=problem)


def firsts() -> Iterator[World]:
    """The first revision ever: no stable one to go back to, whatever happens to it."""
    for plan, clock, what, hold in product(("walk", "preview", "service"), CLOCKS.values(), ("none", "fail"), HOLDS):
        status = Status(candidate=trying(plan, 0, clock, what, first=True))
        for route, mine, wanted in product(first_routes(plan), (0, 1, 2), ("v2", "v3")):
            for problem in (None, PROBLEM):
                seen = replace(usual(wanted, plan), status=status, route=route, workloads=pods(mine, 0))
                yield held(replace(seen, problem=problem), hold, plan)


def first_routes(plan: str) -> list[RouteSeen | None]:
    """Before and after the gateway has taken the first route."""
    return [None, RouteSeen({V2: 100}, True)] + ([] if plan == "service" else [RouteSeen({V2: 100}, False, "no")])


def memories() -> Iterator[Status]:
    """Status where nothing is tried: settled, after a rejection, with pods that leave."""
    promoted = [("v3", V3, 7200), ("v2", V2, 3600), ("v1", V1, 1200)]
    history = [
        Ended(revision=name, version=v, reason="Promoted", started_at=ago(age + 60), at=ago(age))
        for v, name, age in promoted
    ]
    for after, replaced, refused in product((20.0, -20.0, None), (False, True), rejections()):
        gone = [] if after is None else [Leaving(revision=V2, since=ago(5), after=ago(-after), replaced=replaced)]
        yield Status(stable=STABLE, rejected=refused, leaving=gone, history=history)


MET: list[RouteSeen | None] = [None, RouteSeen({V1: 100}, True), RouteSeen({V1: 100, V2: 0}, True)]
MET += [RouteSeen({V1: 50, V2: 50}, True), RouteSeen({V1: 100, V2: 0}, False), RouteSeen({V2: 100}, True)]


def lost() -> Iterator[World]:
    """All objects are there and status is empty: it was lost, or a former owner has left them."""
    for plan, wanted, route, (mine, home) in product(("walk", "plain"), ("v1", "v2", "v3"), MET, READY):
        for problem, hold in product((None, PROBLEM), HOLDS):
            made = replace(usual(wanted, plan), route=route, workloads=pods(mine, home, 1), problem=problem)
            yield held(made, hold, plan)


def quiet() -> Iterator[World]:
    """Nothing is tried: what is wanted, what was refused, what holds, what leaves, how much room there is."""
    few = frozenset(o for o in OWNED if o[1] == V1)
    extras = [("", None), ("refuse", Room((), ())), ("window", None)]
    for wanted, problem in product(("v1", "v2"), (None, PROBLEM)):
        yield replace(bare(wanted), problem=problem)
    for status, wanted, route, (mine, home) in product(memories(), ("v1", "v2", "v3"), MET, READY):
        for (extra, room), problem in product(extras, (None, PROBLEM)):
            made = replace(usual(wanted, "walk", extra), status=status, route=route, workloads=pods(mine, home, 1))
            made = replace(made, room=room, problem=problem, owned=few if home == 0 else OWNED)
            yield from (held(made, hold, extra=extra) for hold in (HOLDS if extra != "refuse" else ["free"]))


def brimming() -> Iterator[World]:
    """Every list of status is as long as the CRD allows, and one more is to be remembered."""
    crowd = [f"churn-{number:010d}" for number in range(64)]
    refused = [REJECTED[V3].model_copy(update={"revision": name}) for name in crowd[:20]]
    history = [Ended(revision=n, version="v0", reason="Promoted", started_at=ago(99), at=ago(98)) for n in crowd[:20]]
    leaving = [Leaving(revision=name, since=ago(99), after=ago(-9)) for name in crowd[:32]]
    agreed = [Approved(step=3, by=name, groups=["leads"], at=ago(50)) for name in crowd]
    for (plan, number), what, wanted in product(STEPS, ("pass", "fail"), ("v1", "v2", "v3")):
        candidate = trying(plan, number, CLOCKS["over"], what, approvals=agreed)
        full = Status(stable=STABLE, candidate=candidate, rejected=refused, history=history, leaving=leaving)
        for asked in ({}, {"abort": V2}, {"approve": f"{V2}/3", "requested-groups": "leads"}, {"undo": V1}):
            yield replace(usual(wanted, plan), status=full, route=as_planned(plan, number), annotations=asked)


def unseen() -> Iterator[World]:
    """The route is as planned, and the requests show another share, or the one asked for."""
    for (plan, number), clock, what, verified in product(STEPS, CLOCKS.values(), ("pass", "fail"), ConditionStatus):
        if not pinned(plan)[number].weight or clock.shifted is None:
            continue
        seen = SeenShare(since=ago(clock.shifted), verified=verified, range="3.1% to 4.0% of 2,113 requests")
        candidate = trying(plan, number, clock, what, seen=seen, observed_share="3.5%")
        status = Status(stable=STABLE, candidate=candidate)
        for wanted, (mine, home) in product(("v1", "v2"), READY[::2]):
            made = replace(usual(wanted, plan), status=status, route=as_planned(plan, number))
            made = replace(made, workloads=pods(mine, home))
            yield from (held(made, hold, plan) for hold in HOLDS)
            yield replace(made, annotations={"promote": V2, "requested-by": "alice"})


FAMILIES = {
    "walks": walks,
    "people": people,
    "people alone": people_alone,
    "approvals": approvals,
    "wishes": wishes,
    "firsts": firsts,
    "quiet": quiet,
    "lost": lost,
    "brimming": brimming,
    "unseen": unseen,
}
