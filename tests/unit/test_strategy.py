"""Each strategy and the steps that it is a spelling of; what has to hold to leave each of them."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.spec import Spec
from penstock.api.status import PlannedStep, Status, StepKind, Trying
from penstock.core import strategy
from penstock.core.moves import spoken
from penstock.model.values import Workload, World
from tests.sim.machine import model
from tests.unit.worlds import BAKE, CANARY, CLOCKS, COHORT, PREVIEW, SHADOW, STABLE, V1, ago, bare, trying

STEPS = {"steps": [{"weight": 5, "duration": "2m"}, {"weight": 50, "duration": "0s", "capacity": "80%"}]}


def wishing(rollout: dict[str, Any], **more: Any) -> World:
    """v1 is stable with 4 pods; the spec has this rollout."""
    wish = model("v2", rollout=rollout, scaling={"minReplicas": 4})["spec"] | more
    spec = Spec.model_validate({k: v for k, v in wish.items() if v is not None})
    return replace(bare("v2"), spec=spec, status=Status(stable=STABLE), workloads={V1: Workload(4, 4)})


PLANS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["100%"]),
    ({"bake": BAKE}, ["100%", "bake 60s"]),
    ({"canary": STEPS}, ["5%", "50%", "100%"]),
    ({"canary": STEPS, "bake": BAKE}, ["5%", "50%", "100%", "bake 60s"]),
    ({"blueGreen": PREVIEW}, ["preview", "100%"]),
    ({"shadow": SHADOW}, ["copies of 50%", "100%"]),
    ({"abTest": COHORT}, ["cohort", "100%"]),
    ({"shadow": SHADOW, "abTest": COHORT, "blueGreen": {}}, ["copies of 50%", "cohort", "preview", "100%"]),
    (
        {"bake": BAKE, "canary": STEPS, "abTest": COHORT, "shadow": SHADOW},
        ["copies of 50%", "cohort", "5%", "50%", "100%", "bake 60s"],
    ),
]


@pytest.mark.parametrize(("rollout", "said"), PLANS, ids=[" ".join(r) or "rolling" for r, _ in PLANS])
def test_a_strategy_is_a_spelling_of_steps(rollout: dict[str, Any], said: list[str]) -> None:
    assert [spoken(step) for step in strategy.pin(wishing(rollout), direct=False)] == said


@pytest.mark.parametrize(("rollout", "said"), PLANS, ids=[" ".join(r) or "rolling" for r, _ in PLANS])
def test_the_first_revision_and_a_return_have_no_steps_before_everything(
    rollout: dict[str, Any], said: list[str]
) -> None:
    world = wishing(rollout)
    first = strategy.pin(replace(world, status=Status()), direct=False)
    assert [spoken(step) for step in first] == ["100%"], "nothing to judge it against, nothing to go back to"
    back = strategy.pin(world, direct=True)
    assert [spoken(step) for step in back] == [s for s in said if s in ("100%", "bake 60s")]


FULL = {"kind": StepKind.FULL, "weight": 100}
SPELT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"shadow": SHADOW},
        {"kind": StepKind.SHADOW, "weight": 0, "mirror": 50, "capacity": 50, "duration": "20s", "judged": True},
    ),
    (
        {"abTest": COHORT | {"capacity": "12.5%"}},
        {"kind": StepKind.COHORT, "weight": 0, "capacity": 13, "duration": "20s", "judged": True},
    ),
    ({"canary": {"steps": [STEPS["steps"][0]]}}, {"weight": 5, "capacity": 5, "duration": "2m", "judged": True}),
    ({"canary": {"steps": [STEPS["steps"][1]]}}, {"weight": 50, "capacity": 80, "duration": "0s", "judged": True}),
    ({"blueGreen": {}}, {"kind": StepKind.PREVIEW, "weight": 0, "capacity": 100, "duration": "0s", "judged": False}),
    ({"blueGreen": {"previewAnalysis": "Require", "duration": "9s"}}, {"judged": True, "duration": "9s"}),
]


@pytest.mark.parametrize(("rollout", "words"), SPELT, ids=" ".join)
def test_a_step_says_what_its_spelling_asks(rollout: dict[str, Any], words: dict[str, Any]) -> None:
    first, last = strategy.pin(wishing(rollout), direct=False)
    seen = first.model_dump()
    assert {key: seen[key] for key in words} == words
    assert last == PlannedStep.model_validate(FULL)


def test_who_must_agree_is_pinned_with_the_step() -> None:
    step = strategy.pin(wishing({"canary": CANARY}), direct=False)[0]
    assert step.approval and step.approval.model_dump() == {
        "groups": ["leads", "owners"],
        "min_approvals": 2,
        "max_age": "1h",
        "on_timeout": "Abort",
    }
    cohort = strategy.pin(wishing({"abTest": COHORT}), direct=False)[0]
    assert cohort.approval is None and [m.model_dump(exclude_none=True) for m in cohort.match] == COHORT["match"]


def test_a_canary_that_nothing_judges_is_a_timer() -> None:
    """Admission refuses it; an operator that meets one from before does not wait for evidence that cannot come."""
    assert not strategy.pin(wishing({"canary": STEPS}, analysis=None), direct=False)[0].judged


def test_one_pod_that_makes_room_for_another_leaves_no_share_to_split() -> None:
    rollout = {"canary": STEPS, "capacityPolicy": "Replace", "bake": BAKE}
    alone = replace(wishing(rollout, scaling={"minReplicas": 1}), workloads={V1: Workload(1, 1)})
    assert spoken(strategy.pin(alone, direct=False)[0]) == "100%"
    assert spoken(strategy.pin(wishing(rollout), direct=False)[0]) == "5%"


CHECKS = {
    StepKind.SHADOW: ("ready", "routed", "observed", "held", "judged", "free", "approved"),
    StepKind.COHORT: ("ready", "routed", "observed", "held", "judged", "free", "approved"),
    StepKind.CANARY: ("ready", "routed", "observed", "held", "judged", "free", "approved"),
    StepKind.PREVIEW: ("ready", "routed", "observed", "held", "free", "approved"),
    StepKind.FULL: ("ready", "routed"),
    StepKind.BAKE: ("ready", "routed", "observed", "held", "baked"),
}
WAIVED = dict.fromkeys(StepKind, ("ready", "routed", "free")) | {
    StepKind.FULL: ("ready", "routed"),
    StepKind.BAKE: ("ready", "routed"),
}


def in_step(kind: StepKind, **more: Any) -> tuple[World, Trying]:
    """A candidate in the step of this kind, in a rollout that has one of each."""
    plan = {"shadow": SHADOW, "abTest": COHORT, "canary": CANARY, "bake": BAKE}
    plan = {"blueGreen": {}} if kind is StepKind.PREVIEW else plan
    world = wishing(plan)
    steps = strategy.pin(world, direct=False)
    number = next(n for n, step in enumerate(steps) if step.kind is kind)
    more = {"waived": number} if more.get("waived") else more
    made = Trying(
        revision="churn-b",
        steps=steps,
        step=number,
        stable_replicas=4,
        started_at=ago(9),
        step_started_at=ago(9),
        **more,
    )
    return world, made


@pytest.mark.parametrize("kind", StepKind)
def test_what_must_hold_to_leave_a_step(kind: StepKind) -> None:
    assert strategy.present_step(*in_step(kind)).checks == CHECKS[kind]


@pytest.mark.parametrize("kind", StepKind)
def test_a_person_waives_time_evidence_and_approval_and_nothing_else(kind: StepKind) -> None:
    assert strategy.present_step(*in_step(kind, waived=True)).checks == WAIVED[kind]


@pytest.mark.parametrize(
    ("kind", "replicas"),
    [(StepKind.SHADOW, 2), (StepKind.COHORT, 4), (StepKind.CANARY, 1), (StepKind.FULL, 4), (StepKind.BAKE, 4)],
)
def test_a_step_has_the_pods_for_its_share(kind: StepKind, replicas: int) -> None:
    assert strategy.present_step(*in_step(kind)).replicas == replicas


@pytest.mark.parametrize(
    ("minimum", "maximum", "ran", "full"),
    [(2, None, 9, 2), (2, 20, 9, 9), (2, 20, 1, 2), (2, 20, 99, 20), (5, 5, 3, 5)],
)
def test_full_size_is_what_the_stable_revision_was_scaled_to(
    minimum: int, maximum: int | None, ran: int, full: int
) -> None:
    """An autoscaler's word counts; a fixed number is the spec's."""
    scaling: dict[str, Any] = {"minReplicas": minimum}
    if maximum:
        scaling |= {"maxReplicas": maximum, "metrics": [{"name": "cpu", "target": 70}]}
    assert strategy.full_size(wishing({}, scaling=scaling), ran) == full


@pytest.mark.parametrize(
    ("step", "skipped", "after"), [(0, [], 1), (0, [1], 2), (0, [1, 2], 3), (3, [], 4), (3, [4], None), (4, [], None)]
)
def test_the_step_after_leaves_out_what_is_skipped(step: int, skipped: list[int], after: int | None) -> None:
    assert strategy.step_after(trying("walk", step, CLOCKS["over"], skipped=skipped)) == after


def test_the_step_that_gives_everything_is_found() -> None:
    assert [strategy.full_step(trying(plan, 0, CLOCKS["over"])) for plan in ("walk", "preview", "plain")] == [3, 1, 1]
