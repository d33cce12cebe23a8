"""Raw samples for many questions at once: needs that share a metric become one query, whose answer is split again.

What belongs to whom is read from the labels of each series and from nothing else: a series that was not asked for
makes the whole answer unusable, and so does one that comes twice.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any

from penstock.metrics.credentials import TooLarge, Unusable
from penstock.metrics.promql import NAMESPACE, one_of
from penstock.model.measure import Arm, Gauge, Histogram, Query, Question, Rate, Ratio, Selector
from penstock.stats.counters import Sample

LOOKBACK = timedelta(minutes=2)  # how far before the window a counter's last sample is looked for
LABEL_REVISION = "penstock_dev_revision"

Place = tuple[str, str]  # namespace, revision
Labels = tuple[tuple[str, str], ...]
Found = dict[Labels, list[Sample]]


@dataclass(frozen=True)
class Need:
    """The samples of one selector at one place in (since, until], in Unix seconds."""

    place: Place
    since: float
    until: float


def span_of(question: Question) -> tuple[float, float]:
    """From when and until when the question needs samples; whole seconds long, as a range selector is."""
    until = question.end.timestamp()
    return until - (int((question.end - question.start + LOOKBACK).total_seconds()) + 1), until


def needs(questions: Iterable[Question]) -> dict[Selector, list[Need]]:
    """What all of them need, each selector and place once, with the widest time that one of them wants."""
    found: dict[Selector, dict[Place, Need]] = {}
    for question in questions:
        since, until = span_of(question)
        for arm in filter(None, (question.candidate, question.stable)):
            place = (question.namespace, arm.revision)
            for selector in _selectors(arm):
                known = found.setdefault(selector, {}).get(place)
                wide = Need(place, min(since, known.since), max(until, known.until)) if known else None
                found[selector][place] = wide or Need(place, since, until)
    return {selector: list(places.values()) for selector, places in found.items()}


def _selectors(arm: Arm) -> tuple[Selector, ...]:
    match arm.measure:
        case Ratio(part, total):
            return total, part
        case Histogram(buckets):
            return (buckets,)
        case Rate(series) | Gauge(series):
            return (series,)
        case Query():
            return ()


def chunks(wanted: Sequence[Need], size: int) -> Iterator[list[Need]]:
    """At most so many places each, and only such together that look about as far back: a range is one for all."""
    far = sorted(wanted, key=lambda need: (_reach(need), need.place))
    for _, alike in groupby(far, key=_reach):
        same = list(alike)
        yield from (same[at : at + size] for at in range(0, len(same), size))


def _reach(need: Need) -> int:
    """Twice as far is another class, and 4 minutes or less are one."""
    return max(8, math.ceil(math.log2(need.until - need.since)))


def query(selector: Selector, wanted: Sequence[Need]) -> tuple[str, float]:
    """The range selector for all of them, and the time to evaluate it at."""
    until = max(need.until for need in wanted)
    seconds = math.ceil(until - min(need.since for need in wanted))
    namespaces, revisions = (sorted({need.place[side] for need in wanted}) for side in (0, 1))
    matchers = [f"{NAMESPACE}{one_of(namespaces)}", f"{LABEL_REVISION}{one_of(revisions)}"]
    matchers += [selector.where.rstrip(", ")] if selector.where else []
    return f"{selector.name}{{{','.join(matchers)}}}[{seconds}s]", until


def split(result: list[Any], wanted: Sequence[Need]) -> dict[Place, Found]:
    """Each place's own series; `Unusable` where one has no place, or comes twice."""
    found: dict[Place, Found] = {need.place: {} for need in wanted}
    sides = {need.place[0] for need in wanted}, {need.place[1] for need in wanted}
    for item in result:
        labels, samples = _series(item)
        place = labels.get(NAMESPACE, ""), labels.get(LABEL_REVISION, "")
        if place[0] not in sides[0] or place[1] not in sides[1]:
            raise Unusable(f"series of another {NAMESPACE} or {LABEL_REVISION} than asked for")
        if place not in found:  # the namespace of one with the revision of another: nobody's
            continue
        key = tuple(sorted(labels.items()))
        if key in found[place]:
            raise Unusable("the same series twice")
        found[place][key] = samples
    return found


def _series(item: Any) -> tuple[dict[str, str], list[Sample]]:
    """Labels and samples in order of time; whether the values make sense is for their reader to say."""
    try:
        labels = {str(k): str(v) for k, v in item["metric"].items()}
        made = [(float(at), float(value)) for at, value in item["values"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unusable("samples that are no pairs of time and number") from None
    if any(one[0] >= other[0] for one, other in pairwise(made)):
        raise Unusable("samples that are not in order of time")
    return labels, made


def capped(result: list[Any], limit: int) -> list[Any]:
    """The series of a result; `TooLarge` for too many."""
    if len(result) > limit:
        raise TooLarge(f"more than {limit} series")
    return result
