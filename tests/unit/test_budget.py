"""What a rollout will cost: shares by kind of step, how long steps really take, what comes first, what to mend."""

from typing import Any

import pytest

from penstock.api.spec import Spec
from penstock.core.budget import Budget, End, StepCost, Traffic, make_budget, spelled
from penstock.stats.needs import requests_to_reject, requests_to_reject_against
from tests.sim.machine import model

ERRORS = {"name": "errorRate", "max": "1%"}
COMPARED = {"name": "errorRate", "compare": "Stable"}
CANARY = {"canary": {"steps": [{"weight": 10, "duration": "1m"}, {"weight": 50, "duration": "2m"}]}, "deadline": "3m"}


def budget(traffic: Traffic, *metrics: dict[str, Any], rollout: dict[str, Any] | None = None, **more: Any) -> Budget:
    wish = {"interval": "10s", "minRequests": 100, "metrics": list(metrics) or [ERRORS]} | more
    return make_budget(
        "churn", Spec.model_validate(model("v2", analysis=wish, rollout=rollout or CANARY)["spec"]), traffic
    )


def steps(traffic: Traffic, **rollout: Any) -> dict[str, StepCost]:
    return {step.kind.value: step for step in budget(traffic, rollout=rollout).steps}


BAKE, SHADOW = {"duration": "5m"}, {"percent": 20, "duration": "1m"}
COHORT = {"match": [{"header": "x", "value": "y"}], "duration": "1m"}


@pytest.mark.parametrize(
    ("kind", "share", "home"),
    [("Shadow", 0.2, 5.0), ("Cohort", 0.25, 3.0), ("Canary", 0.1, 9.0), ("Full", 1.0, 0.0), ("Bake", 1.0, 0.0)],
)
def test_the_requests_of_a_step_follow_from_its_kind(kind: str, share: float, home: float) -> None:
    """Copies are a share of what stable answers too; what a cohort gets, stable does not."""
    walk = {"shadow": SHADOW, "abTest": COHORT, "canary": {"steps": [{"weight": 10, "duration": "1m"}]}, "bake": BAKE}
    step = steps(Traffic(50.0, cohort=0.25), **walk)[kind]
    assert (step.share, step.home, step.rate) == (pytest.approx(share), pytest.approx(home), pytest.approx(50 * share))


@pytest.mark.parametrize(
    "rollout", [{"abTest": COHORT}, {"blueGreen": {"duration": "1m", "previewAnalysis": "Require"}}]
)
def test_what_nobody_knows_is_left_open(rollout: dict[str, Any]) -> None:
    made = budget(Traffic(50.0), COMPARED, rollout=rollout)
    assert (made.steps[0].share, made.steps[0].takes, made.best) == (None, None, None)
    assert {one.end for one in made.metrics[0].found[0]} == {End.UNKNOWN}


def test_a_step_takes_as_long_as_its_evidence() -> None:
    made = budget(Traffic(10.0))
    assert [(step.evidence, step.takes) for step in made.steps] == [(100, 100), (20, 120), (None, 0)]
    assert made.best == 220


def test_the_warm_up_counts_for_nothing() -> None:
    made = budget(Traffic(10.0), warmup="30s")
    assert [step.evidence for step in made.steps][:2] == [130, 20]


def test_good_looks_at_a_value_take_intervals_and_no_requests() -> None:
    value = {"name": "accuracy", "value": {"query": "x"}, "min": "0.9", "minSamples": 9}
    assert [step.takes for step in budget(Traffic(), value).steps] == [90, 120, 0]
    assert budget(Traffic(1000.0), ERRORS, value).steps[0].takes == 90


def test_without_a_rate_there_are_requests_and_no_times() -> None:
    made = budget(Traffic())
    one = made.metrics[0].found[0][0]
    assert (one.requests, one.time, one.end) == (requests_to_reject(0.01, 0.02, 20.0), None, End.UNKNOWN)
    assert (made.best, made.advice) == (None, ())


def test_figures_are_those_of_the_tests() -> None:
    made = budget(Traffic(100.0, bad=0.01), ERRORS, COMPARED)
    objective, compared = (metric.found[0] for metric in made.metrics)
    assert [one.requests for one in objective] == [requests_to_reject(0.01, bad, 40.0) for bad in (0.02, 0.05, 0.1)]
    assert [one.requests for one in compared] == [
        requests_to_reject_against((bad, 0.01), 9.0, 1.25, 40.0) for bad in (0.02, 0.05, 0.1)
    ]
    five = objective[1]
    assert five.requests and (five.failed, five.time) == (-(-five.requests // 20), -(-five.requests // 100) * 10)


def ends(traffic: Traffic, metric: dict[str, Any], **more: Any) -> list[list[End]]:
    return [[one.end for one in found] for found in budget(traffic, metric, **more).metrics[0].found.values()]


def test_what_comes_first_is_said() -> None:
    """At 2 a second: twice the limit is not proven in time, and cannot pass either; ten times it is found."""
    assert ends(Traffic(20.0), ERRORS)[0] == [End.DEADLINE, End.REJECTED, End.REJECTED]
    assert ends(Traffic(2000.0), ERRORS)[0] == [End.REJECTED] * 3
    assert ends(Traffic(20.0, bad=0.001), COMPARED)[0] == [End.PASSES, End.PASSES, End.REJECTED]
    assert ends(Traffic(20.0, bad=0.001), COMPARED, minRequests=600)[0] == [End.DEADLINE] * 2 + [End.REJECTED]


def test_a_bake_that_is_too_short_lets_it_pass_and_compares_with_nothing() -> None:
    rollout = {"canary": {"steps": [{"weight": 50, "duration": "1m"}]}, "bake": {"duration": "20s"}}
    assert ends(Traffic(20.0), ERRORS, rollout=rollout)[-1] == [End.PASSES, End.REJECTED, End.REJECTED]
    made = budget(Traffic(20.0), COMPARED, rollout=rollout)
    assert [one.requests for one in made.metrics[0].found[2]] == [None] * 3


NOTES = {
    "a value": (
        {"name": "accuracy", "value": {"query": "x"}, "min": "0.9", "failureBudget": 2},
        "no test stands behind",
    ),
    "a value is seen looks later": ({"name": "queueDepth", "max": "9", "failureBudget": 2}, "30s after"),
    "a shift": ({"name": "latencyShift", "max": "0.2"}, "no figures"),
    "a dry run": (ERRORS | {"dryRun": True}, "never takes the candidate off"),
    "no room": ({"name": "errorRate", "max": "0%"}, "the first bad answer"),
    "neither": ({"name": "errorRate"}, "the API server will refuse it"),
    "groups": (
        {"name": "fair", "ratio": {"bad": {"name": "a"}, "total": {"name": "b"}, "by": "c"}, "maxDisparity": "1.2"},
        "each group",
    ),
}


@pytest.mark.parametrize(("metric", "words"), NOTES.values(), ids=NOTES)
def test_a_metric_without_figures_says_why(metric: dict[str, Any], words: str) -> None:
    (made,) = budget(Traffic(100.0), metric).metrics
    assert words in made.note and made.found == {}


def test_more_than_all_requests_cannot_fail() -> None:
    (made,) = budget(Traffic(100.0), {"name": "errorRate", "max": "15%"}).metrics
    assert [one.worse for one in made.found[0]] == [2.0, 5.0]
    assert budget(Traffic(100.0), {"name": "errorRate", "max": "60%"}).metrics[0].found[0] == ()


def test_a_step_that_is_too_short_is_told_with_the_fix() -> None:
    """6 requests a second at 10 % are 36 in the first minute."""
    (said,) = budget(Traffic(6.0)).advice
    assert said == (
        "step 1 (10%) is to last 1m, and enough evidence takes 2m47s: it is that long."
        " To mend it: analysis.minRequests: 36, or weight: 28, or duration: 2m47s."
    )


@pytest.mark.parametrize("fix", [{"minRequests": 36}, {"weight": 28}, {"duration": "2m47s"}])
def test_each_fix_mends_it(fix: dict[str, Any]) -> None:
    more = {"minRequests": fix["minRequests"]} if "minRequests" in fix else {}
    first = {"weight": 10, "duration": "1m"} | {key: fix[key] for key in fix if key != "minRequests"}
    rollout = {"canary": {"steps": [first]}, "deadline": "3m"}
    assert budget(Traffic(6.0), rollout=rollout, **more).advice == ()


def test_a_deadline_that_comes_first_is_told() -> None:
    first, _ = budget(Traffic(1.0)).advice
    assert "enough evidence takes 16m40s: the deadline comes first and takes the candidate off" in first


def test_nothing_judges_without_an_analysis() -> None:
    wish = model("v2", rollout=CANARY)["spec"]
    del wish["analysis"]
    made = make_budget("churn", Spec.model_validate(wish), Traffic(10.0))
    assert (made.metrics, made.odds, made.best) == ((), 0.0, 180)


@pytest.mark.parametrize(
    ("length", "text"), [(0, "0s"), (59.2, "1m"), (90, "1m30s"), (3600, "1h"), (86400, "24h"), (3661.5, "1h1m2s")]
)
def test_times_are_spelled_as_in_a_manifest(length: float, text: str) -> None:
    assert spelled(length) == text
