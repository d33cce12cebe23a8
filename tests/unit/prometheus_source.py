"""A local server that answers as a Prometheus does, for the tests of the adapter."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from penstock.metrics import Source
from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Answer, Arm, Question, Ratio, Selector

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
END = START + timedelta(seconds=15)
ERRORS = Ratio(Selector("requests_total", 'code=~"5.."'), Selector("requests_total"))
GOOD = Ratio(Selector("answered_total"), Selector("requests_total"), part_is_good=True)
QUERY = re.compile(
    r'(?P<name>\w+)\{namespace="ml",penstock_dev_revision="(?P<revision>[^"]*)"(?P<where>,.*)?\}\[\d+s\]'
)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def counter(name: str, *samples: tuple[float, object], pod: str = "a", **labels: str) -> dict[str, Any]:
    """A series as Prometheus spells it; the times are seconds from the start of the window."""
    values = [[START.timestamp() + at, str(value)] for at, value in samples]
    return {"metric": {"__name__": name, "pod": pod, **labels}, "values": values}


@dataclass
class Store:
    """Answers range selectors from series by revision, as far as the adapter's own queries go; notes what was asked."""

    series: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append({"path": request.path, **form})
        query = QUERY.fullmatch(form["query"])
        assert query, form["query"]
        found = [s for s in self.series.get(query["revision"], []) if s["metric"]["__name__"] == query["name"]]
        if query["where"] == ',code=~"5.."':
            found = [s for s in found if s["metric"].get("code", "").startswith("5")]
        return matrix(found)


def matrix(result: object, **also: object) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}, **also})


@asynccontextmanager
async def serving(respond: Respond) -> AsyncIterator[str]:
    """A server on loopback that answers every path with `respond`; its address."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await respond(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


def question(ratio: Ratio = ERRORS, born: bool = False, compared: bool = False) -> Question:
    home = Arm("churn-old", ratio) if compared else None
    return Question("main", "ml", Arm("churn-new", ratio, born), home, START, END)


async def asked(source: Source, about: Question | None = None) -> Answer:
    """One question alone."""
    (answer,) = await source.ask([about or question()])
    return answer


def ask(respond: Respond, about: Question | None = None, timeout: float = 5.0) -> Answer:
    async def story() -> Answer:
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            return await asked(Prometheus("main", Http(url, session, timeout=timeout)), about)

    return asyncio.run(story())


def counts(*series: dict[str, Any], about: Question | None = None) -> Answer:
    return ask(Store({"churn-new": list(series)}), about)


ROUTINE = [
    counter("requests_total", (-5, 100), (5, 110), (14, 130), code="200"),
    counter("requests_total", (-5, 2), (5, 3), (14, 7), code="500"),
]
