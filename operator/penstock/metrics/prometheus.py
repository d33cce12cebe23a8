"""Prometheus API (also Thanos, Mimir, VictoriaMetrics): raw samples of two counters, added up exactly by us.

Raw samples instead of increase(): extrapolated rates are not counts, and increase() drops the first event of a counter
that is born with it. Knows an address that the administrator gave, and nothing of the user's ever becomes part of one.
Answers are capped in bytes, series and time; whatever is not usable is Silence, in words.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from penstock.metrics.http import Http, Request, Unusable, make_http, read_json
from penstock.model.measure import Answer, Arm, Counts, Question, Ratio, Selector, Silence
from penstock.stats.counters import Sample, increment

MAX_SERIES = 2000
LOOKBACK = timedelta(minutes=2)  # how far before the window a counter's last sample is looked for
HEAD_START = timedelta(seconds=5)  # a route may carry requests this long before it is seen to: a new counter has them
LABEL_REVISION = "penstock_dev_revision"

Series = dict[str, dict[tuple[tuple[str, str], ...], list[Sample]]]  # pod -> labels -> samples


@dataclass(frozen=True)
class Prometheus:
    """One metric source."""

    name: str
    http: Http

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question; never raises for what a source may do."""
        return [await self._answer(each) for each in questions]

    async def _answer(self, question: Question) -> Answer:
        try:
            mine = await self._arm(question, question.candidate)
            home = await self._arm(question, question.stable) if question.stable else (0, 0)
        except Unusable as error:
            return Silence(f"metric source {self.name}: {error}")
        return Counts(*mine, *home)

    async def _arm(self, question: Question, arm: Arm) -> tuple[int, int]:
        ratio = arm.measure
        assert isinstance(ratio, Ratio)
        totals = await self._samples(question, arm, ratio.total)
        parts = await self._samples(question, arm, ratio.part)
        start = (question.start - (HEAD_START if arm.born else timedelta())).timestamp()
        end = question.end.timestamp()
        known = {pod for pod, series in totals.items() if arm.born or _reaches(series, start)}
        total = _grown(totals, known, (start, end))
        part = min(_grown(parts, known, (start, end)), total)
        return (total - part if ratio.part_is_good else part), total

    async def _samples(self, question: Question, arm: Arm, selector: Selector) -> Series:
        matchers = [f'namespace="{question.namespace}"', f'{LABEL_REVISION}="{arm.revision}"']
        matchers += [selector.where.rstrip(", ")] if selector.where else []
        seconds = int((question.end - question.start + LOOKBACK).total_seconds()) + 1
        query = f"{selector.name}{{{','.join(matchers)}}}[{seconds}s]"
        result = await self._query(query, question.end.timestamp())
        found: Series = defaultdict(dict)
        for item in result:
            labels, samples = _series(item)
            found[labels.get("pod", "")][tuple(sorted(labels.items()))] = samples
        return found

    async def _query(self, query: str, at: float) -> list[Any]:
        form = {"query": query, "time": f"{at:.3f}", "timeout": f"{self.http.timeout * 1000:.0f}ms"}
        return _matrix(*await self.http.fetch(Request("/api/v1/query", form=form)))


def make_prometheus(name: str, options: Mapping[str, Any], session: aiohttp.ClientSession) -> Prometheus:
    """From the source's settings."""
    return Prometheus(name, make_http(options, session))


def _matrix(status: int, text: bytes) -> list[Any]:
    answer = read_json(status, text)
    if not isinstance(answer, dict):
        raise Unusable(f"HTTP {status} and no answer of a Prometheus")
    if status != 200 or answer.get("status") != "success":
        raise Unusable(f"HTTP {status} {answer.get('errorType') or ''}".strip()[:100])
    if answer.get("warnings"):  # a store behind it is missing: half the requests are not all the requests
        raise Unusable("a partial answer: it came with warnings")
    return _result(answer.get("data"))


def _result(found: Any) -> list[Any]:
    if not isinstance(found, dict) or found.get("resultType") != "matrix" or not isinstance(found.get("result"), list):
        raise Unusable("not a matrix of samples")
    if len(found["result"]) > MAX_SERIES:
        raise Unusable(f"more than {MAX_SERIES} series")
    result: list[Any] = found["result"]
    return result


def _series(item: Any) -> tuple[dict[str, str], list[Sample]]:
    """Labels and samples; a broken value (NaN, infinite, negative, no number) makes the answer unusable."""
    try:
        labels = {str(k): str(v) for k, v in item["metric"].items()}
        made = [(float(at), float(value)) for at, value in item["values"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unusable("samples that are no pairs of time and number") from None
    if any(not 0.0 <= value < float("inf") for _, value in made):
        raise Unusable("a counter with a value that is no count")
    return labels, made


def _reaches(series: dict[tuple[tuple[str, str], ...], list[Sample]], start: float) -> bool:
    return any(samples and samples[0][0] <= start for samples in series.values())


def _grown(found: Series, known: set[str], window: tuple[float, float]) -> int:
    grown = (
        increment(samples, window, born=pod in known) for pod, series in found.items() for samples in series.values()
    )
    return round(sum(grown))
