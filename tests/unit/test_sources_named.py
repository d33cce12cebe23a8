"""Named queries: the administrator's text and the user's choice; the limits that hold for every such source."""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

import pytest

from penstock.metrics.http import Limited, Unusable
from penstock.metrics.named import MAX_SERIES, PLACES, Asked, Named, fill, fill_all, numbers, unknown
from penstock.model.measure import (
    Answer,
    Gauge,
    Histogram,
    Levels,
    Measure,
    Rate,
    Ratio,
    Selector,
    Silence,
)
from tests.unit.named_source import FILLS, pause_of, question

SERIES = Selector("requests_total")


def source(*values: object, queries: Sequence[str] = ("accuracy", "drift")) -> Named:
    async def read(_: Asked) -> Sequence[object]:
        return values

    return Named("main", {name: {} for name in queries}, read)


def first(named: Named, text: str = "accuracy", measure: Measure | None = None) -> Answer:
    (answer,) = asyncio.run(named.ask([question(text, measure)]))
    return answer


def test_a_query_is_chosen_by_its_name() -> None:
    assert first(source(0.93, 1, -2.5)) == Levels((0.93, 1.0, -2.5))
    assert first(source(0.93), " drift\n") == Levels((0.93,)), "YAML's block text ends with a line"
    assert first(source()) == Levels(())


@pytest.mark.parametrize("text", ["precision", "Accuracy", "min(accuracy)", "{{name}}", "avg:accuracy{*}"])
def test_another_text_is_no_query(text: str) -> None:
    assert first(source(1), text) == Silence("metric source main: no query of that name; it has accuracy, drift")


@pytest.mark.parametrize("measure", [Ratio(SERIES, SERIES), Histogram(SERIES), Rate(SERIES), Gauge(SERIES)])
def test_what_needs_series_by_name_is_told_what_there_is(measure: Measure) -> None:
    words = "answers named queries only: use value: {query: NAME}; it has accuracy, drift"
    assert first(source(1), measure=measure) == Silence(f"metric source main {words}")


def test_of_many_names_some_are_shown() -> None:
    answer = first(source(1, queries=[f"q{n:02}" for n in range(40)]), "other")
    assert isinstance(answer, Silence)
    assert answer.message.endswith("q10, q11 and 28 more") and len(answer.message) < 200


BROKEN = {
    "NaN": ([0.9, float("nan")], "not finite"),
    "infinite": ([float("inf")], "not finite"),
    "minus infinite": ([float("-inf")], "not finite"),
    "more digits than a float has": ([10**400], "not finite"),
    "a string": (["0.9"], "no number"),
    "true": ([True], "no number"),
    "a list": ([[0.9]], "no number"),
    "nothing": ([None], "no number"),
    "too many": ([0.5] * (MAX_SERIES + 1), f"more than {MAX_SERIES} series"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_value_spoils_the_answer(name: str) -> None:
    values, words = BROKEN[name]
    with pytest.raises(Unusable, match=words):
        numbers(values)
    answer = first(source(*values))
    assert isinstance(answer, Silence) and words in answer.message


def test_as_many_series_as_are_allowed_are_numbers() -> None:
    assert numbers([0.5] * MAX_SERIES) == (0.5,) * MAX_SERIES


def test_placeholders_are_filled_once_and_quoted() -> None:
    fills = {**FILLS, "version": "{{name}}/../x?y=1&z#é"}
    assert fill("/{{namespace}}/{{revision}}", FILLS, str) == "/ml/churn-b21d"
    assert fill("/{{version}}/x", fills, lambda value: quote(value, safe="")) == (
        "/%7B%7Bname%7D%7D%2F..%2Fx%3Fy%3D1%26z%23%C3%A9/x"
    )
    assert fill("{{version}}", fills, str) == fills["version"], "what was filled in is not looked at again"
    structure = {"{{name}}": ["{{name}}", 1, None, {"a": "<{{version}}>"}]}
    assert fill_all(structure, FILLS) == {"{{name}}": ["churn", 1, None, {"a": "<8>"}]}


@pytest.mark.parametrize("fills", [{}, {"version": ""}])
def test_an_empty_place_is_not_asked_about(fills: dict[str, str]) -> None:
    with pytest.raises(Unusable, match=r"nothing is known to fill in for \{\{version\}\}"):
        fill("version:{{version}}", fills, str)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{namespace}}{{name}}{{revision}}{{version}}", []),
        ("{{{version}}}", ["{version"]),
        ("{{ name }} {{Name}} {{pod}} {{}}", [" name ", "Name", "pod", ""]),
        ("query { a { b } }", []),
    ],
)
def test_a_placeholder_that_nothing_fills_is_found(text: str, names: list[str]) -> None:
    assert unknown(text) == names


def test_a_source_that_has_had_enough_is_left_alone_for_as_long_as_it_says() -> None:
    calls: list[Asked] = []

    async def read(asked: Asked) -> Sequence[object]:
        calls.append(asked)
        raise Limited("HTTP 429: too many questions", 60)

    async def story() -> list[Answer]:
        named = Named("main", {"accuracy": {}}, read)
        answers = [*await named.ask([question()]), *await named.ask([question()])]
        named._quiet_until = asyncio.get_running_loop().time()
        return [*answers, *await named.ask([question()])]

    told, spared, told_again = asyncio.run(story())
    assert told == told_again == Silence("metric source main: HTTP 429: too many questions")
    assert 30 < pause_of(spared) <= 60
    assert len(calls) == 2


def test_many_questions_are_answered_in_their_order_and_a_few_at_a_time() -> None:
    under_way, most = 0, 0

    async def read(asked: Asked) -> Sequence[object]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return [int(asked.fills["version"])]

    async def story() -> list[Answer]:
        return await Named("main", {"accuracy": {}}, read).ask([question(version=str(n)) for n in range(50)])

    assert asyncio.run(story()) == [Levels((float(n),)) for n in range(50)]
    assert most == PLACES


def test_waiting_for_a_place_counts_as_waiting() -> None:
    """A turn waits for the timeout once, however many questions it has."""

    async def read(_: Asked) -> Sequence[object]:
        await asyncio.Event().wait()
        return []

    async def story() -> list[Answer]:
        named = Named("main", {"accuracy": {}}, read, timeout=0.05)
        asking = [asyncio.create_task(named.ask([question()])) for _ in range(PLACES)]
        for _ in range(PLACES):
            await named._places.acquire()  # behind those who ask, and then for good
        async with asyncio.timeout(5):
            late = await named.ask([question()])
        return late + [answer for task in asking for answer in await task]

    silence = Silence("metric source main does not answer: nothing whole within 0.05s")
    assert asyncio.run(story()) == [silence] * (PLACES + 1)
