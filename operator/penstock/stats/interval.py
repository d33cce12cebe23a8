"""How large a share of bad events can be, shown beside the verdict and just as valid at every look.

For people to read; what rejects is `stats.sequential`. A confidence sequence: with a chance of at least 1 - alpha it
covers the true share at all looks at once, so the reader may look as often as wished (Robbins 1970; Howard, Ramdas,
McAuliffe and Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49).
Nothing here knows of metrics, and nothing here decides.
"""

from collections.abc import Callable
from math import lgamma, log

# Beta(1/2, 1/2), Jeffreys' prior, weighs the alternatives: fair to shares near 0 and 1, which error rates are.
WEIGHT = 0.5
Interval = tuple[float, float]


def bounds(bad: int, total: int, alpha: float) -> Interval:
    """Lowest and highest plausible share of bad events, each in [0, 1], after `bad` of `total`.

    A share p stays plausible while the Beta mixture of likelihood ratios against it is under 1/alpha:
    B(bad + 1/2, total - bad + 1/2) / (B(1/2, 1/2) p^bad (1-p)^(total-bad)) < 1/alpha. That mixture is a martingale with
    mean 1 where p is true, so Ville's inequality bounds the chance that p is ever left out (Robbins 1970;
    the two-sided beta-binomial mixture of Howard et al. 2021). `alpha` is in (0, 1); nothing counted: all is plausible.
    """
    good = total - bad
    mixture = _log_beta(bad + WEIGHT, good + WEIGHT) - _log_beta(WEIGHT, WEIGHT) + log(alpha)

    def excess(p: float) -> float:
        """Above 0 where p is ruled out; it falls up to the observed share and rises after it."""
        return mixture - (bad * log(p) if bad else 0.0) - (good * log(1.0 - p) if good else 0.0)

    seen = bad / total if total else 0.5
    low = _crossing(excess, (0.0, seen)) if bad else 0.0
    high = _crossing(excess, (1.0, seen)) if good else 1.0
    return low, high


def difference(candidate: tuple[int, int], stable: tuple[int, int], alpha: float) -> Interval:
    """Lowest and highest plausible difference of shares, candidate minus stable, each in [-1, 1].

    Both arms are (bad, total). Each is bounded at alpha/2, and by the union bound both hold together at alpha
    (Bonferroni). It is wider than the two-arm test is strict: an interval that holds 0 is no acquittal.
    """
    mine, home = bounds(*candidate, alpha / 2), bounds(*stable, alpha / 2)
    return mine[0] - home[1], mine[1] - home[0]


def part(mine: int, home: int, edges: tuple[int, int], alpha: float) -> Interval:
    """Lowest and highest plausible part that `mine` is of all that is counted in two arms.

    The two are read at different times: each for the first and the last time a little earlier or later than the other.
    In the time that both cover there are at least `mine` less edges[0] and `home` less edges[1], and at most all of
    them. Where each request goes to one arm by the same chance, whatever became of those before, `bounds` holds for
    that time at every look (a binomial confidence sequence). It rises with the one arm and falls with the other, so its
    ends at the extremes hold for what is not known.
    """
    fewest, others = max(0, mine - edges[0]), max(0, home - edges[1])
    return bounds(fewest, fewest + home, alpha)[0], bounds(mine, mine + others, alpha)[1]


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _crossing(excess: Callable[[float], float], ends: tuple[float, float]) -> float:
    """Where a share stops being ruled out between an outer and an inner end, by bisection to a float's precision."""
    outer, inner = ends
    while True:
        middle = (outer + inner) / 2
        if middle in (outer, inner):
            return outer
        if excess(middle) > 0.0:
            outer = middle
        else:
            inner = middle
