"""Sequential tests on bad events, valid at every look: evidence may be read after each interval, as often as one likes.

Both are e-processes (test martingales): a mixture, over a fixed grid of alternatives, of likelihood ratios against
the null hypothesis. By Ville's inequality the chance that one ever reaches 1/alpha while the null holds is at most
alpha (Ville 1939; Shafer 2021, "Testing by betting", section 3; mixtures: Robbins 1970). Nothing here knows of metrics.
"""

import math
from collections.abc import Sequence

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
CAP = 700.0
Side = tuple[float, float]


def two_arm_sums(sums: Sequence[float], candidate: Side, stable: Side, tolerance: float) -> list[float]:
    """Add one look to the running log-likelihood ratios of the two-arm test.

    Null: the candidate's rate of bad events is at most `tolerance` times the stable one's. Given that an event is bad,
    it then falls on the candidate with probability at most q = t*n1 / (t*n1 + n0), from the *observed* totals of this
    look; under the alternative ratio r*t with q' likewise. Each look adds c1*ln(q'/q) + c0*ln((1-q')/(1-q)).

    It needs no Poisson counts: of independent binomial ones the mean factor is at most 1 too, since 1 + x <= exp(x).

    `candidate` and `stable` are (bad, total) of this look alone; `sums` is empty before the first look. Expected counts
    may be fractions.
    """
    return ratio_sums(RATIOS, sums, (candidate, stable), tolerance)


def ratio_sums(
    ratios: Sequence[float], sums: Sequence[float], look: tuple[Side, Side], tolerance: float
) -> list[float]:
    """The two-arm test over a grid of one's own: `ratios`, each over 1, say how many times more than tolerated.

    A coarse grid is for what is tested many times over, such as each group of a label against all others.
    """
    sums = sums or [0.0] * len(ratios)
    (c1, n1), (c0, n0) = look
    if not n1 or not n0:
        return list(sums)
    return [s + _label((c1, c0), (n1, n0), (tolerance, tolerance * r)) for s, r in zip(sums, ratios, strict=True)]


def _label(bad: Side, totals: Side, ratios: tuple[float, float]) -> float:
    (c1, c0), (n1, n0) = bad, totals
    null, other = (r * n1 / (r * n1 + n0) for r in ratios)
    return c1 * math.log(other / null) + c0 * math.log((1 - other) / (1 - null))


def one_arm_sums(bad: float, total: float, limit: float) -> list[float]:
    """Log-likelihood ratios of the one-arm test, from all counts so far.

    Null: the rate of bad events is at most `limit`. Alternatives: r times the limit, below 1. Binomial likelihood.
    A limit of 0 leaves no room: the first bad event decides. A limit of 1 can never be broken.
    """
    if limit >= 1.0:
        return [0.0]
    if limit <= 0.0:
        return [CAP if bad else 0.0]
    rates = [r * limit for r in RATIOS if r * limit < 1.0] or [(1.0 + limit) / 2]
    return [bad * math.log(p / limit) + (total - bad) * math.log((1 - p) / (1 - limit)) for p in rates]


def odds(sums: Sequence[float]) -> float:
    """The e-value: equal-weight mixture of the likelihood ratios; 20.0 reads as twenty to one against the null."""
    return math.exp(log_odds(sums))


def log_odds(sums: Sequence[float]) -> float:
    """Natural logarithm of the odds, at most CAP: what is surer than that overflows a float and says no more."""
    if not sums:
        return 0.0
    top = max(sums)
    return min(top + math.log(sum(math.exp(s - top) for s in sums) / len(sums)), CAP)
