"""Samples -> answers, one function for each measure. Pure; whatever is not usable is raised as `Unusable`, in words.

Counting is exact: raw samples are added up, resets included, and nothing is extrapolated.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from penstock.metrics.credentials import Unusable
from penstock.metrics.samples import Found, Labels, span_of
from penstock.model.copying import replace
from penstock.model.measure import (
    Answer,
    Arm,
    Counts,
    Gauge,
    Groups,
    Histogram,
    Levels,
    Question,
    Rate,
    Ratio,
    Selector,
    Shapes,
)
from penstock.stats.counters import Sample, increment

HEAD_START = timedelta(seconds=5)  # a route may carry requests this long before it is seen to: a new counter has them
MAX_GROUPS = 32
GONE = 2  # times its longest time between scrapes: a pod that was not heard for longer
INFINITE = float("inf")

See = Callable[[str, Selector], Found]  # revision, selector -> what was found there
Window = tuple[float, float]
Growth = dict[Labels, float]


def read(question: Question, see: See) -> Answer:
    """The answer from what was found; a Query is not read from samples."""
    match question.candidate.measure:
        case Ratio(by=by) if by:
            return _groups(question, see)
        case Ratio():
            return Counts(
                *_count(question, question.candidate, see),
                *(_count(question, question.stable, see) if question.stable else (0, 0)),
            )
        case Histogram():
            return _shapes(question, see)
        case Rate(counter):
            return _rate(question, _cut(question, see(question.candidate.revision, counter)))
        case Gauge(series):
            return _gauge(question, _cut(question, see(question.candidate.revision, series)))
        case _:
            raise Unusable("a question that is not answered by samples")


def _cut(question: Question, found: Found) -> Found:
    """Only the samples that the question alone would have brought; another one of the batch may have wanted more."""
    since, until = span_of(question)
    since = max(since, question.since.timestamp()) if question.since else since
    cut = {labels: [each for each in samples if since < each[0] <= until] for labels, samples in found.items()}
    return {labels: samples for labels, samples in cut.items() if samples}


def _counters(question: Question, found: Found) -> Found:
    cut = _cut(question, found)
    if any(not 0.0 <= value < INFINITE for samples in cut.values() for _, value in samples):
        raise Unusable("a counter with a value that is no count")
    return cut


def _pod(labels: Labels) -> str:
    return dict(labels).get("pod", "")


def _window(question: Question, arm: Arm) -> Window:
    start = question.start - (HEAD_START if arm.born else timedelta())
    return start.timestamp(), question.end.timestamp()


def _known(found: Found, arm: Arm, start: float) -> set[str]:
    """Pods whose past is known: what is new of them counts from 0."""
    return {_pod(labels) for labels, samples in found.items() if arm.born or samples[0][0] <= start}


def _growths(found: Found, known: set[str], window: Window) -> Growth:
    return {labels: increment(samples, window, born=_pod(labels) in known) for labels, samples in found.items()}


def _pair(question: Question, arm: Arm, see: See) -> tuple[Growth, Growth]:
    """Growth of part and total; the pods are those of the total."""
    ratio = arm.measure
    assert isinstance(ratio, Ratio)
    totals = _counters(question, see(arm.revision, ratio.total))
    parts = _counters(question, see(arm.revision, ratio.part))
    window = _window(question, arm)
    known = _known(totals, arm, window[0])
    return _growths(parts, known, window), _growths(totals, known, window)


def _bad(parts: Iterable[float], totals: Iterable[float], part_is_good: bool) -> tuple[int, int]:
    """A scrape may fall between the two queries, so that the part seems to be more than the whole."""
    total = round(sum(totals))
    part = min(round(sum(parts)), total)
    return (total - part if part_is_good else part), total


def _count(question: Question, arm: Arm, see: See) -> tuple[int, int]:
    assert isinstance(arm.measure, Ratio)
    parts, totals = _pair(question, arm, see)
    return _bad(parts.values(), totals.values(), arm.measure.part_is_good)


def _groups(question: Question, see: See) -> Groups:
    ratio = question.candidate.measure
    assert isinstance(ratio, Ratio)
    parts, totals = _pair(question, question.candidate, see)
    values = sorted({dict(labels).get(ratio.by, "") for labels in (*parts, *totals)})
    if len(values) > MAX_GROUPS:
        raise Unusable(f"label {ratio.by} has more than {MAX_GROUPS} values")

    def of(value: str, grown: Growth) -> list[float]:
        return [growth for labels, growth in grown.items() if dict(labels).get(ratio.by, "") == value]

    return Groups({each: _bad(of(each, parts), of(each, totals), ratio.part_is_good) for each in values})


def _shapes(question: Question, see: See) -> Shapes:
    arms = [_buckets(question, arm, see) if arm else {} for arm in (question.candidate, question.stable)]
    spelt = {bound: text for arm in reversed(arms) for bound, (text, _) in arm.items()} or {INFINITE: "+Inf"}
    if any(arm and arm.keys() != spelt.keys() for arm in arms):
        raise Unusable("the two revisions have different bucket bounds: their distributions cannot be compared")
    bounds = sorted(spelt)
    if bounds[-1] != INFINITE:
        raise Unusable("a histogram without the bucket +Inf")
    mine, home = (_apart([arm[bound][1] if arm else 0.0 for bound in bounds]) for arm in arms)
    return Shapes(tuple(spelt[bound] for bound in bounds), mine, home)


def _buckets(question: Question, arm: Arm, see: See) -> dict[float, tuple[str, float]]:
    """Growth of each cumulative bucket, all pods added up: bound -> how it is spelt, growth."""
    assert isinstance(arm.measure, Histogram)
    found = _counters(question, see(arm.revision, arm.measure.buckets))
    window = _window(question, arm)
    grown = _growths(found, _known(found, arm, window[0]), window)
    bounds: dict[Labels, set[float]] = {}
    made: dict[float, tuple[str, float]] = {}
    for labels, growth in grown.items():
        text = dict(labels).get("le", "")
        bound = _bound(text)
        bounds.setdefault(tuple(each for each in labels if each[0] != "le"), set()).add(bound)
        spelling, before = made.get(bound, (text, 0.0))
        made[bound] = (spelling, before + growth)
    if any(each != made.keys() for each in bounds.values()):
        raise Unusable(f"pods of {arm.revision} have different bucket bounds: they cannot be added up")
    return made


def _bound(text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise Unusable("buckets whose label le is no number")
    return bound


def _apart(cumulative: list[float]) -> tuple[int, ...]:
    """Events in each bucket alone; a pod that was scraped in between may make a difference seem negative."""
    before = [0.0, *cumulative]
    return tuple(max(0, round(wide - narrow)) for narrow, wide in zip(before, cumulative, strict=False))


def _rate(question: Question, found: Found) -> Levels:
    """From each pod's last scrape before the window, at most two minutes back, to the last one in it.

    Over the window alone, which may be shorter than the time between scrapes, a busy server would look idle. A pod that
    came later than others counts from the beginning of the window, and one that has gone to its end: what it answers
    now, they answered before, and what it answered, they answer now; both would be added up.
    """
    start = question.start.timestamp()
    counters = _from_the_scrape_before(_counters(question, found), start)
    if not any(_inside(samples, start) for samples in counters.values()):
        return Levels(())  # samples that are all older are no sign of life
    pods: dict[str, list[list[Sample]]] = {}
    for labels, samples in counters.items():
        pods.setdefault(_pod(labels), []).append(samples)
    since = start if any(samples[0][0] <= start for samples in counters.values()) else math.inf
    newest = max(samples[-1][0] for samples in counters.values())
    told = [each for each in (_pod_rate(series, since, newest) for series in pods.values()) if each]
    if not told:
        return Levels(())
    there, average = sum(each.is_there for each in told), sum(each.life for each in told)
    return Levels((sum(each.rate for each in told),), pods=there, average=average)


@dataclass(frozen=True)
class _PodRate:
    """Growth per second of one pod, for which part of the time it was there, and whether it still is."""

    rate: float
    life: float
    is_there: bool


def _pod_rate(series: list[list[Sample]], since: float, newest: float) -> _PodRate | None:
    """Over its own scrapes, or from `since` on where they begin later, and to `newest` where it has gone since.

    A series that begins after the first of them began at 0.
    """
    times = sorted({at for samples in series for at, _ in samples})
    first, last = times[0], times[-1]
    if last <= first:
        return None
    is_there = newest - last <= GONE * max(after - before for before, after in pairwise(times))
    time = (last if is_there else newest) - min(first, since)
    grown = sum(increment(s, (first, last), born=s[0][0] > first) for s in series)
    return _PodRate(grown / time, (last - first) / time, is_there)


def _from_the_scrape_before(found: Found, start: float) -> Found:
    scraped: dict[str, float] = {}
    for labels, samples in found.items():
        before = [at for at, _ in samples if at <= start]
        if before:
            scraped[_pod(labels)] = max(before[-1], scraped.get(_pod(labels), before[-1]))
    cut = {ls: [each for each in s if each[0] >= scraped.get(_pod(ls), start)] for ls, s in found.items()}
    return {labels: samples for labels, samples in cut.items() if samples}


def _gauge(question: Question, found: Found) -> Levels:
    start = question.start.timestamp()
    alive = {labels: samples[-1][1] for labels, samples in found.items() if _inside(samples, start)}
    return replace(finite(alive.values()), pods=len({_pod(labels) for labels in alive}))


def _inside(samples: list[Sample], start: float) -> bool:
    return samples[-1][0] > start


def finite(values: Iterable[float]) -> Levels:
    """Levels of numbers; `Unusable` where one is none that can be compared."""
    made = tuple(values)
    if not all(math.isfinite(each) for each in made):
        raise Unusable("a value that is not a number, or infinite")
    return Levels(made)


def vector(kind: str, result: list[object]) -> Levels:
    """The values of an instant vector or a scalar."""
    items = [result] if kind == "scalar" else [_value(each) for each in result]
    return finite(_number(each) for each in items)


def _value(item: object) -> object:
    return item.get("value") if isinstance(item, Mapping) else None


def _number(pair: object) -> float:
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], str | int | float):
        raise Unusable("a value that is no number")
    try:
        return float(pair[1])
    except ValueError:
        raise Unusable("a value that is no number") from None
