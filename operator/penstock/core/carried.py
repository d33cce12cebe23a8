"""The running sums of the tests that compare two arms, as status keeps them, and what of an arm waits for the other.

Scrapes of two arms fall at different times, so one look may hold requests of one arm alone. A comparison says nothing
of such a look; left out, an arm whose scrapes never share a window with the other's would never be judged. So its
counts wait, and count with the first look that has the other arm's too. When that is depends on totals, never on what
was bad: the tests stay valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.stats.sequential import two_arm_sums
from penstock.stats.shift import shift_odds

Pair = tuple[int, int]
Arms = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Shares:
    """Log-likelihood sums, and (bad, total) of candidate and stable that wait."""

    sums: tuple[float, ...] = ()
    mine: Pair = (0, 0)
    home: Pair = (0, 0)

    def add(self, mine: Pair, home: Pair, tolerance: float) -> "Shares":
        """One look more."""
        mine, home = _plus(self.mine, mine), _plus(self.home, home)
        if not (mine[1] and home[1]):
            return Shares(self.sums, mine, home)
        return Shares(tuple(two_arm_sums(self.sums, mine, home, tolerance)))

    def written(self) -> str:
        """For status: the sums, and after a semicolon what waits."""
        waiting = " ".join(map(str, (*self.mine, *self.home)))
        return " ".join(f"{s:.9g}" for s in self.sums) + (f";{waiting}" if self.mine[1] or self.home[1] else "")


def read_shares(text: str) -> Shares:
    """Back from status."""
    sums, _, waiting = text.partition(";")
    bad, total, home_bad, home_total = map(int, waiting.split() or (0, 0, 0, 0))
    return Shares(tuple(float(s) for s in sums.split()), (bad, total), (home_bad, home_total))


@dataclass(frozen=True)
class Shape:
    """Bucket counts of both arms that the test has seen, the logarithm of its odds, and the counts that wait."""

    seen: Arms
    value: float
    waiting: Arms

    def add(self, look: tuple[Sequence[int], Sequence[int]]) -> "Shape":
        """One look more."""
        now = _added(self.waiting, look)
        if not (any(now[0]) and any(now[1])):
            return Shape(self.seen, self.value, now)
        nothing = [0] * len(now[0])
        return Shape(_added(self.seen, now), self.value + shift_odds(self.seen, now), (nothing, list(nothing)))

    def counted(self) -> Arms:
        """All counts, those that wait too."""
        return _added(self.seen, self.waiting)

    def written(self) -> str:
        """For status: both arms, the value, and what waits where anything does."""
        parts = [*map(_listed, self.seen), f"{self.value:.9g}"]
        return ";".join(parts + ([*map(_listed, self.waiting)] if any(map(any, self.waiting)) else []))


def read_shape(text: str, buckets: int) -> Shape:
    """Back from status; from nothing where the buckets have changed."""
    parts = text.split(";")
    nothing = [0] * buckets
    if len(parts[0].split()) != buckets:
        return Shape((nothing, list(nothing)), 0.0, (list(nothing), list(nothing)))
    waiting = (_counts(parts[3]), _counts(parts[4])) if len(parts) > 3 else (list(nothing), list(nothing))
    return Shape((_counts(parts[0]), _counts(parts[1])), float(parts[2]), waiting)


def _plus(one: Pair, more: Pair) -> Pair:
    return one[0] + more[0], one[1] + more[1]


def _added(arms: Arms, more: tuple[Sequence[int], Sequence[int]]) -> Arms:
    mine, home = ([a + b for a, b in zip(x, y, strict=True)] for x, y in zip(arms, more, strict=True))
    return mine, home


def _counts(text: str) -> list[int]:
    return [int(n) for n in text.split()]


def _listed(counts: Sequence[int]) -> str:
    return " ".join(map(str, counts))
