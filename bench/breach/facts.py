"""What was seen of one bad rollout, from each witness in its own words: clients, Prometheus, operator, API server.

Frozen values without arithmetic; all moments are unix seconds of this machine's clock, which pods share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.breach.clients import Told
from penstock.api.analysis import Analysis

Counts = tuple[int, int]  # bad, all


@dataclass(frozen=True)
class Scraped:
    """What Prometheus has stored of one revision: for each series whether it counts failures, and its samples."""

    series: tuple[tuple[bool, tuple[tuple[float, float], ...]], ...]

    def times(self) -> list[float]:
        """When samples were taken."""
        return sorted({at for _, samples in self.series for at, _ in samples})

    def at(self, moment: float) -> Counts:
        """Counts that the samples up to a moment hold; counters are born at 0 and their pods never restart here."""
        bad = total = 0
        for fails, samples in self.series:
            known = [value for at, value in samples if at <= moment]
            last = round(known[-1]) if known else 0
            bad, total = bad + fails * last, total + last
        return bad, total


@dataclass(frozen=True)
class Look:
    """What the status held of the comparison after a look: the end of its window, its sums, the candidate's counts."""

    end: float
    sums: tuple[float, ...]
    counts: Counts


@dataclass(frozen=True)
class Facts:
    """One bad rollout."""

    name: str
    analysis: Analysis
    told: tuple[Told, ...]
    bad_version: str
    home_version: str
    candidate: Scraped
    home: Scraped
    looks: tuple[Look, ...]
    audit: Mapping[str, float]
    """asked_at, answered_at, decided_at, recorded_at, acted_at of the turn that rejected."""
    seen_off: float
    """When a watch showed the route at weight 0."""
    confirmed: float
    """When a watch showed that the gateway had taken that route."""
    reason: str
    message: str
    load: float


@dataclass(frozen=True)
class Record:
    """Everything that was seen in one run of the bench; what is made of it can be made again."""

    facts: Mapping[str, Facts]
    """By name of the object; a rollout that did not go as it should has none."""
    told: Mapping[str, list[Told]]
    pods: Mapping[str, str]
    """Address of a pod -> its revision."""
    logged: tuple[dict[str, Any], ...]
    """Lines of the gateway's log about requests that failed."""
    loads: tuple[float, ...]
    conditions: Mapping[str, Any]
