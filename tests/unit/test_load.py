"""What autoscalers are told: one number from an answer, or silence; and how they are asked to use it."""

from datetime import UTC, datetime

import pytest

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.core.load import Wanted, followed, question, total
from penstock.model.measure import Answer, Counts, Gauge, Levels, Query, Question, Rate, Ratio, Silence
from penstock.model.quantity import amount, canonical
from penstock.model.values import Problem, Snapshot, Workload
from penstock.scaling import hpa
from penstock.scaling.target import Target

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WANTED = Wanted("ml", "churn-a1b2", "requestsPerSecond")
PROFILE = {
    "requests": {"name": "requests_total"},
    "inFlight": {"name": "in_flight"},
    "latency": {"histogram": {"name": "seconds"}, "bounds": ["0.3", "1.0"]},
}
SNAPSHOT = Snapshot("7", 8080, {}, PROFILE)
RATE = ScalingMetric(name="requestsPerSecond", target="50")
SLOW = ScalingMetric(name="slowRate", target="5%", threshold="300ms")


def metric(name: str, **more: object) -> ScalingMetric:
    return ScalingMetric.model_validate({"name": name, "target": 10, **more})


@pytest.mark.parametrize(
    ("asked", "measure"),
    [
        (RATE, Rate),
        (metric("inFlight"), Gauge),
        (SLOW, Ratio),
        (metric("refused", ratio={"bad": {"name": "a"}, "total": {"name": "b"}}, target="5%"), Ratio),
        (metric("tokens", value={"query": 'sum(tokens{revision="{{revision}}"})'}), Query),
    ],
)
def test_a_metric_becomes_a_question_about_one_revision(asked: ScalingMetric, measure: type) -> None:
    made = question(WANTED, asked, (SNAPSHOT, NOW))
    assert isinstance(made, Question)
    assert isinstance(made.candidate.measure, measure)
    assert (made.source, made.namespace, made.candidate.revision, made.stable) == ("default", "ml", "churn-a1b2", None)
    assert 20 < (made.end - made.start).total_seconds() < 60
    assert made.end < NOW, "the last samples may not be stored yet"


def test_a_users_query_knows_its_revision_and_owner() -> None:
    made = question(WANTED, metric("tokens", value={"query": "x"}), (SNAPSHOT, NOW))
    assert isinstance(made, Question) and isinstance(made.candidate.measure, Query)
    fills = {"namespace": "ml", "name": "churn", "revision": "churn-a1b2", "version": "7"}
    assert made.candidate.measure.fills == fills


def test_what_the_profile_does_not_know_is_a_problem() -> None:
    made = question(WANTED, metric("queueDepth"), (SNAPSHOT, NOW))
    assert isinstance(made, Problem) and "queueDepth" in made.message


def test_only_live_metrics_that_the_spec_names_are_followed() -> None:
    scaling = Scaling(max_replicas=4, metrics=[metric("cpu", target=70), RATE])
    assert followed(scaling, "requestsPerSecond") == RATE
    assert followed(scaling, "requestspersecond") == RATE, "autoscalers ask in lower case"
    assert followed(scaling, "cpu") is None and followed(scaling, "inFlight") is None


HOME = Workload(desired=4, ready=4)


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        (RATE, Levels((120.0,), pods=4), 120.0),
        (metric("inFlight"), Levels((3.0, 4.0, 5.0), pods=4), 12.0),
        (SLOW, Counts(5, 50), 0.1),
        # One of four pods says nothing. It counts nothing where the rest asks for more pods, ...
        (RATE, Levels((260.0,), pods=3), 260.0),
        # ... its target where they ask for fewer, ...
        (RATE, Levels((60.0,), pods=3), 110.0),
        # ... and never turns one into the other.
        (RATE, Levels((180.0,), pods=3), 200.0),
        # A query says nothing of pods.
        (metric("tokens", value={"query": "x"}), Levels((7.0,)), 7.0),
    ],
)
def test_one_number_comes_of_an_answer(asked: ScalingMetric, answer: Answer, told: float) -> None:
    assert total(asked, answer, HOME) == pytest.approx(told)


@pytest.mark.parametrize(
    ("asked", "answer"), [(RATE, Silence("down")), (RATE, Levels(())), (SLOW, Counts(0, 0)), (SLOW, Levels(()))]
)
def test_silence_is_no_number(asked: ScalingMetric, answer: Answer) -> None:
    assert isinstance(total(asked, answer, HOME), Silence)


@pytest.mark.parametrize(
    ("number", "text"),
    [(50, "50"), (0.5, "500m"), (0.05, "50m"), (1.5, "1500m"), (1000, "1k"), (1500, "1500"), (2e6, "2M"), (0, "0")],
)
def test_a_number_is_spelt_as_the_api_server_keeps_it(number: float, text: str) -> None:
    assert canonical(number) == text
    assert amount(text) == round(number * 1000)


def test_a_number_finer_than_a_thousandth_is_rounded_up_but_not_by_its_representation() -> None:
    assert canonical(0.0001) == "1m"
    assert canonical(0.1 + 0.2) == "300m"


def test_values_are_divided_by_the_target_and_shares_are_held_against_it() -> None:
    scaling = Scaling(max_replicas=9, metrics=[metric("cpu", target=70), RATE, SLOW])
    resource, rate, slow = hpa.make(scaling, Target("churn-a1b2", 2))["metrics"]
    assert resource["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    selector = {"matchLabels": {"penstock.dev/revision": "churn-a1b2"}}
    assert rate["external"] == {
        "metric": {"name": "requestsPerSecond", "selector": selector},
        "target": {"type": "AverageValue", "averageValue": "50"},
    }
    assert slow["external"]["target"] == {"type": "Value", "value": "50m"}
