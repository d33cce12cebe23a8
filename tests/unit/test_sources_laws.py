"""Laws over the registry: whatever any type of source is told, it never raises, never passes and never counts.

A type that is added to `SOURCES` needs a row in SUBJECTS, and is then fed with all of it.
"""

import asyncio
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics import SOURCES
from penstock.metrics.http import MAX_BYTES
from penstock.model.measure import Answer, Counts, Levels, Question, Silence
from tests.unit.named_source import SECRETS, ask, cloudwatch, datadog, json_source, question, serving
from tests.unit.prometheus_source import ERRORS, Respond
from tests.unit.prometheus_source import question as counted
from tests.unit.test_sources_cloudwatch import NOON

Options = Callable[[Path, str], Mapping[str, Any]]
SERIES = {"__name__": "requests_total", "pod": "a", "namespace": "ml", "penstock_dev_revision": "churn-new"}
AT = counted().start.timestamp()


@dataclass(frozen=True)
class Subject:
    """One type: its options, a question, its answer with VALUE for the number, a good number, and what comes of it."""

    options: Options
    question: Question
    answer: str
    good: str
    comes: Answer


def prometheus(folder: Path, url: str) -> Mapping[str, Any]:
    return {"url": url, "timeout": "5s"}


SUBJECTS = {
    "prometheus": Subject(
        prometheus,
        counted(ERRORS),
        json.dumps(
            {
                "status": "success",
                "data": {
                    "resultType": "matrix",
                    "result": [{"metric": SERIES, "values": [[AT - 5, "1"], [AT + 5, 0]]}],
                },
            }
        ).replace("0]]", "VALUE]]"),
        '"5"',
        Counts(4, 4),
    ),
    "datadog": Subject(
        datadog,
        question(),
        '{"data": {"attributes": {"columns": [{"name": "a", "type": "number", "values": [VALUE]}]}}}',
        "0.93",
        Levels((0.93,)),
    ),
    "cloudwatch": Subject(
        cloudwatch,
        question(),
        f'{{"MetricDataResults": [{{"StatusCode": "Complete", "Timestamps": [{NOON}], "Values": [VALUE]}}]}}',
        "0.93",
        Levels((0.93,)),
    ),
    "json": Subject(json_source, question(), '{"scores": {"accuracy": VALUE}}', "0.93", Levels((0.93,))),
}
KINDS = sorted(SOURCES)


def test_every_type_is_a_subject() -> None:
    assert set(SUBJECTS) == set(SOURCES)


def text(body: str | bytes, status: int = 200, **headers: str) -> Respond:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    return respond


def answer_of(kind: str, respond: Respond, folder: Path) -> Answer:
    subject = SUBJECTS[kind]
    (answer,) = ask(kind, respond, lambda url: subject.options(folder, url), subject.question)
    return answer


def harmless(answer: Answer) -> bool:
    """What is neither a pass nor a failure."""
    return isinstance(answer, Silence) or answer == Levels(())


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_answer_is_read(kind: str, tmp_path: Path) -> None:
    """Or all the laws below would hold for a source that understands nothing."""
    subject = SUBJECTS[kind]
    assert answer_of(kind, text(subject.answer.replace("VALUE", subject.good)), tmp_path) == subject.comes


NO_NUMBERS = [
    "NaN",
    '"NaN"',
    "Infinity",
    '"+Inf"',
    "-Infinity",
    '"-Inf"',
    "1e999",
    '"many"',
    '""',
    "[[1]]",
    "{}",
    "null",
]


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_becomes_none(kind: str, value: str, tmp_path: Path) -> None:
    answer = answer_of(kind, text(SUBJECTS[kind].answer.replace("VALUE", value)), tmp_path)
    assert harmless(answer), answer


BODIES: dict[str, tuple[str | bytes, int]] = {
    "empty": ("", 200),
    "white space": (" \n", 200),
    "null": ("null", 200),
    "a number": ("7", 200),
    "a string": ('"0.93"', 200),
    "true": ("true", 200),
    "a list": ("[]", 200),
    "an object": ("{}", 200),
    "a login page": ("<html>please log in</html>", 200),
    "bytes": (b"\xff\xfe\x00", 200),
    "cut short": ('{"data": {"attrib', 200),
    "nested without end": ("[" * 200_000, 200),
    "too large": (b" " * (MAX_BYTES + 1), 200),
    "no content": ("", 204),
    "unauthorized": ("{}", 401),
    "forbidden": ("{}", 403),
    "not found": ("{}", 404),
    "too many": ("{}", 429),
    "its own fault": ("{}", 500),
    "gone for now": ("down for maintenance", 503),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_answer_is_silence(kind: str, name: str, tmp_path: Path) -> None:
    answer = answer_of(kind, text(*BODIES[name]), tmp_path)
    assert isinstance(answer, Silence) and answer.message.startswith("metric source main"), answer
    assert len(answer.message) < 200


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503, 226, 299])
@pytest.mark.parametrize("kind", KINDS)
def test_a_good_body_with_a_bad_status_is_silence(kind: str, status: int, tmp_path: Path) -> None:
    subject = SUBJECTS[kind]
    answer = answer_of(kind, text(subject.answer.replace("VALUE", subject.good), status), tmp_path)
    assert isinstance(answer, Silence) and f"HTTP {status}" in answer.message, answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", KINDS)
def test_no_redirect_is_followed(kind: str, status: int, tmp_path: Path) -> None:
    """It would carry the administrator's credentials to wherever the source says."""
    subject, visited = SUBJECTS[kind], list[str]()

    async def respond(request: web.Request) -> web.Response:
        visited.append(request.path)
        where = {"Location": f"http://{request.host}/elsewhere"}
        return web.Response(status=status, text=subject.answer.replace("VALUE", subject.good), headers=where)

    answer = answer_of(kind, respond, tmp_path)
    assert isinstance(answer, Silence) and visited and "/elsewhere" not in visited


def asked_in_vain(kind: str, url: str, folder: Path) -> Answer:
    subject = SUBJECTS[kind]
    options = {**subject.options(folder, url), "timeout": "100ms"}

    async def story() -> list[Answer]:
        async with aiohttp.ClientSession() as session:
            return await SOURCES[kind]("main", options, session, time.time).ask([subject.question])

    (answer,) = asyncio.run(story())
    return answer


@pytest.mark.parametrize("begun", [False, True], ids=["nothing", "half an answer"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_hangs_is_given_up(kind: str, begun: bool, tmp_path: Path) -> None:
    subject = SUBJECTS[kind]

    async def story() -> list[Answer]:
        over = asyncio.Event()

        async def respond(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            if begun:
                await answer.prepare(request)
                await answer.write(b'{"status":')
            await over.wait()
            return answer

        async with serving(respond) as url, aiohttp.ClientSession() as session:
            options = {**subject.options(tmp_path, url), "timeout": "100ms"}
            answers = await SOURCES[kind]("main", options, session, time.time).ask([subject.question])
            over.set()
            return answers

    (answer,) = asyncio.run(story())
    assert isinstance(answer, Silence) and "does not answer" in answer.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_breaks_is_silence(kind: str, tmp_path: Path) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    assert isinstance(answer_of(kind, respond, tmp_path), Silence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_not_there_is_silence(kind: str, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert isinstance(asked_in_vain(kind, url, tmp_path), Silence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_speaks_no_tls_is_silence(kind: str, tmp_path: Path) -> None:
    subject = SUBJECTS[kind]
    respond = text(subject.answer.replace("VALUE", subject.good))
    (answer,) = ask(
        kind, respond, lambda url: subject.options(tmp_path, url.replace("http:", "https:")), subject.question
    )
    assert isinstance(answer, Silence) and "TLS" in answer.message


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """TLS of a server with the right name whose certificate nobody vouches for."""
    key, crt = (str(tmp_path_factory.mktemp("tls") / name) for name in ("key", "crt"))
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
    ]
    also = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt]
    subprocess.run(["openssl", *words, *also], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(crt, key)
    return context


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_nobody_vouches_for_is_silence_and_no_secret_leaves(
    kind: str, tmp_path: Path, stranger: ssl.SSLContext
) -> None:
    subject, visited = SUBJECTS[kind], list[str]()

    async def respond(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response(text=subject.answer.replace("VALUE", subject.good))

    async def story() -> list[Answer]:
        async with serving(respond, stranger) as url, aiohttp.ClientSession() as session:
            assert url.startswith("https://")
            return await SOURCES[kind]("main", subject.options(tmp_path, url), session, time.time).ask(
                [subject.question]
            )

    (answer,) = asyncio.run(story())
    assert isinstance(answer, Silence) and "its certificate is not valid" in answer.message and not visited


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "prometheus"])
def test_a_secret_that_is_not_there_is_silence_and_nothing_is_sent(kind: str, tmp_path: Path) -> None:
    visited: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response()

    def options(url: str) -> Mapping[str, Any]:
        made = SUBJECTS[kind].options(tmp_path, url)
        for name in SECRETS:
            (tmp_path / name).unlink()
        return made

    (answer,) = ask(kind, respond, options, SUBJECTS[kind].question)
    assert isinstance(answer, Silence) and "cannot be read" in answer.message and not visited


@pytest.mark.parametrize("seconds", [-3600, -60, 60, 3600])
@pytest.mark.parametrize("kind", KINDS)
def test_a_source_with_another_clock_is_silence(kind: str, seconds: int, tmp_path: Path) -> None:
    """What it takes for the window is not what we asked for."""
    subject = SUBJECTS[kind]
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    answer = answer_of(kind, text(subject.answer.replace("VALUE", subject.good), Date=then), tmp_path)
    assert isinstance(answer, Silence) and "its clock is" in answer.message, answer


@pytest.mark.parametrize(
    "date", ["", "soon", "0", "Sat, 99 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 99999999999 12:00:00 GMT"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_nobody_can_read_is_no_fault(kind: str, date: str, tmp_path: Path) -> None:
    subject = SUBJECTS[kind]
    answer = answer_of(kind, text(subject.answer.replace("VALUE", subject.good), Date=date), tmp_path)
    assert answer == subject.comes
