"""Exact increments of counters from raw samples, resets included; no extrapolation, so a count stays a count."""

from collections.abc import Iterable

Sample = tuple[float, float]


def increment(samples: Iterable[Sample], window: tuple[float, float], born: bool) -> float:
    """How much a counter grew in the window (start, end].

    `samples` are (unix seconds, value) in order of time and reach back before `start` where the counter was known then.
    A counter first seen inside the window counts from 0 if it was `born` there; else its history is unknown (a metric
    source that lost its memory) and only what grew after its first sample counts. A falling value is a restart from 0.
    """
    start, end = window
    grown, last = 0.0, 0.0 if born else None
    for at, value in samples:
        if at > end:
            break
        if at > start and last is not None:
            grown += value - last if value >= last else value
        last = value
    return grown
