"""A share of requests as k of n pods, for a Service that selects pods one by one. Arithmetic: no pod has a name here.

A plain Service gives every ready pod that it selects an equal part of the connections. With m pods of the stable
revision and k of the candidate in rotation, the candidate gets k/(m+k). Which shares can be had follows from the pods
that there are, so it is known before anything moves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from penstock.model.values import Pod


@dataclass(frozen=True)
class There:
    """The pods to choose from: those of home, those of the candidate, and how many must serve together at least."""

    home: int
    mine: int
    full: int

    @property
    def least(self) -> int:
        """As many as should serve, or all that there are."""
        return min(self.full, self.home + self.mine)


@dataclass(frozen=True)
class Pair:
    """So many pods of home and of the candidate, at least one of each."""

    home: int
    mine: int

    @property
    def share(self) -> Fraction:
        """The candidate's part of all connections, in percent."""
        return Fraction(100 * self.mine, self.home + self.mine)

    @property
    def percent(self) -> int:
        """The same for people and for status: whole, and never all or nothing while both serve."""
        return _whole(self.share)


def nearest(weight: int, there: There) -> Pair:
    """The pair whose share is nearest to the weight; of equals the lower share, then the one that uses more pods.

    Never fewer pods than `full` asks for, where there are so many; always one of each, or it would be no share.
    """
    assert there.home > 0 < there.mine
    pairs = [(abs(100 * pair.mine / (pair.home + pair.mine) - weight), pair) for pair in _pairs(weight, there)]
    best = min(off for off, _ in pairs)
    # Fractions are exact and slow: only what rounding cannot tell apart is compared by them.
    return min((pair for off, pair in pairs if off < best + 1e-9), key=lambda pair: _rank(weight, pair))


def _rank(weight: int, pair: Pair) -> tuple[Fraction, Fraction, int]:
    return abs(pair.share - weight), pair.share, -pair.home - pair.mine


def _pairs(weight: int, there: There) -> Iterator[Pair]:
    """For each number of the candidate's pods, those of home's that come nearest, and the fewest, within bounds."""
    for mine in range(1, there.mine + 1):
        fewest = max(1, there.least - mine)
        if fewest <= there.home:
            ideal = mine * (100 - weight) // weight
            for home in (ideal, ideal + 1, fewest):
                yield Pair(min(max(home, fewest), there.home), mine)


def at_hand(weight: int, there: There) -> list[int]:
    """The two shares that are nearest to the weight, in percent."""
    pairs = sorted(_pairs(weight, there), key=lambda pair: _rank(weight, pair))
    return sorted(list(dict.fromkeys(pair.percent for pair in pairs))[:2])


def pods_for(weight: int) -> int:
    """The fewest pods of which the weight is a whole number."""
    return 100 // gcd(100, weight)


def seen(pods: Iterable[Pod]) -> dict[str, int]:
    """The shares by revision that these pods really give, in percent; they sum to 100 unless nobody answers."""
    serving = Counter(pod.revision for pod in pods if pod.serves)
    total = serving.total()
    if len(serving) < 2:
        return dict.fromkeys(serving, 100)
    made = {name: _whole(Fraction(100 * count, total)) for name, count in sorted(serving.items())}
    largest = max(made, key=lambda name: made[name])
    return made | {largest: made[largest] + 100 - sum(made.values())}


def _whole(share: Fraction) -> int:
    return min(99, max(1, round(share)))
