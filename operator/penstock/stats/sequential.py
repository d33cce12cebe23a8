"""Sequential tests on bad events, valid at every look: evidence may be read after each interval, as often as one likes.

Both are e-processes (test martingales): a mixture, over a fixed grid of alternatives, of likelihood ratios against
the null hypothesis. By Ville's inequality the chance that one ever reaches 1/alpha while the null holds is at most
alpha (Ville 1939; Shafer 2021, "Testing by betting", section 3; mixtures: Robbins 1970). Nothing here knows of metrics.
"""

import math
from collections.abc import Sequence

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
CAP = 700.0


def two_arm_sums(
    sums: Sequence[float], candidate: tuple[int, int], stable: tuple[int, int], tolerance: float
) -> list[float]:
    """Add one look to the running log-likelihood ratios of the two-arm test.

    Null: the candidate's rate of bad events is at most `tolerance` times the stable one's. Given that an event is bad,
    it then falls on the candidate with probability at most q = t*n1 / (t*n1 + n0), from the *observed* totals of this
    look; under the alternative ratio r*t with q' likewise. Each look adds c1*ln(q'/q) + c0*ln((1-q')/(1-q)).

    `candidate` and `stable` are (bad, total) of this look alone; `sums` is empty before the first look.
    """
    sums = sums or [0.0] * len(RATIOS)
    (c1, n1), (c0, n0) = candidate, stable
    if not n1 or not n0:
        return list(sums)
    return [s + _label(c1, c0, (n1, n0), (tolerance, tolerance * r)) for s, r in zip(sums, RATIOS, strict=True)]


def _label(c1: int, c0: int, totals: tuple[int, int], ratios: tuple[float, float]) -> float:
    n1, n0 = totals
    null, other = (r * n1 / (r * n1 + n0) for r in ratios)
    return c1 * math.log(other / null) + c0 * math.log((1 - other) / (1 - null))


def one_arm_sums(bad: int, total: int, limit: float) -> list[float]:
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
    if not sums:
        return 1.0
    top = min(max(sums), CAP)
    return math.exp(top) * sum(math.exp(min(s, CAP) - top) for s in sums) / len(sums)
