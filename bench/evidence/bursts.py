"""What a pod that fails in bursts does to the two-arm test, and what some guards would cost.

The test's bound is for independent requests. Here one pod of the candidate, or every pod of both arms, fails in bursts,
with the same mean share as all others: no candidate is worse, so each rejection is false. A guard is sound by itself
where it can only take rejections away. None is built into the operator; this is the study.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from bench.evidence.histories import Array
from bench.evidence.ours import first
from bench.evidence.outcomes import outcome
from penstock.stats.sequential import RATIOS

RATE, REQUESTS, HOME, LOOKS = 0.01, 50, 9, 60
ON = 0.05  # share of looks that lie in a burst
LENGTH = 4.0  # looks that a burst lasts, on average
CORRELATION = 0.05  # of the requests of one pod in one look, for the beta-binomial kind
LIMIT = math.log(20)
TOLERANCES, PODS = (1.0, 1.25, 1.5), (1, 2, 4)
KINDS = ("steady", "bursts", "beta", "all burst", "worse", "one bad")


@dataclass(frozen=True)
class Pods:
    """(run, look, pod) of the candidate, (run, look) of the stable side."""

    bad: Array
    total: Array
    home_bad: Array
    home_total: Array


def simulate(kind: str, pods: int, runs: int, draw: np.random.Generator) -> Pods:
    """The kind is one of KINDS. In the first four no candidate is worse; "worse" is five times the rate in every pod,
    "one bad" ten times in one pod for good.
    """
    total = draw.poisson(REQUESTS / pods, (runs, LOOKS, pods))
    share = np.full(total.shape, 5 * RATE if kind == "worse" else RATE)
    if kind in ("bursts", "beta"):
        share[..., 0] = _shares(kind, (runs, LOOKS, 1), draw)[..., 0]
    if kind == "one bad":
        share[..., 0] = 10 * RATE
    if kind == "all burst":
        share = _shares("bursts", total.shape, draw)
    home = draw.poisson(REQUESTS / pods, (runs, LOOKS, pods * HOME))
    home_share = _shares("bursts", home.shape, draw) if kind == "all burst" else RATE
    return Pods(draw.binomial(total, share), total, draw.binomial(home, home_share).sum(axis=2), home.sum(axis=2))


def _shares(kind: str, shape: tuple[int, ...], draw: np.random.Generator) -> Array:
    """Share of bad requests in each look; its mean is RATE."""
    if kind == "beta":
        weight = 1 / CORRELATION - 1
        return draw.beta(RATE * weight, (1 - RATE) * weight, shape)
    stops, starts = 1 / LENGTH, ON / (1 - ON) / LENGTH
    lit = draw.random((shape[0], shape[2])) < ON
    looks = []
    for _ in range(shape[1]):
        looks.append(lit)
        lit = np.where(lit, draw.random(lit.shape) >= stops, draw.random(lit.shape) < starts)
    return np.stack(looks, axis=1) * (RATE / ON)


def log_odds(seen: Pods, tolerance: float, without: int | None = None, cap: float = math.inf) -> Array:
    """Log odds (run, look) of the two-arm test, if wished without one pod, or with each look's growth capped."""
    keep = [pod for pod in range(seen.total.shape[2]) if pod != without]
    c1, n1 = seen.bad[..., keep].sum(axis=2), seen.total[..., keep].sum(axis=2)
    n0 = seen.home_total
    known = (n1 > 0) & (n0 > 0)
    null = tolerance * n1 / np.where(known, tolerance * n1 + n0, 1)
    mixed = np.full(n1.shape, -np.inf)
    for ratio in RATIOS:
        other = tolerance * ratio * n1 / np.where(known, tolerance * ratio * n1 + n0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = c1 * np.log(other / null) + seen.home_bad * np.log((1 - other) / (1 - null))
        mixed = np.logaddexp(mixed, np.minimum(np.where(known, grown, 0.0), cap).cumsum(axis=1))
    return mixed - math.log(len(RATIOS))


def guards(seen: Pods, tolerance: float) -> dict[str, Array]:
    """The look at which each guard rejects."""
    odds = log_odds(seen, tolerance)
    pods = range(seen.total.shape[2])
    rest = np.min([log_odds(seen, tolerance, without=pod) for pod in pods], axis=0) if len(pods) > 1 else odds
    enough, leans = odds >= LIMIT, rest > 0.0
    capped = {part: log_odds(seen, tolerance, cap=LIMIT / part) >= LIMIT for part in (4, 8)}
    found = {
        "none": enough,
        "rest leans": enough & leans,
        "rest convinced": enough & (rest >= LIMIT),
        "look at most 1/4": capped[4],
        "look at most 1/8": capped[8],
        "leans, or at most 1/8": enough & leans | capped[8] if len(pods) > 1 else capped[8],
    }
    return {guard: first(hits) for guard, hits in found.items()}


def study(runs: int, draw: np.random.Generator) -> list[dict[str, object]]:
    """One row for each kind, number of pods, tolerance and guard."""
    rows: list[dict[str, object]] = []
    for kind, pods in product(KINDS, PODS):
        seen = simulate(kind, pods, runs, draw)
        for tolerance in TOLERANCES:
            for guard, look in guards(seen, tolerance).items():
                row = {"kind": kind, "pods": pods, "tolerance": tolerance, "guard": guard}
                rows.append(row | outcome(look, REQUESTS))
    return rows
