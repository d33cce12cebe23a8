"""The Prometheus adapter over a real socket: whatever a source may do, it is Silence in words and never a raise."""

import asyncio
import itertools
import json
import socket

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics.http import Http
from penstock.metrics.prometheus import AT_ONCE, MAX_SERIES, Prometheus
from penstock.model.measure import Answer, Counts, Ratio, Selector, Silence
from tests.unit.prometheus_source import (
    ERRORS,
    ROUTINE,
    START,
    Respond,
    Store,
    ask,
    asked,
    counter,
    counts,
    matrix,
    question,
    serving,
)

LABELS = {"namespace": "ml", "penstock_dev_revision": "churn-new"}


def says(status: int, text: str | bytes, kind: str = "application/json") -> Respond:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=status, body=text, content_type=kind)

    return respond


def spelt(body: object) -> Respond:
    return says(200, json.dumps(body))


def valued(*values: object) -> Respond:
    return spelt(
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": LABELS, "values": values}]}}
    )


def refused(kind: str) -> str:
    return json.dumps({"status": "error", "errorType": kind, "error": "secret inner words"})


AT = START.timestamp() + 1
WHOLE = {"resultType": "matrix", "result": []}
UNUSABLE = {
    "NaN": (valued([AT, "NaN"]), "a value that is no count"),
    "+Inf": (valued([AT, "1"], [AT + 1, "+Inf"]), "a value that is no count"),
    "negative": (valued([AT, "-1"]), "a value that is no count"),
    "words": (valued([AT, "many"]), "no pairs of time and number"),
    "nothing": (valued([AT, None]), "no pairs of time and number"),
    "three in a pair": (valued([AT, "1", "2"]), "no pairs of time and number"),
    "no values": (spelt({"status": "success", "data": WHOLE | {"result": [{"metric": LABELS}]}}), "no pairs"),
    "series that are none": (spelt({"status": "success", "data": WHOLE | {"result": [7]}}), "no pairs"),
    "labels that are none": (
        spelt({"status": "success", "data": WHOLE | {"result": [{"metric": 1, "values": []}]}}),
        "no pairs",
    ),
    "vector": (spelt({"status": "success", "data": {"resultType": "vector", "result": []}}), "not a matrix"),
    "scalar": (spelt({"status": "success", "data": {"resultType": "scalar", "result": [AT, "1"]}}), "not a matrix"),
    "matrix of nothing": (spelt({"status": "success", "data": WHOLE | {"result": None}}), "not a matrix"),
    "list for an object": (spelt({"status": "success", "data": [1]}), "not a matrix"),
    "no data": (spelt({"status": "success"}), "not a matrix"),
    "a list": (spelt([]), "HTTP 200 and no answer"),
    "null": (spelt(None), "HTTP 200 and no answer"),
    "partial": (spelt({"status": "success", "data": WHOLE, "warnings": ["store-1 is down"]}), "partial answer"),
    "no JSON": (says(200, "<html>login</html>", "text/html"), "HTTP 200 and no JSON"),
    "cut short": (says(200, '{"status": "succ'), "HTTP 200 and no JSON"),
    "bytes": (says(200, b"\xff\xfe\x00"), "HTTP 200 and no JSON"),
    "empty": (says(200, ""), "HTTP 200 and no JSON"),
    "deeply nested": (says(200, "[" * 200_000), "HTTP 200 and no JSON"),
    "500": (says(500, "boom", "text/plain"), "HTTP 500 and no JSON"),
    "503 as Prometheus says it": (says(503, refused("unavailable")), "HTTP 503 unavailable"),
    "400": (says(400, refused("bad_data")), "HTTP 400 bad_data"),
    "422": (says(422, refused("execution")), "HTTP 422 execution"),
    "401": (says(401, "who are you", "text/plain"), "HTTP 401 and no JSON"),
    "success with a bad status": (says(500, json.dumps({"status": "success", "data": WHOLE})), "HTTP 500"),
    "error with a good status": (says(200, refused("timeout")), "HTTP 200 timeout"),
    "6 MiB": (says(200, b" " * (6 << 20)), "more than 4 MiB"),
    "too many series": (
        spelt({"status": "success", "data": WHOLE | {"result": [{"metric": LABELS, "values": []}] * (MAX_SERIES + 1)}}),
        "more than 2000 series",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_counted_is_silence_in_words(name: str) -> None:
    respond, words = UNUSABLE[name]
    answer = ask(respond)
    assert isinstance(answer, Silence)
    assert answer.message.startswith("metric source main: ") and words in answer.message, answer.message
    assert len(answer.message) < 200 and "secret" not in answer.message


def test_as_many_series_as_are_allowed_are_counted() -> None:
    many = [counter("requests_total", (-5, 1), (14, 2), pod=f"p{n}", code="200") for n in range(MAX_SERIES)]
    assert counts(*many) == Counts(0, MAX_SERIES)


def test_one_silent_arm_makes_the_answer_silent() -> None:
    """A candidate's count against half a picture of the stable revision would blame the wrong one."""

    async def respond(request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        return matrix([]) if "churn-new" in query else web.json_response({}, status=503)

    async def story() -> Answer:
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            apart = {ERRORS.part: 1, ERRORS.total: 1}  # each arm by a query of its own
            return await asked(Prometheus("main", Http(url, session), sizes=apart), question(compared=True))

    assert asyncio.run(story()) == Silence("metric source main: HTTP 503: the fault is its own")


def test_a_redirect_is_not_followed() -> None:
    """The administrator gave one address; a source must not be able to send the operator to another."""
    visited: list[str] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        visited.append(request.path)
        if request.path == "/api/v1/query":
            raise web.HTTPTemporaryRedirect(f"http://{request.host}/elsewhere")
        return matrix([])

    answer = ask(respond)
    assert set(visited) == {"/api/v1/query"}
    assert isinstance(answer, Silence) and "HTTP 307" in answer.message


def test_a_source_that_hangs_is_given_up_in_time() -> None:
    async def story() -> tuple[Answer, float]:
        released = asyncio.Event()

        async def respond(_: web.Request) -> web.Response:
            await released.wait()
            return matrix([])

        async with serving(respond) as url, aiohttp.ClientSession() as session:
            began = asyncio.get_running_loop().time()
            answer = await asked(Prometheus("main", Http(url, session, timeout=0.2)))
            released.set()
            return answer, asyncio.get_running_loop().time() - began

    answer, took = asyncio.run(story())
    assert isinstance(answer, Silence) and "does not answer: " in answer.message
    assert took < 2.0


def test_all_queries_of_a_batch_share_one_time_limit() -> None:
    """Slow answers in a row must not hold a turn that many times as long: who waited too long is not even asked."""

    async def story() -> tuple[list[Answer], int]:
        over, visits = asyncio.Event(), itertools.count()

        async def respond(_: web.Request) -> web.Response:
            next(visits)
            await over.wait()
            return matrix([])

        many = [question(Ratio(Selector(f"bad_{n}"), Selector(f"all_{n}"))) for n in range(AT_ONCE)]
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            answers = await Prometheus("main", Http(url, session, timeout=0.2)).ask(many)
            over.set()
        return answers, next(visits)

    answers, visits = asyncio.run(story())
    assert all(isinstance(each, Silence) and "does not answer: " in each.message for each in answers)
    assert visits <= AT_ONCE


def test_a_source_that_drips_for_ever_is_given_up_in_time() -> None:
    async def story() -> Answer:
        over = asyncio.Event()

        async def respond(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b'{"status":')
            await over.wait()
            return answer

        async with serving(respond) as url, aiohttp.ClientSession() as session:
            answer = await asked(Prometheus("main", Http(url, session, timeout=0.2)))
            over.set()
            return answer

    answer = asyncio.run(story())
    assert isinstance(answer, Silence) and "does not answer: " in answer.message


def test_a_connection_that_breaks_is_silence() -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    answer = ask(respond)
    assert isinstance(answer, Silence) and "does not answer: " in answer.message


def test_a_refused_connection_is_silence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        port = probe.getsockname()[1]

        async def story() -> Answer:
            async with aiohttp.ClientSession() as session:
                return await asked(Prometheus("main", Http(f"http://127.0.0.1:{port}", session)))

        answer = asyncio.run(story())
    assert isinstance(answer, Silence) and "does not answer: it refuses connections" in answer.message


def test_a_name_that_does_not_resolve_is_silence() -> None:
    async def story() -> Answer:
        async with aiohttp.ClientSession() as session:
            return await asked(Prometheus("main", Http("http://no-such-host.invalid:9090", session)))

    assert isinstance(asyncio.run(story()), Silence)


def test_the_silence_of_one_question_does_not_outlive_it() -> None:
    async def story() -> list[Answer]:
        store, broken = Store(ROUTINE), True

        async def respond(request: web.Request) -> web.Response:
            return web.Response(status=500) if broken else await store(request)

        async with serving(respond) as url, aiohttp.ClientSession() as session:
            source = Prometheus("main", Http(url, session))
            first = await asked(source)
            broken = False
            return [first, await asked(source)]

    first, second = asyncio.run(story())
    assert isinstance(first, Silence) and second == Counts(5, 35)
