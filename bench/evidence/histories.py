"""Simulated rollouts: what each arm answered, look by look. All rules judge the very same ones.

A look is a minute of traffic. Requests arrive at random (Poisson), each is bad or slow by itself: independence is what
Penstock's bound is given for; `bursts.py` breaks it on purpose.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)  # seconds; a usual default
SLOW = 0.25  # seconds; what takes longer counts as slow
SPREAD = 0.5  # standard deviation of the logarithm of a latency
CHUNK = 500  # runs at a time, so that memory stays small


@dataclass(frozen=True)
class Arm:
    """One arm's answers, each (run, look): bad events, all events, mean value; with buckets (run, look, bucket)."""

    bad: Array
    total: Array
    value: Array
    buckets: Array | None = None


@dataclass(frozen=True)
class History:
    """Many runs of one rollout."""

    candidate: Arm
    stable: Arm

    @property
    def runs(self) -> int:
        return len(self.candidate.total)


@dataclass(frozen=True)
class Traffic:
    """Requests of the candidate in each look, the share of all requests that the stable revision has, and the looks."""

    requests: float
    share: float = 0.9
    looks: int = 60

    @property
    def home(self) -> float:
        return self.requests * self.share / (1 - self.share)


def errors(traffic: Traffic, rates: tuple[float, float], runs: int, draw: np.random.Generator) -> History:
    """Requests of which a share fails: (candidate, stable)."""
    arms = []
    for mean, rate in zip((traffic.requests, traffic.home), rates, strict=True):
        total = draw.poisson(mean, (runs, traffic.looks))
        bad = draw.binomial(total, rate)
        arms.append(Arm(bad, total, _over(bad, total)))
    return History(*arms)


def latencies(traffic: Traffic, medians: tuple[float, float], runs: int, draw: np.random.Generator) -> History:
    """Requests that take lognormal times, medians in seconds of (candidate, stable); bad is slower than SLOW."""
    arms = zip((traffic.requests, traffic.home), medians, strict=True)
    return History(*(_timed(mean, median, (runs, traffic.looks), draw) for mean, median in arms))


def _timed(mean: float, median: float, shape: tuple[int, int], draw: np.random.Generator) -> Arm:
    """Buckets are multinomial; the mean within a bucket is its exact mean with a normal remainder."""
    total = draw.poisson(mean, shape)
    chances, inside, spread = _bucket_moments(median)
    buckets = draw.multinomial(total, chances)
    sums = buckets @ inside + draw.normal(size=shape) * np.sqrt(buckets @ spread)
    return Arm(buckets[..., BOUNDS.index(SLOW) + 1 :].sum(axis=-1), total, _over(sums, total), buckets)


def _bucket_moments(median: float) -> tuple[Array, Array, Array]:
    """Of a lognormal time in each bucket: chance, mean, variance."""
    ends = [(math.log(bound) - math.log(median)) / SPREAD for bound in BOUNDS]

    def partial(power: int) -> Array:
        """Integral of time^power over each bucket."""
        below = [0.0, *(0.5 * (1 + math.erf((end - power * SPREAD) / math.sqrt(2))) for end in ends), 1.0]
        return median**power * math.exp((power * SPREAD) ** 2 / 2) * np.diff(below)

    chances = np.maximum(partial(0), 1e-15)
    inside = partial(1) / chances
    return chances / chances.sum(), inside, np.maximum(partial(2) / chances - inside**2, 0.0)


def _over(part: Array, total: Array) -> Array:
    """Shares or means; NaN where there was no request, as a metric source would answer."""
    return np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0)


def parts(history: History, size: int = CHUNK) -> Iterator[History]:
    """The same runs, some at a time."""
    for start in range(0, history.runs, size):
        yield History(_slice(history.candidate, start, size), _slice(history.stable, start, size))


def _slice(arm: Arm, start: int, size: int) -> Arm:
    cut = slice(start, start + size)
    return Arm(arm.bad[cut], arm.total[cut], arm.value[cut], None if arm.buckets is None else arm.buckets[cut])
