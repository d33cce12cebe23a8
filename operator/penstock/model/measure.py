"""What a metric source is asked, and what it may answer; who asks is `core.evidence`, who answers `metrics`.

Frozen values. A source reads, it never judges: what follows from its answer is decided in core.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Selector:
    """Series by metric name and label matchers; the source adds those for namespace and revision."""

    name: str
    where: str = ""


@dataclass(frozen=True)
class Ratio:
    """Two counters to read: bad events are `part` of `total`, or all others where part counts the good.

    With `by`, a label of both, they are counted for each of its values apart.
    """

    part: Selector
    total: Selector
    part_is_good: bool = False
    by: str = ""


@dataclass(frozen=True)
class Histogram:
    """The cumulative buckets (label `le`) whose growth says how values are distributed."""

    buckets: Selector


@dataclass(frozen=True)
class Rate:
    """Growth of a counter per second over the window, all pods added up."""

    counter: Selector


@dataclass(frozen=True)
class Gauge:
    """The last value of each series in the window."""

    series: Selector


@dataclass(frozen=True)
class Query:
    """An expression in the source's own language, or the name of one that the administrator keeps there.

    {{namespace}}, {{name}}, {{revision}} and {{version}} are filled in with `fills`, by the source, quoted as it needs.
    """

    text: str
    fills: Mapping[str, str]


Measure = Ratio | Histogram | Rate | Gauge | Query


@dataclass(frozen=True)
class Arm:
    """One revision's side of a question; `born` says that its counters began at 0 inside the window."""

    revision: str
    measure: Measure
    born: bool = False


@dataclass(frozen=True)
class Question:
    """One metric over one window (start, end]: the candidate, and the stable revision where it is compared.

    With `since` nothing that was sampled before is read, not even to begin with: what grew until the first sample after
    it belongs to the time before.
    """

    source: str
    namespace: str
    candidate: Arm
    stable: Arm | None
    start: datetime
    end: datetime
    since: datetime | None = None


@dataclass(frozen=True)
class Counts:
    """Bad and all requests of the two arms in one window: the answer to a Ratio."""

    candidate_bad: int
    candidate_total: int
    stable_bad: int = 0
    stable_total: int = 0


@dataclass(frozen=True)
class Groups:
    """(bad, all) of the candidate in one window for each value of the label: the answer to a Ratio with `by`."""

    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Shapes:
    """Events of one window in each bucket (no longer cumulative) of both arms: the answer to a Histogram.

    `bounds` are the upper bounds, ascending, as the source spells them, the last one +Inf.
    """

    bounds: tuple[str, ...]
    candidate: tuple[int, ...]
    stable: tuple[int, ...]


@dataclass(frozen=True)
class Levels:
    """The candidate's finite values, one a series: the answer to a Rate, Gauge or Query. Empty: nothing there.

    `pods` is how many pods they come from that were still there in the end, 0 where the source cannot tell; `average`
    how many there were all the time, of a Rate only.
    """

    values: tuple[float, ...]
    pods: int = field(default=0, compare=False)
    average: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Silence:
    """A metric source that gave nothing usable: never a pass, never a failure."""

    message: str


Answer = Counts | Groups | Shapes | Levels | Silence
