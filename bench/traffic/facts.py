"""What was seen: requests by clients, and the stretches of time that each stand for one thing that happened."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from bench.breach.clients import Told
from examples.demo.records import OK

ODDS = 3.29
"""Standard deviations: chance alone goes beyond them once in a thousand times; so often a fair share looks wrong."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Lowest and highest plausible share after `hits` of `total`: Wilson's binomial interval; all, where nothing is."""
    if not total:
        return 0.0, 1.0
    share, weight = hits / total, ODDS**2 / total
    middle = share + weight / 2
    reach = ODDS * sqrt(share * (1 - share) / total + weight / (4 * total))
    low, high = (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
    return low if hits else 0.0, high if hits < total else 1.0  # exactly, which floats are not


@dataclass(frozen=True)
class Window:
    """A stretch of one case: what happened in it, and which share was wanted meanwhile, where one was."""

    name: str
    begin: float
    end: float
    version: str = ""
    weight: int = 0
    """Percent wanted for `version`."""
    excuse: str = ""
    """Why requests may fail here that are not ours to save; empty: none may."""


@dataclass(frozen=True)
class Case:
    """One case as it was played."""

    windows: Sequence[Window]
    told: Sequence[Told]
    notes: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    failures: Sequence[Mapping[str, Any]] = ()
    """Each failed request, with the line of the gateway's log that fits it."""


@dataclass(frozen=True)
class Row:
    """A window, counted."""

    window: Window
    requests: int
    failed: Mapping[str, int]
    """By status and words."""
    answers: int
    """Of the wanted share's version."""

    @property
    def lost(self) -> int:
        """Requests without a good answer."""
        return sum(self.failed.values())

    @property
    def share(self) -> float:
        """Percent of the good answers that the version gave."""
        return 100 * self.answers / max(1, self.requests - self.lost)

    @property
    def interval(self) -> tuple[float, float]:
        """Percent: the true share lies in it, but for one run in a thousand."""
        low, high = wilson(self.answers, self.requests - self.lost)
        return 100 * low, 100 * high

    @property
    def holds(self) -> bool:
        """Nothing lost, and the share as wanted."""
        low, high = self.interval
        return (not self.lost or bool(self.window.excuse)) and (
            not self.window.version or low <= self.window.weight <= high
        )


def count(window: Window, told: Sequence[Told]) -> Row:
    """The requests that were sent in a window, added up."""
    mine = [each for each in told if window.begin <= each.sent < window.end]
    failed = Counter(f"{each.status} {each.why}".strip()[:120] for each in mine if each.status != OK)
    answers = sum(each.status == OK and each.version == window.version for each in mine)
    return Row(window, len(mine), failed, answers)
