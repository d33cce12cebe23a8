"""What a user writes to be scaled by how long requests take, and what status keeps of what was learned from that.

Shapes only; what is learned, and from what, is worked out in `core.objective`.
"""

from enum import StrEnum
from typing import Annotated

from penstock.api.fields import PERCENT, Count, Duration, Frozen, Name, Percent, ShortText, Text, Time, Tolerant, worded


class SlowRate(Frozen):
    """How large a share of requests may be slow."""

    threshold: Duration
    """What takes longer is slow; must be a bucket bound of the server's histogram. Example: 300ms."""
    max: Annotated[
        Percent, worded(PERCENT, "must be a percentage above 0, such as 1% or 0.5%", "self.matches('[1-9]')")
    ]
    """Largest share of slow requests. Example: 1%."""


class Objective(Frozen):
    """How fast answers must be; how many requests a replica bears is found out."""

    slow_rate: SlowRate
    """The share of slow requests that is kept. Example: {threshold: 300ms, max: 1%}."""
    source: Name | None = None
    """Metric source of both, latency and requests. Default: default."""

    @property
    def title(self) -> str:
        """The wish in words; what was learned for another one does not count."""
        return f"at most {self.slow_rate.max} slower than {self.slow_rate.threshold}"


class Obstacle(StrEnum):
    """Why the objective cannot be kept by replicas."""

    MORE_DO_NOT_HELP = "MoreDoNotHelp"
    NO_MORE = "NoMore"


class Seen(Tolerant):
    """What was seen at one load."""

    load: ShortText
    """Requests per second for each replica."""
    bad: Count
    """Slow requests."""
    total: Count
    """All requests."""
    at: Time
    """When."""


class Learned(Tolerant):
    """How much each replica bears, as far as it is known. It is written anew only where that changes."""

    objective: ShortText
    """For which objective."""
    revision: ShortText
    """The stable revision."""
    per_replica: ShortText
    """Requests per second that each replica should have."""
    since: Time
    """When this was last changed."""
    fast: Seen | None = None
    """The highest load at which few enough requests were slow."""
    slow: Seen | None = None
    """The load at which too many were slow, when that was last seen."""
    began: Seen | None = None
    """Where the present descent began; it ends when few enough requests are slow."""
    obstacle: Obstacle | None = None
    """MoreDoNotHelp: half the load is no faster. NoMore: there are maxReplicas. Absent: more replicas do."""
    message: Text = ""
    """What this was learned from, in words."""
