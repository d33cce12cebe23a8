"""Small worlds for the machine: every combination of what matters, built by values. No law is written here.

v1 is stable, v2 is tried, v3 is another. A family is a product over a few dimensions, the rest being ordinary; together
the families hold each dimension against those that it can meet in one move.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Evidence, Serving, Side, Status, StepKind, Trying, VerdictName
from penstock.core import measures, strategy
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.measure import Answer, Counts, Silence
from penstock.model.reasons import Reason
from penstock.model.schedule import LAG, spell
from penstock.model.values import Problem, RouteSeen, Snapshot, Workload, World
from tests.sim.machine import RUNTIME, model

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = RuntimeSpec.model_validate(RUNTIME["spec"])

SHADOW = {"percent": 50, "duration": "20s"}
COHORT = {"match": [{"header": "x-cohort", "value": "beta"}], "duration": "20s"}
LEADS = {"groups": ["leads", "owners"], "minApprovals": 2, "maxAge": "1h", "onTimeout": "Abort"}
CANARY = {"steps": [{"weight": 25, "duration": "30s", "approval": LEADS}]}
PREVIEW = {"duration": "10s", "approval": {"minApprovals": 1}, "previewAnalysis": "Require"}
BAKE = {"duration": "60s"}
PLANS: dict[str, dict[str, Any]] = {
    "walk": {"shadow": SHADOW, "abTest": COHORT, "canary": CANARY, "bake": BAKE},
    "preview": {"blueGreen": PREVIEW, "bake": BAKE | {"onBreach": "Notify"}},
    "plain": {"canary": {"steps": [{"weight": 50, "duration": "30s"}]}},
    "service": {"blueGreen": PREVIEW, "bake": BAKE},
    "replace": {"canary": {"steps": [{"weight": 50, "duration": "30s"}]}, "bake": BAKE, "capacityPolicy": "Replace"},
}
FREEZE: dict[str, Any] = {"freeze": [{"from": "2026-11-20", "to": "2026-11-22"}]}


@cache
def spec(version: str, plan: str = "walk", extra: str = "") -> Spec:
    """The wish for a version; extra is `frozen`, `refuse`, `window`, or what follows when nobody approves."""
    rollout: dict[str, Any] = {"deadline": "3m", "scaleDownDelay": "20s"} | PLANS[plan]
    if extra in ("Wait", "Abort", "Promote"):
        asked = LEADS | {"onTimeout": extra}
        rollout |= {"canary": {"steps": [{"weight": 25, "duration": "30s", "approval": asked}]}}
    rollout |= FREEZE if extra == "frozen" else {}
    rollout |= {"capacityPolicy": "Refuse"} if extra == "refuse" else {}
    rollout |= {"rollbackWindow": "1h"} if extra == "window" else {}
    wish = model(version, rollout=rollout)["spec"]
    if plan == "service":
        del wish["traffic"]
    return Spec.model_validate(wish)


def bare(version: str, plan: str = "walk", extra: str = "") -> World:
    """A world that asks for a version and has seen nothing."""
    return World(NOW, "ml", "churn", "uid-1", 3, spec(version, plan, extra), Status(), runtime=("mlserver", RULES))


V1, V2, V3 = (wanted_revision(bare(v)) for v in ("v1", "v2", "v3"))
NAMES = {"v1": V1, "v2": V2, "v3": V3}
VERSIONS = {name: version for version, name in NAMES.items()}


def _snapshot(version: str) -> Snapshot:
    made = make_snapshot(bare(version))
    assert isinstance(made, Snapshot)
    return replace(made, number=int(version[1:]))


SNAPSHOTS = {NAMES[v]: _snapshot(v) for v in NAMES}
OWNED = frozenset((kind, name) for kind in ("Deployment", "Service", "ControllerRevision") for name in SNAPSHOTS)
STABLE = Serving(revision=V1, version="v1", weight=100)
PROBLEM = Problem(Reason.RUNTIME_NOT_FOUND, "no ModelRuntime mlserver")


def ago(age: float) -> str:
    """A time before now, as status spells it."""
    return spell(NOW - timedelta(seconds=age))


@dataclass(frozen=True)
class Clock:
    """How long ago the step began and had its share, and how far its deadline is; None where there is none."""

    began: float
    shifted: float | None
    left: float | None


CLOCKS = {
    "new": Clock(2, None, 178),
    "inside": Clock(7, 5, 200),
    "over": Clock(102, 100, 100),
    "late": Clock(402, 400, -20),
    "never": Clock(402, None, -20),
    "stands": Clock(402, 400, None),
}

GOOD, BAD = Counts(0, 1000, 1, 9000), Counts(90, 100, 0, 900)
# what was known before, and what the metrics answer now
FINDINGS: tuple[tuple[str, dict[int, Answer]], ...] = (
    ("none", {}),
    ("none", {0: GOOD, 1: GOOD}),
    ("none", {0: BAD, 1: Silence("dead")}),
    ("pass", {}),
    ("pass", {0: Silence("dead")}),
    ("short", {}),
    ("wait", {}),
    ("fail", {}),
)


def metrics() -> list[str]:
    """What is judged in every plan."""
    judged = spec("v1").analysis
    assert judged
    return [measures.title(metric) for metric in judged.metrics]


def known(what: str, step_began: float) -> list[Evidence]:
    """Evidence of both metrics: passed, passed but not to the end of the step, open, or failed (one of them)."""
    if what == "none":
        return []
    read = NOW - LAG if what != "short" else NOW - timedelta(seconds=step_began - 1)
    say = {"wait": VerdictName.WAIT, "fail": VerdictName.FAIL}.get(what, VerdictName.PASS)
    passed = VerdictName.PASS if what == "fail" else say
    side = Side(bad=1, total=99)
    both = zip(metrics(), (say, passed), strict=True)
    return [
        Evidence(metric=m, candidate=side, step_requests=99, looked_at=spell(read), verdict=v, odds="1.5", limit="40.0")
        for m, v in both
    ]


@cache
def pinned(plan: str, first: bool = False, extra: str = "") -> tuple[Any, ...]:
    """The plan as a rollout pins it."""
    world = replace(bare("v2", plan, extra), status=Status() if first else Status(stable=STABLE))
    return tuple(strategy.pin(world, direct=False))


STEPS = [(plan, number) for plan in PLANS for number in range(len(pinned(plan)))]


def trying(plan: str, number: int, clock: Clock, what: str = "none", **more: Any) -> Trying:
    """v2 in a step of its plan."""
    steps = list(pinned(plan, more.pop("first", False), more.pop("extra", "")))
    deadline = None if clock.left is None else spell(NOW + timedelta(seconds=clock.left))
    shown = None if clock.shifted is None else ago(clock.shifted)
    usual = {"revision": V2, "version": "v2", "stable_replicas": 2, "weight": steps[number].weight if shown else 0}
    return Trying.model_validate(
        usual
        | {
            "steps": steps,
            "step": number,
            "started_at": ago(clock.began + 60),
            "step_started_at": ago(clock.began),
            "exposed_at": shown,
            "shifted_at": shown,
            "deadline_at": deadline,
            "evidence": known(what, clock.began),
            "replaces": plan == "replace",
        }
        | more
    )


def as_planned(plan: str, number: int, programmed: bool = True, message: str = "") -> RouteSeen:
    """The route as the step wants it."""
    step = pinned(plan)[number]
    if plan == "service":
        return RouteSeen({V2 if step.kind in (StepKind.FULL, StepKind.BAKE) else V1: 100}, programmed=True)
    return RouteSeen(
        {V1: 100 - step.weight, V2: step.weight},
        programmed,
        message,
        cohort=V2 if step.match else "",
        mirror=(V2, step.mirror) if step.mirror else None,
    )


def routes(plan: str, number: int) -> list[RouteSeen | None]:
    """What the route may say in a step: nothing, the home's, the step's, refused, everything to the candidate."""
    if plan == "service":
        return [None, RouteSeen({V1: 100}, True), RouteSeen({V2: 100}, True)]
    step = pinned(plan)[number]
    everything = [] if step.weight == 100 else [RouteSeen({V1: 0, V2: 100}, True)]
    home = [RouteSeen({V1: 100, V2: 0}, True)]
    refused = as_planned(plan, number, False, "the gateway says no")
    return [None, *home, as_planned(plan, number), refused, *everything]


READY = ((0, 2), (1, 2), (2, 2), (2, 0), (0, 0))


def pods(mine: int, home: int, other: int = 0) -> dict[str, Workload]:
    """Ready pods of v2, v1 and v3."""
    return {V1: Workload(2, home), V2: Workload(2, mine), V3: Workload(2, other)}


HOLDS: dict[str, dict[str, Any]] = {
    "free": {},
    "paused": {"annotations": {"pause": "true"}},
    "frozen": {},
}


def held(world: World, hold: str, plan: str = "walk", extra: str = "") -> World:
    """The world while a person or the calendar holds it."""
    assert world.spec
    if hold == "frozen":
        return replace(world, spec=spec(world.spec.model.version, plan, "frozen"))
    return replace(world, **HOLDS[hold]) if hold == "paused" else world


@cache
def usual(version: str, plan: str, extra: str = "") -> World:
    """A world in which all objects are there, the route is at home and all pods are ready."""
    return replace(
        bare(version, plan, extra),
        snapshots=SNAPSHOTS,
        owned=OWNED,
        route=RouteSeen({V1: 100}, True),
        workloads=pods(2, 2, 2),
    )


def walks() -> Iterator[World]:
    """A candidate in every step of every plan: route, pods, clock, evidence, answers, holds."""
    for (plan, number), clock, (what, answers) in product(STEPS, CLOCKS.values(), FINDINGS):
        if clock.shifted is None and (answers or what in ("pass", "short")):
            continue  # before its share was seen nothing is read
        status = Status(stable=STABLE, candidate=trying(plan, number, clock, what))
        for route, (mine, home), hold in product(routes(plan, number), READY, HOLDS):
            if hold == "frozen" and clock in (CLOCKS["new"], CLOCKS["inside"]):
                continue  # as a pause, while the step's own time runs
            seen = replace(usual("v2", plan), status=status, route=route, workloads=pods(mine, home), answers=answers)
            yield held(seen, hold, plan)
