"""A local server that answers as a Prometheus does, for the tests of the adapter."""

import asyncio
import json
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
    r'(?P<name>\w+)\{namespace(?P<namespace>=~?"[^"]*"),penstock_dev_revision(?P<revision>=~?"[^"]*")(?P<where>,.*)?\}'
    r"\[(?P<seconds>\d+)s\]"
)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def counter(name: str, *samples: tuple[float, object], **labels: str) -> dict[str, Any]:
    """A series as Prometheus spells it; the times are seconds from the start of the window."""
    values = [[START.timestamp() + at, str(value)] for at, value in samples]
    known = {"namespace": "ml", "penstock_dev_revision": "churn-new", "pod": "a"}
    return {"metric": {"__name__": name, **known, **labels}, "values": values}


@dataclass
class Store:
    """Answers range selectors as a Prometheus does, as far as the adapter's own queries go; notes what was asked."""

    series: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append({"path": request.path, **form})
        return matrix(self.found(form["query"], float(form["time"])))

    def found(self, text: str, at: float) -> list[dict[str, Any]]:
        query = QUERY.fullmatch(text)
        assert query, text
        since = at - int(query["seconds"])
        found = []
        for one in self.series:
            labels = one["metric"]
            values = [each for each in one["values"] if since < each[0] <= at]
            if (
                values
                and labels["__name__"] == query["name"]
                and all(
                    (
                        _matches(query["namespace"], labels["namespace"]),
                        _matches(query["revision"], labels["penstock_dev_revision"]),
                        query["where"] != ',code=~"5.."' or labels.get("code", "").startswith("5"),
                    )
                )
            ):
                found.append({"metric": labels, "values": values})
        return found


def _matches(right: str, value: str) -> bool:
    """As a label matcher does: = for a text, =~ for a pattern of the whole."""
    sign, _, text = right.partition('"')
    text = json.loads('"' + text)
    return re.fullmatch(text, value) is not None if sign == "=~" else text == value


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
    return ask(Store(list(series)), about)


ROUTINE = [
    counter("requests_total", (-5, 100), (5, 110), (14, 130), code="200"),
    counter("requests_total", (-5, 2), (5, 3), (14, 7), code="500"),
]
