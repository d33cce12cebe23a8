"""The rules of other delivery tools as they are published, written anew for many runs at once. No code of theirs.

Where a tool leaves a choice, it gets the one that is better for it, and it says so here. Minutes are looks. Sources:

Argo Rollouts: documentation "Analysis & Progressive Delivery" and argoproj/argo-rollouts, analysis/analysis.go: a
    measurement every `interval`, each failed when its condition does not hold; the run fails, and the rollout is taken
    back, once more than `failureLimit` (0 unless set) have failed. The documentation's example asks every 5 minutes for
    the share of successes over 5 minutes. No request: NaN, taken as good, as the documented isNaN guard does.
Flagger: documentation "Metrics Analysis" and fluxcd/flagger, pkg/controller/scheduler.go and scheduler_metrics.go: each
    `interval` (1 minute) the metric over that interval against a threshold; no values is a failed check; failed checks
    are never forgiven; the rollout is taken back when they reach `threshold` (5 or 10 in the documentation's examples).
PipeCD: documentation "Automated deployment analysis" and pipe-cd/pipecd, executor/analysis/metrics_analyzer.go,
    mannwhitney.go and the Prometheus provider: each `interval` (5 minutes in the examples) a Mann-Whitney test at a
    fixed 5 % on the points of that interval, one for each minute and both ends inclusive, so 6; exact in small samples,
    ties included; all points equal: as expected; taken back once more than `failureLimit` (0 unless set) have failed.
    Here with deviation HIGH, which finds more than the default EITHER. Minutes without requests are left out.
Kayenta: Spinnaker's "How canary judgment works" and spinnaker/kayenta, MannWhitneyClassifier.scala, MannWhitney.scala,
    NetflixACAJudge.scala, WeightedSumScorer.scala: points of one minute, NaN left out; High when the lower end of the
    98 % Mann-Whitney confidence interval of the shift (normal approximation, corrected for ties and continuity) is
    above 0.25 times the absolute Hodges-Lehmann estimate; equal series pass; with one metric a High is score 0, under
    any marginal mark, and ends the canary. Judged every 10 minutes over all points so far, or once at the end. Only
    an increase counts.
"""

from itertools import combinations

import numpy as np

from bench.evidence.histories import Arm, Array, History, parts
from bench.evidence.ours import first

EPSILON = 1e-9
QUANTILE = 2.3263478740408408  # of the standard normal, at 1 - 0.02/2
TOLERATED = 0.25


def argo(history: History, largest: float, failures: int) -> Array:
    """One threshold on the mean over 5 minutes, every 5 minutes."""
    return _counted(_windows(history.candidate, 5) > largest, failures + 1, 5)


def flagger(history: History, largest: float, threshold: int) -> Array:
    """One threshold on each minute; silence fails."""
    values = history.candidate.value
    return _counted((values > largest) | np.isnan(values), threshold, 1)


def pipecd(history: History, failures: int) -> Array:
    """Mann-Whitney on the points of each 5 minutes."""
    return np.concatenate([_counted(_differ(part), failures + 1, 5) for part in parts(history)])


def kayenta(history: History, every: int) -> Array:
    """Mann-Whitney with tolerance on all points so far, every so many minutes."""
    return np.concatenate([_judged(part, every) for part in parts(history, 250)])


def _counted(failed: Array, enough: int, minutes: int) -> Array:
    """The minute at which so many measurements have failed, of those made every `minutes`."""
    return first(failed.cumsum(axis=1) >= enough) * minutes


def _windows(arm: Arm, minutes: int) -> Array:
    """Mean over all requests of each window; NaN where there was none, and NaN is never above a threshold."""
    shape = (len(arm.total), -1, minutes)
    total = arm.total.reshape(shape).sum(axis=-1)
    value = np.nan_to_num(arm.value * arm.total).reshape(shape).sum(axis=-1)
    return np.divide(value, total, out=np.full(total.shape, np.nan), where=total > 0)


def _differ(history: History) -> Array:
    """(run, window): the test says that the candidate's points are higher."""
    mine, home = history.candidate.value, history.stable.value
    ends = range(5, mine.shape[1] + 1, 5)
    return np.stack([_higher(mine[:, max(0, e - 6) : e], home[:, max(0, e - 6) : e]) for e in ends], axis=1)


def _higher(mine: Array, home: Array) -> Array:
    """Exact one-sided Mann-Whitney at 5 % of each row; points that are NaN are left out."""
    mine, home = np.sort(mine, axis=1), np.sort(home, axis=1)  # NaN comes last
    sizes = np.stack([np.isfinite(mine).sum(axis=1), np.isfinite(home).sum(axis=1)], axis=1)
    found = np.zeros(len(mine), dtype=bool)
    for n1, n0 in np.unique(sizes, axis=0):
        rows = np.flatnonzero((sizes == (n1, n0)).all(axis=1))
        if n1 and n0:
            found[rows] = _p_value(mine[rows, :n1], home[rows, :n0]) <= 0.05
        elif n1 or n0:
            found[rows] = True  # one arm without points is an error, and counts as a failure
    return found


def _p_value(mine: Array, home: Array) -> Array:
    """P(U > u - 1) over all ways to deal the points to the arms; 1 where all points are equal."""
    n1 = mine.shape[1]
    points = np.concatenate([mine, home], axis=1)
    ranks = ((points[:, :, None] > points[:, None, :]) + 0.5 * (points[:, :, None] == points[:, None, :])).sum(axis=2)
    picks = list(combinations(range(points.shape[1]), n1))
    deals = np.zeros((points.shape[1], len(picks)))
    for column, pick in enumerate(picks):
        deals[list(pick), column] = 1.0
    sums = ranks @ deals
    value = (sums > ranks[:, :n1].sum(axis=1, keepdims=True) - 1 + EPSILON).mean(axis=1)
    return np.where(np.ptp(points, axis=1) == 0, 1.0, value)


def _judged(history: History, every: int) -> Array:
    mine, home = history.candidate.value, history.stable.value
    ends = range(every, mine.shape[1] + 1, every)
    return first(np.stack([_high(mine[:, :end], home[:, :end]) for end in ends], axis=1)) * every


def _high(mine: Array, home: Array) -> Array:
    """(run): the confidence interval of the shift lies above the tolerated share of its estimate."""
    apart = (mine[:, :, None] - home[:, None, :]).reshape(len(mine), -1)
    empty = ~np.isfinite(apart).any(axis=1)
    apart[empty] = 0.0
    bar = TOLERATED * np.abs(np.nanmedian(apart, axis=1))[:, None]
    n1, n0 = np.isfinite(mine).sum(axis=1), np.isfinite(home).sum(axis=1)
    centred = (apart > bar).sum(axis=1) + 0.5 * (apart == bar).sum(axis=1) - n1 * n0 / 2
    spread = np.sqrt(n1 * n0 / 12 * (n1 + n0 + 1 - _ties(mine - bar, home) / np.maximum((n1 + n0) * (n1 + n0 - 1), 1)))
    # The end lies above the bar where the statistic, with the bar taken off, is still above the quantile.
    return ~empty & (centred - 0.5 * np.sign(centred) > QUANTILE * spread)


def _ties(mine: Array, home: Array) -> Array:
    """Sum over groups of equal points of size^3 - size."""
    points = np.concatenate([mine, home], axis=1)
    sizes = (points[:, :, None] == points[:, None, :]).sum(axis=2)
    return np.where(sizes > 0, sizes.astype(float) ** 2 - 1, 0.0).sum(axis=1)
