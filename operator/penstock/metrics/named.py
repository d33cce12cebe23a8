"""Questions that only name a query: the administrator wrote it, the user chose it, we fill in whom it is about.

For sources whose language knows no tenant: a user's own text would read everything that the operator's credentials
may. What is filled in (a version is free text) goes in quoted for the place where it goes, or not at all. No message
holds anything of an answer. A source that has had enough is left alone until the time that it named.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from penstock.metrics.http import Limited, Unusable
from penstock.model.measure import Answer, Levels, Query, Question, Silence

PLACEHOLDERS = ("namespace", "name", "revision", "version")
MAX_SERIES = 1000
PLACES = 8  # requests under way at one source
_PLACEHOLDER = re.compile(r"\{\{([a-z]+)\}\}")
_ANY_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
_SHOWN = 12  # names of queries in a message


@dataclass(frozen=True)
class Asked:
    """A named query about one revision in the window (start, end]."""

    query: Mapping[str, Any]
    fills: Mapping[str, str]
    start: datetime
    end: datetime


Read = Callable[[Asked], Awaitable[Sequence[object]]]
"""What a source offers: one value a series, unchecked; `Unusable` in words for everything that is no answer."""


@dataclass
class Named:
    """A metric source whose queries are the administrator's; `timeout` in seconds is for one question with its wait."""

    name: str
    queries: Mapping[str, Mapping[str, Any]]
    read: Read = field(repr=False)
    timeout: float = 5.0
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES), repr=False)
    _quiet_until: float = 0.0

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question; never raises for what a source may do."""
        return list(await asyncio.gather(*(self._answer(each) for each in questions)))

    async def _answer(self, question: Question) -> Answer:
        wanted = question.candidate.measure
        if not isinstance(wanted, Query):
            known = self._names()
            return Silence(f"metric source {self.name} answers named queries only: use value: {{query: NAME}}; {known}")
        try:
            asked = self._asked(question, wanted)
            async with asyncio.timeout(self.timeout), self._places:
                return Levels(numbers(await self._read(asked)))
        except Unusable as error:
            return Silence(f"metric source {self.name}: {error}")
        except TimeoutError:
            return Silence(f"metric source {self.name} does not answer: nothing whole within {self.timeout:g}s")

    def _asked(self, question: Question, wanted: Query) -> Asked:
        found = self.queries.get(wanted.text.strip())
        if found is None:
            raise Unusable(f"no query of that name; {self._names()}")
        return Asked(found, wanted.fills, question.start, question.end)

    def _names(self) -> str:
        names = sorted(self.queries)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"it has {', '.join(names[:_SHOWN])}{more}"

    async def _read(self, asked: Asked) -> Sequence[object]:
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            raise Unusable(f"too many questions; it is left alone for {self._quiet_until - now:.0f}s more")
        try:
            return await self.read(asked)
        except Limited as error:
            self._quiet_until = max(self._quiet_until, asyncio.get_running_loop().time() + error.wait)
            raise


def numbers(values: Sequence[object]) -> tuple[float, ...]:
    """All of them finite floats, or `Unusable`: a number that is left out could have been the bad one."""
    if len(values) > MAX_SERIES:
        raise Unusable(f"more than {MAX_SERIES} series")
    return tuple(_number(value) for value in values)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable("a value that is no number")
    try:
        made = float(value)
    except OverflowError:
        made = float("inf")
    if not isfinite(made):
        raise Unusable("a value that is not finite")
    return made


def unknown(text: str, known: Sequence[str] = PLACEHOLDERS) -> list[str]:
    """Names of placeholders in a text that nothing will be filled in for."""
    return [name for name in _ANY_PLACEHOLDER.findall(text) if name not in known]


def fill(text: str, fills: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """The text with its placeholders replaced once: what was filled in is not looked at again."""

    def swap(match: re.Match[str]) -> str:
        value = fills.get(match[1], "")
        if not value:
            raise Unusable(f"nothing is known to fill in for {match[0]}")
        return quote(value)

    return _PLACEHOLDER.sub(swap, text)


def fill_all(value: Any, fills: Mapping[str, str], quote: Callable[[str], str] = str) -> Any:
    """A structure with every string in it filled in; its keys stay as they are."""
    if isinstance(value, str):
        return fill(value, fills, quote)
    if isinstance(value, Mapping):
        return {key: fill_all(each, fills, quote) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill_all(each, fills, quote) for each in value]
    return value
