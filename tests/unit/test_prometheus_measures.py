"""What the Prometheus adapter answers to each kind of measure, from samples over a real socket."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.reading import MAX_GROUPS
from penstock.model.measure import (
    Answer,
    Arm,
    Gauge,
    Groups,
    Histogram,
    Levels,
    Measure,
    Query,
    Question,
    Ratio,
    Selector,
    Shapes,
    Silence,
)
from tests.unit.prometheus_source import END, START, Respond, Store, ask, counter, serving

HOME = {"penstock_dev_revision": "churn-old"}
SECONDS = Histogram(Selector("seconds_bucket"))
GROUPED = Ratio(Selector("refused_total"), Selector("predictions_total"), by="age")


def about(measure: Measure, compared: bool = False, born: bool = False) -> Question:
    home = Arm("churn-old", measure) if compared else None
    return Question("main", "ml", Arm("churn-new", measure, born), home, START, END)


def answer(measure: Measure, *series: dict[str, Any], compared: bool = False, born: bool = False) -> Answer:
    return ask(Store(list(series)), about(measure, compared, born))


def buckets(before: list[int], after: list[int], bounds: str = "0.1 0.5 +Inf", **labels: str) -> list[dict[str, Any]]:
    """A histogram at the start and in the window, cumulative as its server tells it."""
    told = zip(bounds.split(), before, after, strict=True)
    return [counter("seconds_bucket", (-5, b), (14, a), le=bound, **labels) for bound, b, a in told]


# distributions


def test_a_histogram_is_the_events_of_the_window_in_each_bucket() -> None:
    mine, other = buckets([10, 20, 30], [15, 28, 40]), buckets([0, 0, 0], [1, 1, 2], pod="b")
    home = buckets([0, 0, 0], [90, 99, 100], **HOME)
    assert answer(SECONDS, *mine, *other, *home, compared=True) == Shapes(
        ("0.1", "0.5", "+Inf"), (5 + 1, 3, 2 + 1), (90, 9, 1)
    )


def test_bounds_are_in_order_of_size_and_spelt_as_the_source_does() -> None:
    assert answer(SECONDS, *buckets([0, 0, 0], [3, 1, 4], "10.0 2.50 +Inf")) == Shapes(
        ("2.50", "10.0", "+Inf"), (1, 2, 1), (0, 0, 0)
    )


def test_a_restart_in_the_window_counts_from_zero() -> None:
    reset = [
        counter("seconds_bucket", (-5, 100), (4, 104), (9, 2), le="0.1"),
        counter("seconds_bucket", (-5, 200), (4, 205), (9, 3), le="+Inf"),
    ]
    assert answer(SECONDS, *reset) == Shapes(("0.1", "+Inf"), (4 + 2, 1 + 1), (0, 0))


def test_a_bucket_that_seems_to_shrink_against_the_narrower_one_is_empty() -> None:
    assert answer(SECONDS, *buckets([0, 0, 0], [7, 5, 9])) == Shapes(("0.1", "0.5", "+Inf"), (7, 0, 4), (0, 0, 0))


def test_an_arm_without_series_has_an_empty_distribution() -> None:
    home = buckets([0, 0, 0], [1, 2, 3], **HOME)
    assert answer(SECONDS, *home, compared=True) == Shapes(("0.1", "0.5", "+Inf"), (0, 0, 0), (1, 1, 1))
    assert answer(SECONDS, compared=True) == Shapes(("+Inf",), (0,), (0,))


def test_a_new_histogram_counts_from_its_first_events() -> None:
    born = [counter("seconds_bucket", (3, 4), (14, 9), le=bound) for bound in ("0.1", "+Inf")]
    assert answer(SECONDS, *born, born=True) == Shapes(("0.1", "+Inf"), (9, 0), (0, 0))
    assert answer(SECONDS, *born) == Shapes(("0.1", "+Inf"), (5, 0), (0, 0))


NO_SHAPE = {
    "other bounds in the two revisions": (
        [*buckets([0, 0, 0], [1, 2, 3]), *buckets([0, 0, 0], [1, 2, 3], "0.1 0.4 +Inf", **HOME)],
        "the two revisions have different bucket bounds",
    ),
    "other bounds in two pods": (
        [*buckets([0, 0, 0], [1, 2, 3]), *buckets([0, 0, 0], [1, 2, 3], "0.1 0.4 +Inf", pod="b")],
        "pods of churn-new have different bucket bounds",
    ),
    "one bound more in one pod": (
        [*buckets([0, 0, 0], [1, 2, 3]), *buckets([0, 0], [1, 3], "0.1 +Inf", pod="b")],
        "pods of churn-new have different bucket bounds",
    ),
    "no bucket for the rest": (buckets([0, 0], [1, 2], "0.1 0.5"), "without the bucket +Inf"),
    "a bound in words": (buckets([0, 0], [1, 2], "fast +Inf"), "whose label le is no number"),
    "a bound that is not a number": (buckets([0, 0], [1, 2], "NaN +Inf"), "whose label le is no number"),
    "no bound": ([counter("seconds_bucket", (1, 1))], "whose label le is no number"),
    "a count that is none": (buckets([0, 0, 0], [1, -2, 3]), "a counter with a value that is no count"),
}


@pytest.mark.parametrize("name", NO_SHAPE)
def test_a_histogram_that_cannot_be_added_up_is_silence(name: str) -> None:
    series, words = NO_SHAPE[name]
    found = answer(SECONDS, *series, compared=True)
    assert isinstance(found, Silence) and words in found.message, found


# groups


def aged(name: str, age: str, before: int, after: int, **labels: str) -> dict[str, Any]:
    return counter(name, (-5, before), (14, after), **({"age": age} if age else {}), **labels)


def test_groups_are_counted_apart_over_all_pods() -> None:
    series = [
        aged("predictions_total", "young", 100, 150),
        aged("predictions_total", "young", 0, 10, pod="b"),
        aged("predictions_total", "old", 50, 90),
        aged("refused_total", "young", 10, 13),
        aged("refused_total", "old", 5, 25),
    ]
    assert answer(GROUPED, *series) == Groups({"young": (3, 60), "old": (20, 40)})


def test_where_the_good_are_counted_the_rest_of_each_group_is_bad() -> None:
    good = replace(GROUPED, part_is_good=True)
    series = [aged("predictions_total", "young", 100, 150), aged("refused_total", "young", 10, 50)]
    assert answer(good, *series, aged("predictions_total", "old", 0, 7)) == Groups({"young": (10, 50), "old": (7, 7)})


def test_a_series_without_the_label_is_a_group_without_name() -> None:
    assert answer(GROUPED, aged("predictions_total", "", 0, 9), aged("refused_total", "", 0, 2)) == Groups({"": (2, 9)})


def test_no_series_are_no_groups() -> None:
    assert answer(GROUPED) == Groups({})


def test_a_part_of_a_group_is_never_more_than_the_group() -> None:
    assert answer(GROUPED, aged("predictions_total", "x", 0, 9), aged("refused_total", "x", 0, 11)) == Groups(
        {"x": (9, 9)}
    )


def test_the_stable_revision_is_not_in_the_groups() -> None:
    home = aged("predictions_total", "young", 0, 1000, **HOME)
    assert answer(GROUPED, aged("predictions_total", "young", 0, 5), home) == Groups({"young": (0, 5)})


@pytest.mark.parametrize(("values", "fits"), [(MAX_GROUPS, True), (MAX_GROUPS + 1, False)])
def test_a_label_with_too_many_values_is_no_group(values: int, fits: bool) -> None:
    found = answer(GROUPED, *(aged("predictions_total", f"user-{n}", 0, 1) for n in range(values)))
    assert isinstance(found, Groups) is fits
    assert fits or found == Silence("metric source main: label age has more than 32 values")


# values

GAUGE = Gauge(Selector("queue_depth"))


def test_a_gauge_is_the_last_value_of_each_series_of_the_candidate() -> None:
    series = [
        counter("queue_depth", (-5, 9), (4, 3), (14, 2.5)),
        counter("queue_depth", (4, -1), pod="b"),
        counter("queue_depth", (-1, 7), pod="gone"),
        counter("queue_depth", (14, 99), (16, 100), **HOME),
    ]
    assert answer(GAUGE, *series) == Levels((2.5, -1.0))
    assert answer(GAUGE) == Levels(())


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_a_gauge_that_is_no_number_is_silence(value: str) -> None:
    told = answer(GAUGE, counter("queue_depth", (4, 1), (14, value)), counter("queue_depth", (14, 1), pod="b"))
    assert told == Silence("metric source main: a value that is not a number, or infinite")
    assert answer(GAUGE, counter("queue_depth", (4, value), (14, 1))) == Levels((1.0,)), "only the last one counts"


# users' queries


def query(text: str = "min(accuracy{v='{{version}}'})") -> Question:
    fills = {"namespace": "ml", "name": "churn", "revision": "churn-new", "version": "v2"}
    return about(Query(text, fills))


def gives(kind: str, result: object, **also: object) -> Respond:
    async def respond(_: web.Request) -> web.Response:
        return web.json_response({"status": "success", "data": {"resultType": kind, "result": result}, **also})

    return respond


AT = END.timestamp()
VALUES = {
    "a vector of one": (gives("vector", [{"metric": {}, "value": [AT, "0.93"]}]), Levels((0.93,))),
    "three for one": (
        gives("vector", [{"metric": {"pod": str(n)}, "value": [AT, str(n)]} for n in range(3)]),
        Levels((0.0, 1.0, 2.0)),
    ),
    "a scalar": (gives("scalar", [AT, "7"]), Levels((7.0,))),
    "nothing": (gives("vector", []), Levels(())),
    "a negative": (gives("vector", [{"metric": {}, "value": [AT, "-3"]}]), Levels((-3.0,))),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_query_gives_values(name: str) -> None:
    respond, expected = VALUES[name]
    assert ask(respond, query()) == expected


VALUELESS = {
    "NaN": (gives("vector", [{"metric": {}, "value": [AT, "NaN"]}]), "not a number, or infinite"),
    "one of two": (
        gives("vector", [{"metric": {}, "value": [AT, "1"]}, {"metric": {}, "value": [AT, "+Inf"]}]),
        "not a number, or infinite",
    ),
    "an infinite scalar": (gives("scalar", [AT, "-Inf"]), "not a number, or infinite"),
    "a string": (gives("string", [AT, "secret"]), "the query gives a string"),
    "a matrix": (gives("matrix", []), "the query gives a matrix"),
    "words": (gives("vector", [{"metric": {}, "value": [AT, "much"]}]), "a value that is no number"),
    "a histogram": (gives("vector", [{"metric": {}, "histogram": [AT, {}]}]), "a value that is no number"),
    "no pair": (gives("vector", [{"metric": {}, "value": [AT]}]), "a value that is no number"),
    "no series": (gives("vector", [3]), "a value that is no number"),
    "a broken scalar": (gives("scalar", []), "a value that is no number"),
    "half of it": (gives("vector", [], warnings=["store down"]), "a partial answer"),
    "too much": (gives("vector", [{"metric": {}, "value": [AT, "1"]}] * 2001), "more than 2000 series"),
}


@pytest.mark.parametrize("name", VALUELESS)
def test_what_is_no_value_is_silence(name: str) -> None:
    respond, words = VALUELESS[name]
    found = ask(respond, query())
    assert isinstance(found, Silence) and words in found.message and "secret" not in found.message, found


def asked_for(text: str, raw: bool = False) -> tuple[Answer, list[dict[str, str]]]:
    """The answer to a query, and what was sent for it."""

    async def story() -> tuple[Answer, list[dict[str, str]]]:
        sent: list[dict[str, str]] = []

        async def respond(request: web.Request) -> web.StreamResponse:
            sent.append({key: str(value) for key, value in (await request.post()).items()})
            return await gives("scalar", [AT, "1"])(request)

        async with serving(respond) as url, aiohttp.ClientSession() as session:
            (found,) = await Prometheus("main", Http(url, session), raw).ask([query(text)])
            return found, sent

    return asyncio.run(story())


def test_a_users_query_is_filled_in_held_to_the_namespace_and_evaluated_at_the_windows_end() -> None:
    _, (sent,) = asked_for("min(accuracy{v='{{version}}'})")
    assert sent == {"query": 'min(accuracy{namespace="ml",v="v2"})', "time": f"{AT:.3f}", "timeout": "5000ms"}


def test_only_the_administrator_lets_a_query_see_everything() -> None:
    _, (sent,) = asked_for("min(accuracy{v='{{version}}'} keep_metric_names)", raw=True)
    assert sent["query"] == 'min(accuracy{v="v2"} keep_metric_names)'


def test_a_query_that_is_none_is_not_even_sent() -> None:
    found, sent = asked_for("min(accuracy")
    assert found == Silence("metric source main: the query is no PromQL: unclosed left parenthesis") and sent == []


def test_the_same_query_is_asked_once() -> None:
    async def story() -> tuple[list[Answer], int]:
        sent: list[str] = []

        async def respond(request: web.Request) -> web.StreamResponse:
            sent.append(str((await request.post())["query"]))
            return await gives("scalar", [AT, "1"])(request)

        later = replace(query(), end=END + timedelta(seconds=1))
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            found = await Prometheus("main", Http(url, session)).ask([query(), later, query(), query("1 +")])
            return found, len(sent)

    answers, times = asyncio.run(story())
    assert answers[:3] == [Levels((1.0,))] * 3 and isinstance(answers[3], Silence) and times == 2
