"""Prometheus API (also Thanos, Mimir, VictoriaMetrics): raw samples, counted by us; and users' own PromQL, confined.

Raw samples instead of increase(): extrapolated rates are not counts, and increase() drops the first event of a counter
that is born with it. Knows an address that the administrator gave, and nothing of the user's ever becomes part of one.
Answers are capped in bytes, series and time; whatever is not usable is Silence, in words.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from penstock.metrics.credentials import TooLarge, Unusable
from penstock.metrics.http import Http, Request, UnixClock, hint, make_http, read_json
from penstock.metrics.promql import confined, fill
from penstock.metrics.reading import read, vector
from penstock.metrics.samples import Found, Need, Place, capped, chunks, needs, query, split
from penstock.model.copying import replace
from penstock.model.measure import Answer, Levels, Query, Question, Selector, Silence

MAX_SERIES = 2000
MOST_PLACES = 200  # revisions in one query: its answer is then about 1 MB
MAX_TEXT = 12_000  # characters of a query; some sources take no more than 16 KiB
AT_ONCE = 8  # queries under way; a Prometheus works on 20 at a time for all who ask
GUESTS = 4  # of users' own queries; slow ones must not keep the others' samples waiting

Outcome = Found | Unusable
T = TypeVar("T")
Samples = dict[Selector, dict[Place, Outcome]]


@dataclass
class Prometheus:
    """One metric source. `raw` sends users' PromQL as they wrote it; `sizes` is how many places a selector stood."""

    name: str
    http: Http
    raw: bool = False
    max_series: int = MAX_SERIES
    sizes: dict[Selector, int] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _guests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(GUESTS))

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question; all of them together take the source's timeout at most."""
        deadline = asyncio.get_running_loop().time() + self.http.timeout
        levels, samples = await asyncio.gather(
            self._all_levels(questions, deadline), self._all_samples(questions, deadline)
        )
        return [self._answer(each, levels.get(index), samples) for index, each in enumerate(questions)]

    def _answer(self, question: Question, level: Levels | Unusable | None, samples: Samples) -> Answer:
        def see(revision: str, selector: Selector) -> Found:
            return _usable(samples[selector][question.namespace, revision])

        try:
            return read(question, see) if level is None else _usable(level)
        except Unusable as error:
            return Silence(f"metric source {self.name}: {error}")

    # users' queries

    async def _all_levels(self, questions: Sequence[Question], deadline: float) -> dict[int, Levels | Unusable]:
        """What each Query among the questions says, by its place; the same text for the same time is asked once."""
        texts = {
            index: self._text(each.candidate.measure, each)
            for index, each in enumerate(questions)
            if isinstance(each.candidate.measure, Query)
        }
        wanted = list(dict.fromkeys(each for each in texts.values() if not isinstance(each, Unusable)))
        got = dict(zip(wanted, await asyncio.gather(*(self._levels(*each, deadline) for each in wanted)), strict=True))
        return {index: each if isinstance(each, Unusable) else got[each] for index, each in texts.items()}

    def _text(self, measure: Query, question: Question) -> tuple[str, float] | Unusable:
        """What is sent for it, and the time to evaluate it at."""
        try:
            filled = fill(measure.text, measure.fills)
            text = filled if self.raw else confined(filled, question.namespace)
        except Unusable as error:
            return error
        return text, question.end.timestamp()

    async def _levels(self, text: str, at: float, deadline: float) -> Levels | Unusable:
        try:
            kind, result = await self._query((text, at), self._guests, deadline)
            if kind not in ("vector", "scalar"):
                raise Unusable(f"the query gives a {kind}, and neither a vector nor a number")
            return vector(kind, capped(result, self.max_series))
        except Unusable as error:
            return error

    # samples

    async def _all_samples(self, questions: Sequence[Question], deadline: float) -> Samples:
        """What each selector has at each place, or why not."""
        found: Samples = {}
        asked = [
            (selector, part)
            for selector, wanted in needs(questions).items()
            for part in chunks(wanted, self.sizes.get(selector, MOST_PLACES))
        ]
        answers = await asyncio.gather(*(self._fetch(*each, deadline) for each in asked))
        for (selector, _), got in zip(asked, answers, strict=True):
            found.setdefault(selector, {}).update(got)
        return found

    async def _fetch(self, selector: Selector, wanted: list[Need], deadline: float) -> dict[Place, Outcome]:
        """One query, or halves of it where its answer is too large."""
        try:
            text, at = query(selector, wanted)
            if len(text) > MAX_TEXT:
                raise TooLarge(f"a query of more than {MAX_TEXT} characters")
            kind, result = await self._query((text, at), self._slots, deadline)
            if kind != "matrix":
                raise Unusable("not a matrix of samples")
            return dict(split(capped(result, self.max_series), wanted))
        except TooLarge as error:
            if len(wanted) == 1:
                return {wanted[0].place: error}
        except Unusable as error:
            return {need.place: error for need in wanted}
        half = (len(wanted) + 1) // 2
        self._remember(selector, half)
        parts = await asyncio.gather(
            self._fetch(selector, wanted[:half], deadline), self._fetch(selector, wanted[half:], deadline)
        )
        return parts[0] | parts[1]

    def _remember(self, selector: Selector, size: int) -> None:
        """Asked in smaller parts from now on; forgotten as a whole when it grows, as users' selectors come and go."""
        if len(self.sizes) >= 256:
            self.sizes.clear()
        self.sizes[selector] = min(size, self.sizes.get(selector, size))

    async def _query(
        self, query: tuple[str, float], slots: asyncio.Semaphore, deadline: float
    ) -> tuple[str, list[Any]]:
        """The kind of result and what it holds."""
        form = {"query": query[0], "time": f"{query[1]:.3f}", "timeout": f"{self.http.timeout * 1000:.0f}ms"}
        try:
            async with asyncio.timeout_at(deadline), slots:
                status, body = await self.http.fetch(Request("/api/v1/query", form=form))
        except TimeoutError:
            raise Unusable(f"does not answer: not all within {self.http.timeout:g}s") from None
        return _result(status, read_json(status, body))


def make_prometheus(
    name: str, options: Mapping[str, Any], session: aiohttp.ClientSession, clock: UnixClock
) -> Prometheus:
    """From the source's settings."""
    http = replace(make_http(options, session), clock=clock)
    return Prometheus(name, http, bool(options.get("raw_queries")), options.get("max_series") or MAX_SERIES)


def _result(status: int, answer: Any) -> tuple[str, list[Any]]:
    if not isinstance(answer, dict):
        raise Unusable(f"HTTP {status} and no answer of a Prometheus")
    if status != 200 or answer.get("status") != "success":
        raise Unusable(f"HTTP {status} {answer.get('errorType') or ''}".strip()[:100] + hint(status))
    if answer.get("warnings") or answer.get("isPartial"):  # a store is missing: half the requests are not all of them
        raise Unusable("a partial answer: it came with warnings")
    content = answer.get("data")
    if not isinstance(content, dict) or not isinstance(content.get("result"), list):
        raise Unusable("not a matrix of samples and no vector")
    return str(content.get("resultType"))[:20], content["result"]


def _usable(outcome: T | Unusable) -> T:
    if isinstance(outcome, Unusable):
        raise outcome
    return outcome
