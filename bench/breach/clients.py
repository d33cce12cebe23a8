"""Clients that never retry and write down of each request what a report on strange failures needs."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from examples.demo.load import Question, read_answer
from examples.demo.records import NO_ANSWER, OK, Answer
from tests.e2e.stories.crowd import Crowd

SHORT = 200


@dataclass(frozen=True)
class Told:
    """One request: moments in unix seconds, the HTTP status (0: no answer), who answered, and why it failed."""

    due: float
    sent: float
    ended: float
    status: int
    version: str = ""
    why: str = ""

    @property
    def seconds(self) -> float:
        """From sending to the end."""
        return self.ended - self.sent


@dataclass
class Witnesses(Crowd):
    """A crowd that keeps both the short and the long record."""

    told: list[Told] = field(default_factory=list)

    async def _ask(self, session: aiohttp.ClientSession, question: Question, due: float) -> None:
        sent = time.time()
        headers = {"Content-Type": "application/json", **self.headers}
        found: dict[str, Any] = {}
        status, why = NO_ANSWER, ""
        try:
            async with session.post(self.url, data=question.body, headers=headers) as response:
                text = await response.read()
                status = response.status
                found = json.loads(text) if status == OK else {}
                why = "" if status == OK else text.decode(errors="replace")[:SHORT]
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            status, why = NO_ANSWER, repr(error)[:SHORT]
        ended = time.time()
        version, right = read_answer(status, found, question.label)
        self.told.append(Told(due, sent, ended, status, version, why))
        self.answers.append(Answer(sent, ended - due, status, version, right))
