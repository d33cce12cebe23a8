"""The machine, explored: every combination of a small world, held against the rules of the machine."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Evidence, Leaving, Refused, Serving, Side, Status, Trying, VerdictName
from penstock.core import evidence, strategy, traffic
from penstock.core.decide import EDGES, State, advance, state_of
from penstock.core.plan import decide
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Counts, Problem, RouteSeen, Silence, Snapshot, Workload, World
from tests.sim.machine import RUNTIME, model

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = RuntimeSpec.model_validate(RUNTIME["spec"])


def spec(version: str) -> Spec:
    return Spec.model_validate(model(version)["spec"])


def bare(version: str) -> World:
    """A world that asks for a version and has seen nothing."""
    return World(NOW, "ml", "churn", "uid-1", 3, spec(version), Status(), runtime=("mlserver", RULES))


NAMES = {v: wanted_revision(bare(v)) for v in ("v1", "v2", "v3")}
METRICS = [evidence.title(m) for m in (spec("v1").analysis or pytest.fail("no analysis")).metrics]


def snapshot(version: str) -> Snapshot:
    made = make_snapshot(bare(version))
    assert isinstance(made, Snapshot)
    return made


SNAPSHOTS = {NAMES[v]: snapshot(v) for v in NAMES}


STABLE = Serving(revision=NAMES["v1"], version="v1", weight=100)


def trying(step: int, age: float, verdict: VerdictName, first: bool = False) -> Trying:
    """v2 in a step that began `age` seconds ago."""
    began = NOW - timedelta(seconds=age)
    known = [
        Evidence(metric=m, candidate=Side(bad=1, total=99), step_requests=99, looked_at=spell(NOW), verdict=verdict)
        for m in METRICS
    ]
    return Trying(
        revision=NAMES["v2"],
        version="v2",
        steps=strategy.pin(replace(bare("v2"), status=Status() if first else Status(stable=STABLE)), direct=False),
        step=step,
        started_at=spell(began),
        step_started_at=spell(began),
        exposed_at=spell(began),
        shifted_at=spell(began),
        deadline_at=spell(began + timedelta(seconds=210)),
        evidence=known,
    )


GONE = Leaving(revision=NAMES["v3"], since=spell(NOW), after=spell(NOW + timedelta(seconds=5)))
REFUSED = Refused(revision=NAMES["v3"], version="v3", reason="NeverReady", at=spell(NOW))


def statuses() -> Iterator[Status]:
    yield Status()
    yield Status(candidate=trying(0, 5, VerdictName.WAIT, first=True))
    yield Status(stable=STABLE)
    yield Status(stable=STABLE, rejected=[REFUSED], leaving=[GONE])
    for step, age, verdict in itertools.product((0, 2, 3), (5, 60, 300), VerdictName):
        yield Status(stable=STABLE, candidate=trying(step, age, verdict), rejected=[REFUSED])


def routes() -> Iterator[RouteSeen | None]:
    yield None
    for share, programmed in itertools.product((0, 5, 50, 100), (True, False)):
        complaint = "no controller" if not programmed and share == 5 else ""
        yield RouteSeen({NAMES["v1"]: 100 - share, NAMES["v2"]: share}, programmed, complaint)


ANSWERS = (
    {},
    {0: Counts(0, 100, 1, 900), 1: Counts(0, 100, 1, 900)},
    {0: Counts(90, 100), 1: Counts(90, 100, 0, 900)},
    {0: Silence("dead")},
)
PROBLEM = Problem(Reason.RUNTIME_NOT_FOUND, "no ModelRuntime mlserver")


def worlds() -> Iterator[World]:
    """Some tens of thousands of small worlds."""
    ready = itertools.product((0, 2), (0, 2))
    for status, wanted, (mine, home), route in itertools.product(statuses(), NAMES, list(ready), list(routes())):
        for answers, problem in itertools.product(ANSWERS, (None, PROBLEM)):
            yield replace(
                bare(wanted),
                status=status,
                route=route,
                answers=answers if status.candidate else {},
                problem=problem,
                snapshots=SNAPSHOTS,
                workloads={NAMES["v1"]: Workload(2, home), NAMES["v2"]: Workload(2, mine)},
                owned=frozenset((kind, NAMES[v]) for kind in ("Deployment", "Service") for v in ("v1", "v2", "v3")),
            )


def test_every_small_world_is_decided_by_the_rules() -> None:
    reached = set()
    for count, world in enumerate(worlds()):
        plan = decide(world)
        holds(world, plan.status)
        reached.add(state_of(world, plan.status))
        if count % 50 == 0:
            assert decide(world) == plan, "the same world was decided in two ways"
    assert count > 20000
    assert reached == set(State)


def holds(world: World, status: Status) -> None:
    """The rules of the machine that can be seen in one move."""
    before, after = state_of(world, world.status), state_of(world, status)
    assert after in EDGES[before], f"{before} -> {after}"
    given = traffic.weights(world, status)
    assert sum(given.values()) in ((0, 100) if not given else (100,))
    for revision, weight in given.items():
        seen = world.route.weights.get(revision, 0) if world.route else 0
        home = status.stable and revision == status.stable.revision
        assert weight <= seen or home or world.workloads.get(revision, Workload()).ready, "routed ahead of readiness"
    refused = {r.revision for r in status.rejected}
    assert not status.candidate or status.candidate.revision not in refused, "a rejected revision is tried again"
    if status.stable and world.status.stable and status.stable.revision != world.status.stable.revision:
        promoted_rightly(world)
    ready = next(c for c in status.conditions if c.type == "Ready")
    if ready.status == "True":
        assert status.stable and status.stable.revision == wanted_revision(world)
        assert world.workloads[status.stable.revision].ready
    kinds = {c.type for c in status.conditions}
    assert not {"Reconciling", "Stalled"} <= kinds
    assert (ready.status == "True") == (not kinds & {"Reconciling", "Stalled"})
    assert status.observed_generation == world.generation


def promoted_rightly(world: World) -> None:
    """Only a candidate in its last step, fully routed and ready, with nothing that speaks against it."""
    candidate = world.status.candidate
    assert candidate and candidate.step == len(candidate.steps) - 1
    assert world.route and world.route.programmed and world.route.weights[candidate.revision] == 100
    assert world.workloads[candidate.revision].ready == 2
    assert all(e.verdict is not VerdictName.FAIL for e in candidate.evidence)
    assert not world.problem


@pytest.mark.parametrize("answers", [{}, {0: Silence("dead"), 1: Silence("dead")}])
def test_no_step_is_passed_without_evidence(answers: dict[int, Silence]) -> None:
    """Silence is not success, however long it lasts short of the deadline."""
    status = Status(stable=STABLE, candidate=trying(0, 60, VerdictName.WAIT))
    route = RouteSeen({NAMES["v1"]: 95, NAMES["v2"]: 5}, True)
    workloads = {NAMES["v1"]: Workload(2, 2), NAMES["v2"]: Workload(2, 2)}
    world = replace(bare("v2"), status=status, route=route, workloads=workloads, snapshots=SNAPSHOTS, answers=answers)
    turn = advance(world)
    assert turn.status.candidate and turn.status.candidate.step == 0
    assert turn.waits and turn.waits.reason in (Reason.METRICS_UNAVAILABLE, Reason.NOT_ENOUGH_EVIDENCE)


def test_a_failing_metric_rejects_although_another_is_silent() -> None:
    status = Status(stable=STABLE, candidate=trying(1, 5, VerdictName.WAIT))
    world = replace(bare("v2"), status=status, snapshots=SNAPSHOTS, answers={0: Counts(80, 100), 1: Silence("dead")})
    assert advance(world).status.rejected[-1].reason == "ErrorRateAboveLimit"
