"""Clients of one model: real rows at a given rate, never a retry, every answer written down with who gave it."""

import asyncio
import random
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from examples.demo.load import Question, read_answer, shuffled
from examples.demo.records import NO_ANSWER, OK, Answer

PATIENCE = 5.0


class Fixed(AbstractResolver):
    """Every name has this address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """What DNS would say."""
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host=self.address, port=port, family=family, proto=0, flags=flags)]

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Crowd:
    """So many requests a second to one address; `rows` and `rate` may be changed while it runs."""

    url: str
    rows: list[Question]
    rate: float = 20.0
    headers: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = True
    trust: ssl.SSLContext | None = None
    address: str = ""  # of every name, where there is no DNS for it
    patience: float = PATIENCE
    """Seconds after which a client gives up."""
    at_once: int = 0
    """Requests that are sent together before the rest."""
    by_chance: bool = False
    """Gaps as between people who do not know of each other; else all are the same."""
    answers: list[Answer] = field(default_factory=list)

    async def run(self) -> None:
        """Send until cancelled; what is under way then is waited for, as everything sent counts."""
        names = Fixed(self.address) if self.address else None
        pool = aiohttp.TCPConnector(limit=0, force_close=not self.lasting, ssl=self.trust or True, resolver=names)
        patience = aiohttp.ClientTimeout(total=self.patience)
        flying: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(connector=pool, timeout=patience, trust_env=False) as session:
            try:
                await self._send(session, flying)
            finally:
                await asyncio.gather(*flying)

    async def _send(self, session: aiohttp.ClientSession, flying: set[asyncio.Task[None]]) -> None:
        due, number, rows = time.time(), 0, self.rows
        asked = shuffled(rows)
        while True:
            if rows is not self.rows:
                rows = self.rows
                asked = shuffled(rows)
            task = asyncio.create_task(self._ask(session, next(asked), due))
            flying.add(task)
            task.add_done_callback(flying.discard)
            number += 1
            if number <= self.at_once:
                continue
            due += random.expovariate(self.rate) if self.by_chance else 1 / self.rate
            await asyncio.sleep(max(0.0, due - time.time()))

    async def _ask(self, session: aiohttp.ClientSession, question: Question, due: float) -> None:
        sent = time.time()
        headers = {"Content-Type": "application/json", **self.headers}
        try:
            async with session.post(self.url, data=question.body, headers=headers) as response:
                found = await response.json(content_type=None) if response.status == OK else {}
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            found, status = {}, NO_ANSWER
        version, right = read_answer(status, found, question.label)
        self.answers.append(Answer(sent, time.time() - due, status, version, right))

    def failed(self) -> list[Answer]:
        """Everything but a 200."""
        return [a for a in self.answers if a.failed]


def strange(answers: Iterable[Answer]) -> list[Answer]:
    """Failures that are not the bad model's own.

    Its server answers 500 and then closes the connection without a word; a request that the gateway sends on it in
    that moment ends as a 503. So a 503 right after a 500 is the bad model's too (docs/reports/breach.md), or after one
    that came while the request was under way, which on a busy machine may take longer.
    """
    failed = [a for a in answers if a.failed]
    closed = [a.sent + a.seconds for a in failed if a.status == 500]
    near = [a for a in failed if a.status == 503 and any(-0.5 < end - a.sent < max(0.5, a.seconds) for end in closed)]
    return [a for a in failed if a.status != 500 and a not in near]


def versions(answers: Iterable[Answer]) -> Counter[str]:
    """Answers by the version that gave them."""
    return Counter(a.version for a in answers if not a.failed)


def share(answers: Iterable[Answer], version: str) -> float:
    """Percent of the answers that a version gave."""
    counts = versions(answers)
    return 100 * counts[version] / max(1, counts.total())
