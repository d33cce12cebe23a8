"""What a verdict will cost: the requests until a candidate that is as bad as this is rejected. For plans, for people.

Expectations, not promises: the tests of `stats.sequential` are fed counts just as expected, without chance. In
simulated rollouts half of such candidates are rejected by 0.7 to 1.0 times that many requests, nine in ten by about
twice as many (1.6 to 2.7 times). Nothing here decides.
"""

from collections.abc import Callable
from math import log

from penstock.stats.sequential import CAP, log_odds, one_arm_sums, two_arm_sums

NEVER = 10**9  # requests; what is not rejected by then will not be in any rollout


def requests_to_reject(limit: float, bad: float, odds: float) -> int:
    """Candidate requests until the one-arm test is `odds` to 1 against "the share of bad events is at most `limit`".

    `bad` is the candidate's true share, in [0, 1] as the limit. The smallest n at which the mixture of likelihood
    ratios (Robbins 1970) reaches the odds when n*bad of n events are bad. NEVER where it does not: bad <= limit.
    """
    if limit <= 0.0 and bad > 0.0:
        return _first(lambda n: CAP if n * bad >= 1.0 else 0.0, odds)
    return _first(lambda n: log_odds(one_arm_sums(n * bad, n, limit)), odds)


def requests_to_reject_against(rates: tuple[float, float], home: float, tolerance: float, odds: float) -> int:
    """Candidate requests until the two-arm test is `odds` to 1 against "at most `tolerance` times as bad as stable".

    `rates` are the true shares of bad events of candidate and stable; `home` is how many requests the stable revision
    answers for each of the candidate's (9.0 at a weight of 10 %). NEVER where it does not come to that.
    """
    bad, good = rates
    return _first(lambda n: log_odds(two_arm_sums([], (n * bad, n), (n * home * good, n * home), tolerance)), odds)


def _first(log_value: Callable[[int], float], odds: float) -> int:
    """The smallest n whose logarithm reaches the odds: doubled until one does, then halved in.

    Each sum grows in proportion to n, so their mixture is convex in n and 1 at n = 0: once above that, it only rises.
    """
    wanted = min(log(odds), CAP)
    high = 1
    while log_value(high) < wanted:
        high *= 2
        if high > NEVER:
            return NEVER
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if log_value(middle) < wanted else (low, middle)
    return high
