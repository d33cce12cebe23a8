"""What is read from an autoscaler's status, in the shape that a 1.36 controller writes it."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.scaled import Scaled
from penstock.api.scaling import Scaling, ScalingMetric
from penstock.api.status import Status
from penstock.core.scaled import scaled
from penstock.model.values import Following
from penstock.scaling import hpa
from penstock.scaling.follow import follow
from penstock.scaling.target import Target
from tests.unit.worlds import STABLE, V1, bare

SCALING = Scaling(
    min_replicas=2,
    max_replicas=9,
    metrics=[ScalingMetric(name="cpu", target="70"), ScalingMetric(name="requestsPerSecond", target="10")],
)
SPEC = hpa.make(SCALING, Target(V1, 2))
CPU = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 77, "averageValue": "77m"}}}
RATE = {
    "type": "External",
    "external": {"metric": SPEC["metrics"][1]["external"]["metric"], "current": {"averageValue": "16250m"}},
}
SEES = {
    "type": "ScalingActive",
    "status": "True",
    "reason": "ValidMetricFound",
    "lastTransitionTime": "2026-11-21T11:00:00Z",
}
LIMITED = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}


def live(*conditions: dict[str, Any], metrics: tuple[Any, ...] = (CPU, RATE), wanted: int = 4) -> dict[str, Any]:
    status = {"desiredReplicas": wanted, "conditions": list(conditions), "currentMetrics": list(metrics)}
    return {"spec": SPEC, "status": status}


def test_the_metric_that_asks_for_most_is_named() -> None:
    found = follow(live(SEES))
    assert found and (found.active, found.wanted, found.bounds) == (True, 4, (2, 9))
    assert found.why == "requestsPerSecond 16.25 of 10"
    less = replace_rate("9")
    cpu = follow(live(SEES, metrics=(CPU, less)))
    assert cpu and cpu.why == "cpu 77 of 70"


def test_a_metric_without_a_value_leaves_an_empty_entry() -> None:
    empty = {"type": ""}
    found = follow(live(SEES, metrics=(empty, RATE)))
    assert found and found.why == "requestsPerSecond 16.25 of 10"
    assert follow(live(SEES, metrics=(empty,))), "an event that cannot be read would be lost"


def replace_rate(value: str) -> dict[str, Any]:
    return {"type": "External", "external": {**RATE["external"], "current": {"averageValue": value}}}


def test_a_bound_that_decides_is_named_instead() -> None:
    found = follow(live(SEES, LIMITED))
    assert found and found.why == "the most allowed"


def test_numbers_that_change_are_no_news() -> None:
    assert follow(live(SEES)) == follow(live(SEES, metrics=(CPU, replace_rate("9"))))
    assert follow(live(SEES)) != follow(live(SEES, wanted=5))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "unable to fetch metrics from external metrics API: inFlight of churn: no series says anything",
            "inFlight of",
        ),
        ("the HPA was unable to compute the replica count: no pods", "the HPA was unable"),
    ],
)
def test_of_a_failure_the_cause_is_kept(message: str, told: str) -> None:
    found = follow(live({**SEES, "status": "False", "message": message}, metrics=()))
    assert found and not found.active and found.message.startswith(told) and found.why == ""


def test_one_that_has_not_looked_yet_says_nothing() -> None:
    assert follow({"spec": SPEC}) is None
    assert follow(live()) is None


def turn(before: Scaled | None, told: Following | None, scaling: Scaling = SCALING) -> Scaled | None:
    world = bare("v1", "plain")
    assert world.spec
    spec = world.spec.model_copy(update={"scaling": scaling})
    world = replace(world, spec=spec, scalers={V1: told} if told else {})
    return scaled(world, Status(stable=STABLE, scaling=before))


def test_a_decision_is_told_once_with_its_reason_and_ten_are_kept() -> None:
    known = turn(None, Following(active=True, wanted=2, bounds=(2, 9)))
    assert known and (known.wanted, known.least, known.most, known.decisions) == (2, 2, 9, [])
    for wanted in (3, 3, 4):
        known = turn(known, Following(active=True, wanted=wanted, bounds=(2, 9), why=f"rate {wanted}"))
    assert known and [(d.before, d.after, d.why) for d in known.decisions] == [(2, 3, "rate 3"), (3, 4, "rate 4")]
    for wanted in range(5, 20):
        known = turn(known, Following(active=True, wanted=wanted, bounds=(2, 9)))
    assert known and len(known.decisions) == 10 and known.decisions[-1].after == 19


def test_what_is_unheard_for_a_moment_is_kept_and_a_fixed_number_has_none() -> None:
    known = turn(None, Following(active=True, wanted=2, bounds=(2, 9)))
    assert turn(known, None) == known
    assert turn(known, Following(active=True), Scaling(min_replicas=2)) is None
    of_another = known and known.model_copy(update={"revision": "churn-gone"})
    after = turn(of_another, Following(active=True, wanted=7, bounds=(2, 9)))
    assert after and after.decisions == [], "another revision's number is no decision"
