"""Replicas before the load comes: what is asked of the past, what is expected from it, and what it may change."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from penstock.api.scaling import Scaling
from penstock.api.status import Status
from penstock.core import forecast
from penstock.core.plan import decide
from penstock.metrics.promql import confined, fill
from penstock.model.measure import Answer, Levels, Query, Question, Silence
from penstock.model.values import Following, RouteSeen, Workload, World
from tests.fake import clock
from tests.unit.test_loop_asks import end, staffed
from tests.unit.worlds import NOW, OWNED, SNAPSHOTS, STABLE, V1, bare

RATE = {"name": "requestsPerSecond", "target": 10}


def world(*loads: float | str | None, **more: object) -> World:
    """v1 serves; the past says these loads (text: silence, None: nothing), the latest season first."""
    made = bare("v1", "plain")
    assert made.spec
    wish = {"minReplicas": 2, "maxReplicas": 12, "metrics": [RATE], "predictive": {"history": 4}} | more
    answers: tuple[Answer, ...] = tuple(
        Silence(each) if isinstance(each, str) else Levels((each,) if each is not None else ()) for each in loads
    )
    return replace(
        made,
        spec=made.spec.model_copy(update={"scaling": Scaling.model_validate(wish)}),
        status=Status(stable=STABLE),
        workloads={V1: Workload(2, 2)},
        snapshots={V1: SNAPSHOTS[V1]},
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
        scalers={V1: Following(active=True, wanted=2, bounds=(2, 12))},
        recalled=answers,
    )


def least(found: World) -> int:
    """The autoscaler's lower bound."""
    (made,) = (c for c in decide(found).children if c["kind"] == "HorizontalPodAutoscaler")
    return int(made["spec"]["minReplicas"])


def test_the_highest_load_soon_is_asked_for_in_each_week_of_the_past() -> None:
    week, minutes = timedelta(weeks=1), timedelta(minutes=1)
    # Until ten minutes after the next question, five minutes from now; each rate is that of the five minutes before.
    spans = [(NOW - week * past + 5 * minutes, NOW - week * past + 20 * minutes) for past in (1, 2, 3, 4)]
    assert [(each.start, each.end) for each in forecast.questions(world())] == spans
    daily = forecast.questions(world(predictive={"season": "Day", "lead": "90s", "history": 2}))
    assert [NOW - each.start + 5 * minutes for each in daily] == [timedelta(days=1), timedelta(days=2)]
    assert [each.end - each.start for each in daily] == [timedelta(seconds=390)] * 2


def test_the_question_is_held_to_the_namespace_and_to_this_models_revisions() -> None:
    (first, *_) = forecast.questions(world())
    assert isinstance(first.candidate.measure, Query)
    text = "".join(confined(fill(first.candidate.measure.text, first.candidate.measure.fills), "ml").split())
    assert text.startswith("max_over_time(sum(rate(") and text.endswith("}[5m]))[15m:1m])")
    assert 'namespace="ml"' in text and 'penstock_dev_revision=~"churn-[0-9a-z]+"' in text


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        ((60.0, 60.0, 60.0, 60.0), 6),
        ((40.0, 50.0, 60.0, 90.0), 9),  # 90 % of four lie below 81
        ((10.0, 10.0, 10.0, 10.0), 2),  # never fewer than without
        ((500.0, 500.0, 500.0, 500.0), 12),  # never more than there may be
        ((60.0, None, None, 60.0), 6),
        ((60.0, None, None, None), 2),  # one week may have been anything
        (("down", "down", "down", "down"), 2),
        ((), 2),
    ],
)
def test_the_fewest_replicas_rise_to_what_is_expected(loads: tuple[float | str | None, ...], expected: int) -> None:
    assert least(world(*loads)) == expected


def test_it_says_from_what() -> None:
    told = decide(world(40.0, 50.0, 60.0, 90.0)).status.forecast
    assert told and told.message == "9 replicas for 81 requests/s: 40, 50, 60, 90 at this time of the last 4 weeks"
    told = decide(world("no metric source x", None, None, 3.0)).status.forecast
    assert told and told.message == "no forecast: 1 of the last 4 weeks known: no metric source x"


def test_status_is_written_where_the_number_changes_and_no_sooner() -> None:
    first = decide(world(80.0, 80.0, 80.0, 80.0)).status
    assert first.forecast and first.forecast.replicas == 8
    first = decide(world(200.0, 200.0, 200.0, 200.0)).status
    for load, expected in ((199.0, 20), (185.0, 20), (175.0, 20), (165.0, 17), (201.0, 21)):
        after = decide(replace(world(load, load, load, load), status=first)).status
        assert after.forecast and after.forecast.replicas == expected
        assert (after == first) == (expected == 20)


def test_an_objective_gives_the_target_once_it_has_one() -> None:
    objective = {"slowRate": {"threshold": "500ms", "max": "1%"}, "source": "team"}
    found = world(60.0, 60.0, 60.0, 60.0, metrics=[], objective=objective)
    assert {each.source for each in forecast.questions(found)} == {"team"}
    plan = decide(found)
    assert plan.status.forecast and plan.status.forecast.message.endswith("is not known yet")
    known = {
        "objective": "at most 1% slower than 500ms",
        "revision": V1,
        "perReplica": "20",
        "since": "2026-11-21T10:00:00Z",
    }
    status = Status.model_validate({"stable": STABLE.model_dump(by_alias=True), "objective": known})
    assert least(replace(found, status=status)) == 3


def test_without_a_counter_of_requests_it_says_so_and_asks_nothing() -> None:
    found = world()
    mute = replace(found, snapshots={V1: replace(SNAPSHOTS[V1], profile={})})
    assert forecast.questions(mute) == []
    told = decide(mute).status.forecast
    assert told and told.message == "no forecast: nothing counts the requests"


def test_no_wish_no_forecast() -> None:
    found = world(60.0, 60.0, predictive=None)
    assert decide(found).status.forecast is None and decide(found).again is None
    assert decide(world()).again == NOW + forecast.EVERY


def test_silence_for_a_while_forgets_nothing() -> None:
    good, mute = (Levels((60.0,)),) * 2, (Silence("down"),) * 2
    first = forecast.remembered(forecast.NOTHING, NOW, good)
    later = forecast.remembered(first, NOW + timedelta(minutes=5), mute)
    assert (later.answers, later.asked, later.heard) == (good, NOW + timedelta(minutes=5), NOW)
    assert forecast.remembered(later, NOW + timedelta(minutes=16), mute).answers == mute
    half = (Silence("down"), Levels((70.0,)))
    assert forecast.remembered(first, NOW + timedelta(minutes=5), half).answers == half


@pytest.mark.parametrize(("part", "expected"), [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)])
def test_a_quantile_lies_between_two_values_in_proportion(part: float, expected: float) -> None:
    assert forecast.quantile([4.0, 1.0, 3.0, 2.0], part) == pytest.approx(expected)


@dataclass
class Past:
    """A source that knows the past."""

    asked: list[Question] = field(default_factory=list)

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked += questions
        return [Levels((60.0,)) for _ in questions]


def test_the_past_is_asked_for_every_five_minutes_and_holds_between() -> None:
    async def story() -> list[tuple[int, int]]:
        source, found = Past(), world()
        loop, workers = staffed(source, 1)
        loop.batches["default"] = loop.batches["main"]
        await asyncio.sleep(0)
        told = []
        for later in (0, 30, 290, 300):
            seen = await loop.recall(("ml", "churn"), replace(found, now=NOW + timedelta(seconds=later)))
            told.append((len(source.asked), len(seen.recalled)))
        await end(loop, workers)
        return told

    assert clock.run(story()) == [(4, 4), (4, 4), (8, 4), (8, 4)]
