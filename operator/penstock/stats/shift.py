"""Whether two arms draw from one distribution, from how many events fell into each bucket of a histogram.

Two answers to two questions. `psi` says how large a shift is, `shift_odds` how sure it is that there is one, at every
look. A verdict needs both: with enough requests any two arms differ in something, and with few a large index is noise.
Nothing here knows of metrics, of times or of what a bucket stands for: the order of the buckets does not matter.
"""

from collections.abc import Sequence
from math import inf, log, sqrt

HALF = 0.5  # added to each bucket, so that an empty one has a logarithm (Krichevsky and Trofimov 1981)
Buckets = Sequence[int]
Arms = tuple[Buckets, Buckets]


def psi(candidate: Buckets, stable: Buckets) -> float:
    """Population stability index: sum over buckets of (p - q) ln(p/q), where 1/2 is added to each bucket's count.

    The symmetrised Kullback-Leibler divergence, in nats, of two histograms with the same buckets (Jeffreys 1946;
    Siddiqi 2006, "Credit Risk Scorecards"). 0: the same; by custom, below 0.1 is small and above 0.25 large. How much
    of it is chance: `psi_noise`.
    """
    shares = zip(_shares(candidate), _shares(stable), strict=True)
    return sum((p - q) * log(p / q) for p, q in shares)


def psi_noise(n1: int, n0: int, buckets: int) -> tuple[float, float]:
    """Mean and standard deviation of the index where nothing has shifted, for arms of n1 and n0 events.

    It is then (1/n1 + 1/n0) times a chi-square of k-1 degrees of freedom (Yurdakul and Naranjo 2020, "Statistical
    properties of the population stability index", Journal of Risk Model Validation 14), k being the number of buckets
    that events can fall into. Infinite while an arm is empty. Where a bucket expects under about 5 events it is rough.
    """
    if not n1 or not n0:
        return inf, inf
    scale = 1 / n1 + 1 / n0
    return (buckets - 1) * scale, sqrt(2 * (buckets - 1)) * scale


def shift_odds(before: Arms, look: Arms) -> float:
    """Natural logarithm of a look's factor on the odds against "both arms draw from one distribution".

    Both pairs are (candidate, stable) counts for each bucket: `before` all looks that came earlier, `look` this one
    alone. Add the results up over all looks; at ln(1/alpha) the statement is rejected, and at most a share alpha of
    arms that are the same ever gets there. The factor is the E-variable of Turner, Ly and Gruenwald 2021 ("Generic
    E-variables for exact sequential k-sample tests", section 2): the product over this look's events y of
    p_arm(y) / p(y), with p = (n1 p_1 + n0 p_0) / (n1 + n0), n1 and n0 this look's totals. Its mean is at most 1 under
    any common distribution, as long as p_1 and p_0 were chosen before the look. How they are chosen decides the power
    alone: `_guesses`.
    """
    mine, home = look
    n1, n0 = sum(mine), sum(home)
    if not n1 or not n0:
        return 0.0
    grown = 0.0
    for c1, c0, p1, p0 in zip(mine, home, *_guesses(before), strict=True):
        pooled = (n1 * p1 + n0 * p0) / (n1 + n0)
        grown += c1 * log(p1 / pooled) + c0 * log(p0 / pooled)
    return grown


def _guesses(before: Arms) -> tuple[list[float], list[float]]:
    """The two distributions that the next look is expected to follow.

    Each arm's own shares, drawn towards those of both together by as much of the index as chance explains (a positive
    part James-Stein weight, 1 - noise/index). Guesses that follow noise cost odds at every look; these stay together
    until there is something to see.
    """
    mine, home = before
    both = _shares([a + b for a, b in zip(mine, home, strict=True)])
    noise, _ = psi_noise(sum(mine), sum(home), sum(1 for a, b in zip(mine, home, strict=True) if a or b))
    index = psi(mine, home)
    own = 1.0 - noise / index if index > noise else 0.0
    return _drawn(_shares(mine), both, own), _drawn(_shares(home), both, own)


def _drawn(shares: Sequence[float], towards: Sequence[float], own: float) -> list[float]:
    return [own * p + (1.0 - own) * q for p, q in zip(shares, towards, strict=True)]


def _shares(counts: Buckets) -> list[float]:
    total = sum(counts) + HALF * len(counts)
    return [(count + HALF) / total for count in counts]
