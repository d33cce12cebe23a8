"""Sources of named queries against a server on loopback that notes every byte it is sent, for their tests."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from penstock.metrics import SOURCES
from penstock.model.measure import Answer, Arm, Measure, Query, Question, Silence
from tests.unit.prometheus_source import Respond

START = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
END = START + timedelta(seconds=75)
FILLS = {"namespace": "ml", "name": "churn", "revision": "churn-b21d", "version": "8"}
# What must never be seen again: the content of every secret file of the tests.
SECRETS = {name: f"canary-{name}-9f3a7c" for name in ("api", "application", "access", "secret", "session", "bearer")}


@dataclass
class Heard:
    """A server that answers always the same, and what it heard: (method, raw path and query, headers, body)."""

    answer: Callable[[], web.StreamResponse]
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, request.headers.copy(), await request.read()))
        return self.answer()


def says(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Heard:
    """One that answers with JSON, or with text as it stands."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Heard(lambda: web.Response(status=status, text=text, headers=headers, content_type="application/json"))


@asynccontextmanager
async def serving(respond: Respond, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on loopback that answers everything with `respond`, without any idea of paths; its address."""
    runner = web.ServerRunner(web.Server(respond), shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


def secret_files(folder: Path) -> dict[str, str]:
    """A file for each secret; name -> path."""
    for name, text in SECRETS.items():
        (folder / name).write_text(text + "\n")
    return {name: str(folder / name) for name in SECRETS}


def datadog(folder: Path, url: str = "", **also: Any) -> dict[str, Any]:
    """Options of a Datadog source, as the settings dump them."""
    files = secret_files(folder)
    text = "avg:model.accuracy{namespace:{{namespace}},revision:{{revision}},version:{{version}}} by {pod}"
    return {
        "url": url,
        "site": "datadoghq.eu",
        "timeout": "5s",
        "delay": "30s",
        "api_key_file": files["api"],
        "application_key_file": files["application"],
        "queries": {"accuracy": {"query": text, "aggregator": "min"}},
        **also,
    }


def cloudwatch(folder: Path, url: str = "", **also: Any) -> dict[str, Any]:
    """Options of a CloudWatch source."""
    files = secret_files(folder)
    query = {
        "namespace": "Models/Quality",
        "metric": "Accuracy",
        "dimensions": {"Namespace": "{{namespace}}", "Revision": "{{revision}}", "Version": "v{{version}}"},
        "stat": "Minimum",
        "period": "60s",
    }
    return {
        "url": url,
        "region": "eu-central-1",
        "timeout": "5s",
        "delay": "0s",
        "access_key_id_file": files["access"],
        "secret_access_key_file": files["secret"],
        "session_token_file": files["session"],
        "queries": {"accuracy": query},
        **also,
    }


JSON_QUERY = {
    "method": "GET",
    "path": "/scores/{{namespace}}/{{version}}",
    "params": {"revision": "{{revision}}", "from": "{{start}}", "to": "{{end}}"},
    "body": None,
    "value": "/scores/accuracy",
}


def json_source(folder: Path, url: str = "", **also: Any) -> dict[str, Any]:
    """Options of a JSON source."""
    bearer = {"bearer": {"token_file": secret_files(folder)["bearer"]}}
    return {"url": url, "timeout": "5s", "auth": bearer, "queries": {"accuracy": JSON_QUERY}, **also}


def question(text: str = "accuracy", measure: Measure | None = None, **fills: str) -> Question:
    """About the accuracy of churn-b21d, unless told otherwise."""
    wanted = measure or Query(text, {**FILLS, **fills})
    return Question("main", "ml", Arm("churn-b21d", wanted), None, START, END)


def pause_of(answer: Answer) -> int:
    """Seconds for which a source is left alone, as its silence says; some have passed on a busy machine."""
    assert isinstance(answer, Silence)
    found = re.fullmatch(r"metric source main: too many questions; it is left alone for (\d+)s more", answer.message)
    assert found, answer.message
    return int(found[1])


Options = Callable[[str], Mapping[str, Any]]


def ask(kind: str, respond: Respond, options: Options, *questions: Question) -> Sequence[Answer]:
    """Answers to the questions, asked one after the other of one source of that type made by its factory."""

    async def story() -> list[Answer]:
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            source = SOURCES[kind]("main", options(url), session, time.time)
            return [answer for each in questions or (question(),) for answer in await source.ask([each])]

    return asyncio.run(story())
