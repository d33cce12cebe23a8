"""Who gets which requests, beyond the weights: a cohort, and its place in the route before and after it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import PlannedMatch, Serving, Status, StepKind, Trying
from penstock.core import strategy, traffic
from penstock.core.template import wanted_revision
from penstock.model.schedule import spell
from penstock.model.values import Cohort, RouteSeen, Workload, World
from tests.sim.machine import RUNTIME, model

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = RuntimeSpec.model_validate(RUNTIME["spec"])


def bare(version: str) -> World:
    """A world that asks for a version and has seen nothing."""
    wish = Spec.model_validate(model(version)["spec"])
    return World(NOW, "ml", "churn", "uid-1", 3, wish, Status(), runtime=("mlserver", RULES))


NAMES = {version: wanted_revision(bare(version)) for version in ("v1", "v2")}
TEST: dict[str, Any] = {"match": [{"header": "x-cohort", "value": "beta"}]}
BETA = (PlannedMatch(header="x-cohort", value="beta"),)


def world(kind: StepKind | None, ready: int = 3, seen: RouteSeen | None = None) -> World:
    """v2 in its step of this kind beside v1, after a shadow, a test and a share; None: nothing is tried."""
    wish = model("v2")["spec"]
    wish["rollout"] |= {"shadow": {"percent": 20}, "abTest": TEST}
    status = Status(stable=Serving(revision=NAMES["v1"], version="v1", weight=100))
    tried = replace(bare("v2"), spec=Spec.model_validate(wish), status=status)
    name = wanted_revision(tried)
    if kind:
        steps = strategy.pin(tried, direct=False)
        now = spell(NOW)
        step = next(i for i, each in enumerate(steps) if each.kind is kind)
        candidate = Trying(revision=name, steps=steps, step=step, started_at=now, step_started_at=now, deadline_at=now)
        status = status.model_copy(update={"candidate": candidate})
    workloads = {NAMES["v1"]: Workload(3, 3), name: Workload(3, ready)}
    owned = frozenset(("Service", each) for each in workloads)
    return replace(tried, status=status, workloads=workloads, owned=owned, route=seen)


def shares(seen: World) -> Any:
    return traffic.shares(seen, seen.status)


def test_copies_are_asked_for_in_the_shadow_step_alone() -> None:
    assert shares(world(StepKind.SHADOW)).mirror == (NAMES["v2"], 20)
    assert shares(world(StepKind.SHADOW, ready=0)).mirror is None
    assert all(shares(world(kind)).mirror is None for kind in (StepKind.COHORT, StepKind.CANARY, StepKind.FULL))


def test_a_cohort_is_told_apart_in_its_step_alone_and_has_a_place_in_all_others() -> None:
    assert shares(world(StepKind.COHORT)).cohort == Cohort(NAMES["v2"], BETA)
    for kind in (StepKind.SHADOW, StepKind.CANARY, StepKind.FULL):
        assert shares(world(kind)).cohort == Cohort(), kind


def test_without_pods_nobody_belongs_to_the_cohort() -> None:
    assert shares(world(StepKind.COHORT, ready=0)).cohort == Cohort()


BOTH = {NAMES["v1"]: 100, NAMES["v2"]: 0}


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        (RouteSeen(BOTH, programmed=True, cohort=NAMES["v2"]), True),
        (RouteSeen(BOTH, programmed=False, parked=True), True),
        (RouteSeen(BOTH, programmed=True, parked=True), False),
        (RouteSeen(BOTH, programmed=True), False),
        (None, False),
    ],
)
def test_after_the_rollout_the_place_stays_until_the_gateway_knows_that_it_is_empty(
    seen: RouteSeen | None, kept: bool
) -> None:
    assert shares(world(None, seen=seen)).cohort == (Cohort() if kept else None)


def test_a_rollout_without_a_test_has_no_place_for_a_cohort() -> None:
    plain = world(StepKind.CANARY)
    assert plain.status.candidate
    steps = [step for step in plain.status.candidate.steps if not step.match]
    candidate = plain.status.candidate.model_copy(update={"steps": steps, "step": 1})
    assert shares(replace(plain, status=plain.status.model_copy(update={"candidate": candidate}))).cohort is None
