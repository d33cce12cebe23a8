"""Bounds by the calendar, and a candidate that keeps up with a stable revision that grows meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.api.status import PlannedStep, Status, StepKind, Trying
from penstock.core import bounds
from penstock.core.plan import decide
from penstock.core.strategy import present_step
from penstock.model.schedule import spell
from penstock.model.values import RouteSeen, Workload, World
from tests.unit.worlds import NOW, OWNED, SNAPSHOTS, STABLE, V1, V2, bare

CPU = ScalingMetric(name="cpu", target="70")
# 2026-11-23 is a Monday; Berlin is an hour ahead of UTC.
WORK = {"days": ["Monday"], "start": "08:00", "duration": "10h", "timeZone": "Europe/Berlin", "minReplicas": 6}
LUNCH = {"days": ["Monday"], "start": "12:00", "duration": "1h", "timeZone": "Europe/Berlin", "minReplicas": 9}
SALE = {"from": "2026-11-23", "to": "2026-11-23", "maxReplicas": 40}


def world(at: str, *schedules: dict[str, Any], scaled: bool = True, wants: str = "v1", **status: Any) -> World:
    """v1 serves with as many pods as the spec says at other times."""
    wish = {"minReplicas": 2, "schedules": list(schedules)}
    wish |= {"maxReplicas": 20, "metrics": [{"name": "cpu", "target": 70}]} if scaled else {}
    made = bare(wants, "plain")
    assert made.spec
    return replace(
        made,
        now=datetime.fromisoformat(at).replace(tzinfo=UTC),
        spec=made.spec.model_copy(update={"scaling": Scaling.model_validate(wish)}),
        status=Status(stable=STABLE, **status),
        workloads={V1: Workload(2, 2)},
        snapshots=SNAPSHOTS,
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
    )


@pytest.mark.parametrize(
    ("at", "least", "most"),
    [
        ("2026-11-23T06:59", 2, 40),
        ("2026-11-23T07:00", 6, 40),
        ("2026-11-23T11:30", 9, 40),
        ("2026-11-23T12:00", 6, 40),
        ("2026-11-23T17:00", 2, 40),
        ("2026-11-24T09:00", 2, 20),
    ],
)
def test_the_bounds_are_those_of_the_hour(at: str, least: int, most: int) -> None:
    made = bounds.scheduled(world(at, WORK, LUNCH, SALE)).spec
    assert made and (made.scaling.min_replicas, made.scaling.max_replicas) == (least, most)


def test_a_schedule_never_asks_for_more_than_the_most() -> None:
    made = bounds.scheduled(world("2026-11-23T09:00", WORK | {"minReplicas": 30})).spec
    assert made and (made.scaling.min_replicas, made.scaling.max_replicas) == (20, 20)


def test_the_autoscaler_gets_them_and_a_turn_comes_when_they_change() -> None:
    plan = decide(world("2026-11-23T09:00", WORK))
    (scaler,) = (c["spec"] for c in plan.children if c["kind"] == "HorizontalPodAutoscaler")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (6, 20)
    assert plan.again == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert decide(world("2026-11-23T18:00", WORK)).again == datetime(2026, 11, 30, 7, tzinfo=UTC)
    assert decide(world("2026-11-23T18:00")).again is None


def test_a_fixed_number_follows_the_calendar_too() -> None:
    plan = decide(world("2026-11-23T09:00", WORK, scaled=False))
    (made,) = (c["spec"]["replicas"] for c in plan.children if c["kind"] == "Deployment")
    assert made == 6


@pytest.mark.parametrize(("now", "wanted"), [(2, 4), (4, 4), (9, 9)])
def test_a_candidate_is_sized_for_what_the_stable_revision_runs_now(now: int, wanted: int) -> None:
    """Four when the rollout began. It has grown since: the candidate must be as large before it gets everything."""
    full = PlannedStep(kind=StepKind.FULL, weight=100)
    began = spell(NOW - timedelta(seconds=9))
    times = {"started_at": began, "step_started_at": began}
    tried = Trying(revision=V2, version="v2", step=0, steps=[full], stable_replicas=4, **times)
    made = replace(world("2026-11-23T09:00", wants="v2", candidate=tried), workloads={V1: Workload(now, now)})
    assert present_step(made, tried).replicas == wanted
    floors = {c["metadata"]["name"]: c["spec"]["minReplicas"] for c in decide(made).children if "Autosc" in c["kind"]}
    assert floors[V1] == 4, "its own floor stays: it must be free to shrink again"
