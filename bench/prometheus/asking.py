"""Asks a Prometheus: its own figures, and what the operator's adapter would ask of it while canaries are judged."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

# All requests and bad ones, all and fast ones: raw samples of one arm, over an interval and the look-back before it.
WINDOW = 136
INFER = 'method="POST",path=~"/v2/models/.+/infer"'
SELECTORS = (
    ("rest_server_requests_total", INFER),
    ("rest_server_requests_total", INFER + ',status_code=~"5.."'),
    ("rest_server_request_duration_seconds_count", INFER),
    ("rest_server_request_duration_seconds_bucket", INFER + ',le="0.5"'),
)


@dataclass
class Asker:
    """Some questions a second, evenly, each about the next revision; how long each took is kept, in seconds."""

    url: str
    session: aiohttp.ClientSession
    rate: float
    revisions: list[tuple[str, str]]
    took: list[float] = field(default_factory=list)
    empty: int = 0
    refused: int = 0

    async def run(self) -> None:
        """For ever; cancel it."""
        number = 0
        while True:
            begin = time.monotonic()
            await self._ask(number)
            self.took.append(time.monotonic() - begin)
            number += 1
            await asyncio.sleep(max(0.0, 1 / self.rate - (time.monotonic() - begin)))

    async def _ask(self, number: int) -> None:
        namespace, revision = self.revisions[number % len(self.revisions)]
        name, where = SELECTORS[number % len(SELECTORS)]
        matchers = f'namespace="{namespace}",penstock_dev_revision="{revision}",{where}'
        try:
            found = await query(self.session, self.url, f"{name}{{{matchers}}}[{WINDOW}s]")
        except aiohttp.ClientResponseError:
            self.refused += 1
        else:
            self.empty += not found

    def figures(self) -> dict[str, float]:
        """How many, and how long they took in milliseconds."""
        cuts = statistics.quantiles(self.took, n=100)
        times = {"p50 ms": round(cuts[49] * 1000, 1), "p99 ms": round(cuts[98] * 1000, 1)}
        return {"asked": len(self.took), "empty": self.empty, "refused": self.refused, **times}


async def query(session: aiohttp.ClientSession, url: str, text: str) -> list[Any]:
    """The result of an instant query."""
    async with session.post(f"{url}/api/v1/query", data={"query": text}) as answer:
        answer.raise_for_status()
        result: list[Any] = (await answer.json())["data"]["result"]
        return result


async def number(session: aiohttp.ClientSession, url: str, text: str) -> float:
    """The one value of a query; 0 where there is none."""
    found = await query(session, url, text)
    return float(found[0]["value"][1]) if found else 0.0


async def own_figures(session: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """What it says of itself on its own metrics page, by name."""
    async with session.get(f"{url}/metrics") as answer:
        lines = (line.split() for line in (await answer.text()).splitlines() if not line.startswith("#"))
        return {words[0]: float(words[1]) for words in lines if len(words) == 2}
