"""Penstock's rules, for many runs at once, and the one place where the bench touches the operator's code.

`compared`, `limited` and `shifted` are numpy spellings of penstock.stats; `walked` is penstock.stats itself, one run
and one look after the other. The bench walks some runs and counts where the two differ: it has to be nowhere.
Each rule gives, for each run, the look (from 1) at which it rejects; infinity where it never does.
"""

import math
from collections.abc import Iterator

import numpy as np

from bench.evidence.histories import Array, History, parts
from penstock.api.analysis import Analysis
from penstock.core.judge import rejection_odds
from penstock.stats.sequential import RATIOS, log_odds, one_arm_sums, two_arm_sums
from penstock.stats.shift import HALF, psi, psi_noise, shift_odds

TOLERANCE = 1.25


def odds_of(alpha: str, metrics: int) -> float:
    """Odds at which each of so many metrics rejects, as the operator shares alpha."""
    listed = [{"name": "errorRate", "max": f"{number}%"} for number in range(1, metrics + 1)]
    return rejection_odds(Analysis.model_validate({"alpha": alpha, "metrics": listed}))


def first(hits: Array) -> Array:
    """(run, look) of truth values -> the first look that holds."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)


def compared(history: History, tolerance: float) -> Array:
    """Log odds (run, look) of the two-arm test; see `two_arm_sums`."""
    candidate, stable = history.candidate, history.stable
    n1, n0 = candidate.total.astype(float), stable.total.astype(float)
    known = (n1 > 0) & (n0 > 0)
    null = tolerance * n1 / np.where(known, tolerance * n1 + n0, 1.0)
    mixed = np.full(n1.shape, -np.inf)
    for ratio in RATIOS:
        other = tolerance * ratio * n1 / np.where(known, tolerance * ratio * n1 + n0, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = candidate.bad * np.log(other / null) + stable.bad * np.log((1 - other) / (1 - null))
        mixed = np.logaddexp(mixed, np.where(known, grown, 0.0).cumsum(axis=1))
    return mixed - math.log(len(RATIOS))


def limited(history: History, limit: float) -> Array:
    """Log odds (run, look) of the one-arm test; see `one_arm_sums`. The limit is above 0 and below 1."""
    bad, total = history.candidate.bad.cumsum(axis=1), history.candidate.total.cumsum(axis=1)
    rates = [r * limit for r in RATIOS if r * limit < 1.0] or [(1.0 + limit) / 2]
    mixed = np.full(bad.shape, -np.inf)
    for rate in rates:
        grown = bad * math.log(rate / limit) + (total - bad) * math.log((1 - rate) / (1 - limit))
        mixed = np.logaddexp(mixed, grown)
    return mixed - math.log(len(rates))


def shifted(history: History, largest: float, log_limit: float) -> Array:
    """The look at which the odds on a shift reach the limit while the index, less its noise, is over `largest`."""
    return np.concatenate([_shifted(part, largest, log_limit) for part in parts(history)])


def _shifted(history: History, largest: float, log_limit: float) -> Array:
    mine, home = history.candidate.buckets, history.stable.buckets
    assert mine is not None
    assert home is not None
    all1, all0 = mine.cumsum(axis=1, dtype=float), home.cumsum(axis=1, dtype=float)
    p1, p0 = _guesses(all1 - mine, all0 - home)
    n1, n0 = (side.sum(axis=-1, keepdims=True, dtype=float) for side in (mine, home))
    pooled = (n1 * p1 + n0 * p0) / np.maximum(n1 + n0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = (mine * np.log(p1 / pooled) + home * np.log(p0 / pooled)).sum(axis=-1)
    odds = np.where((n1 * n0)[..., 0] > 0, grown, 0.0).cumsum(axis=1)
    return first((odds >= log_limit) & (_index(all1, all0) - _noise(all1, all0) >= largest))


def _guesses(mine: Array, home: Array) -> tuple[Array, Array]:
    both = _shares(mine + home)
    index, noise = _index(mine, home), _noise(mine, home)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(index > noise, 1 - noise / index, 0.0)[..., None]
    return own * _shares(mine) + (1 - own) * both, own * _shares(home) + (1 - own) * both


def _index(mine: Array, home: Array) -> Array:
    p, q = _shares(mine), _shares(home)
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def _noise(mine: Array, home: Array) -> Array:
    used = ((mine + home) > 0).sum(axis=-1)
    n1, n0 = mine.sum(axis=-1), home.sum(axis=-1)
    scale = 1 / np.maximum(n1, 1) + 1 / np.maximum(n0, 1)
    return np.where(n1 * n0 > 0, (used - 1) * scale, np.inf)


def _shares(counts: Array) -> Array:
    return (counts + HALF) / (counts.sum(axis=-1, keepdims=True) + HALF * counts.shape[-1])


def walked(history: History, run: int, rule: tuple[str, float], log_limit: float) -> float:
    """The same verdict by the operator's own functions, look by look: ("compared" | "limited" | "shifted", setting)."""
    name, setting = rule
    step = {"compared": _walk_compared, "limited": _walk_limited, "shifted": _walk_shifted}[name]
    for look, rejects in enumerate(step(history, run, setting, log_limit), 1):
        if rejects:
            return float(look)
    return math.inf


def _walk_compared(history: History, run: int, tolerance: float, log_limit: float) -> Iterator[bool]:
    sums: list[float] = []
    for c1, n1, c0, n0 in zip(*_rows(history, run), strict=True):
        sums = two_arm_sums(sums, (c1, n1), (c0, n0), tolerance)
        yield log_odds(sums) >= log_limit


def _walk_limited(history: History, run: int, limit: float, log_limit: float) -> Iterator[bool]:
    bad = total = 0
    for c1, n1, _, _ in zip(*_rows(history, run), strict=True):
        bad, total = bad + c1, total + n1
        yield log_odds(one_arm_sums(bad, total, limit)) >= log_limit


def _walk_shifted(history: History, run: int, largest: float, log_limit: float) -> Iterator[bool]:
    mine, home = history.candidate.buckets, history.stable.buckets
    assert mine is not None
    assert home is not None
    before = [[0] * mine.shape[-1], [0] * mine.shape[-1]]
    odds = 0.0
    for look in zip(mine[run].tolist(), home[run].tolist(), strict=True):
        odds += shift_odds((before[0], before[1]), look)
        before = [[a + b for a, b in zip(old, new, strict=True)] for old, new in zip(before, look, strict=True)]
        used = sum(1 for a, b in zip(*before, strict=True) if a or b)
        noise, _ = psi_noise(sum(before[0]), sum(before[1]), used)
        yield odds >= log_limit and psi(before[0], before[1]) - noise >= largest


def _rows(history: History, run: int) -> list[list[int]]:
    arms = (history.candidate, history.stable)
    return [row[run].tolist() for arm in arms for row in (arm.bad, arm.total)]
