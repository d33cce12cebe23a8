"""What a user writes about how a new revision takes over.

Shapes and cross-field rules only. A field is listed here when it acts, not before. How it is judged: see `analysis`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import (
    Duration,
    Frozen,
    HostName,
    Percent,
    Period,
    cel,
    rules,
    worded,
)
from penstock.api.window import WINDOW_RULES, Window

_TOKEN = r"^[A-Za-z0-9][-_.A-Za-z0-9]*$"

Token = Annotated[
    str,
    StringConstraints(pattern=_TOKEN, min_length=1, max_length=128),
    worded(_TOKEN, "must be a plain word such as x-cohort or beta: only letters, digits, -, _ and ."),
]
Group = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class OnTimeout(StrEnum):
    """What happens when nobody has approved in time."""

    WAIT = "Wait"
    ABORT = "Abort"
    PROMOTE = "Promote"


class Approval(Frozen):
    """People who must agree before the rollout goes on; each writes the annotation penstock.dev/approve."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.onTimeout) || self.onTimeout == 'Wait' || has(self.maxAge)",
                "onTimeout needs maxAge: without it the request never times out",
            )
        )
    )

    groups: Annotated[list[Group], Field(max_length=8)] = []
    """Only members of one of these groups count. Default: everybody who has the verb approve. Example: [ml-leads]."""
    min_approvals: Annotated[int, Field(ge=1, le=16)] = 1
    """How many different people must approve. Default: 1."""
    max_age: Period | None = None
    """How long the request stays open once the step has passed all else. Default: for ever."""
    on_timeout: OnTimeout = OnTimeout.WAIT
    """Then: Wait (and say so), Abort or Promote. Default: Wait."""


class CanaryStep(Frozen):
    """One share of traffic, held for a while."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.capacity) || self.capacity == '100%' || double(self.capacity.replace('%', '')) >= double(self.weight)",
                "capacity must be at least weight: fewer pods than the share of requests would be overloaded",
                fieldPath=".capacity",
            )
        )
    )

    weight: Annotated[
        int,
        Field(
            ge=1,
            le=99,
            json_schema_extra=rules(
                cel(
                    "self >= 1 && self <= 99",
                    "weight must be at least 1 and at most 99; 100 follows after the last step by itself: leave it out",
                )
            ),
        ),
    ]
    """Share of requests that the candidate gets, in percent; 100 follows after the last step by itself. Example: 5."""
    duration: Duration = "1m"
    """Shortest time at this share, counted from when the route carries it. Default: 1m."""
    capacity: Percent | None = None
    """Share of the full number of pods that the candidate runs in this step, at least `weight`. Default: as `weight`."""
    approval: Approval | None = None
    """People who must agree before the next step. Default: nobody."""


class Canary(Frozen):
    """Traffic goes to the candidate in growing shares; each is judged before the next."""

    steps: Annotated[
        list[CanaryStep],
        Field(
            min_length=1,
            max_length=20,
            json_schema_extra=rules(
                cel(
                    "self.all(i, self.filter(j, j.weight == i.weight).size() == 1)",
                    "each step needs a weight of its own; for a longer hold give one step a longer duration",
                ),
                cel(
                    "self.map(s, s.weight).isSorted()",
                    "weights must grow from step to step; to go back use a new revision or let the analysis do it",
                ),
            ),
        ),
    ]
    """The shares in order. Example: [{weight: 5, duration: 2m}, {weight: 25, duration: 5m}, {weight: 50, duration: 5m}]."""


class PreviewAnalysis(StrEnum):
    """Whether the preview must pass the analysis."""

    IGNORE = "Ignore"
    REQUIRE = "Require"


class BlueGreen(Frozen):
    """The candidate runs at full size beside the stable revision, under an address of its own, until one switch."""

    duration: Duration = "0s"
    """Shortest time between ready and the switch. Default: 0s, which switches when it is ready and approved."""
    approval: Approval | None = None
    """People who must agree to the switch: a manual switch. Default: nobody, a timed switch."""
    preview_hostnames: Annotated[list[HostName], Field(max_length=8)] = []
    """Host names on the gateway that reach the candidate before the switch. Default: only the Service <name>-preview."""
    preview_analysis: PreviewAnalysis = PreviewAnalysis.IGNORE
    """Require: requests to the preview must pass the analysis before the switch. Default: Ignore; a failing metric
    takes the candidate off in any case."""


class Shadow(Frozen):
    """The candidate gets copies of requests; nobody sees its answers."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Share of requests that are copied, in percent. Default: 100."""
    duration: Duration = "10m"
    """Shortest time of copying. Default: 10m."""
    approval: Approval | None = None
    """People who must agree before anybody gets an answer of the candidate. Default: nobody."""


class Match(Frozen):
    """Requests that carry this header, or this cookie, with exactly this value."""

    model_config = ConfigDict(
        json_schema_extra=rules(cel("has(self.header) != has(self.cookie)", "give exactly one of header and cookie"))
    )

    header: Token | None = None
    """Name of a request header. Example: x-cohort."""
    cookie: Token | None = None
    """Name of a cookie. Example: cohort."""
    value: Token
    """The value that it must have. Example: beta."""


class AbTest(Frozen):
    """A fixed cohort gets the candidate, all others the stable revision, until the analysis has its answer."""

    match: Annotated[list[Match], Field(min_length=1, max_length=4)]
    """Who belongs to the cohort: requests that any of these match. Example: [{header: x-cohort, value: beta}]."""
    duration: Duration = "10m"
    """Shortest time of the test; it goes on until every metric has enough requests. Default: 10m."""
    capacity: Percent = "100%"
    """Share of the full number of pods that the candidate runs for its cohort. Default: 100%."""
    approval: Approval | None = None
    """People who must agree before everybody gets the candidate. Default: nobody."""


class OnBreach(StrEnum):
    """What a failing metric does after 100 %."""

    ROLLBACK = "Rollback"
    NOTIFY = "Notify"


class Bake(Frozen):
    """After 100 % the old revision stays warm and the metrics stay live, so that one write brings it back."""

    duration: Period
    """How long. Example: 30m."""
    on_breach: OnBreach | None = None
    """Rollback: return at once. Notify: only say so. Default: Rollback, but Notify where a person has promoted in full."""


class Freeze(Window):
    """A time in which no rollout begins and no step goes forward; a return to the stable revision is always allowed."""

    model_config = ConfigDict(json_schema_extra=rules(*WINDOW_RULES))


class CapacityPolicy(StrEnum):
    """What happens where the candidate's pods do not fit beside the stable ones."""

    SURGE = "Surge"
    REPLACE = "Replace"
    REFUSE = "Refuse"


class Rollout(Frozen):
    """How a new revision takes over: shadow, then A/B test, then canary or blue-green, then 100 %, then bake."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!(has(self.canary) && has(self.blueGreen))",
                "canary and blueGreen exclude each other: keep canary.steps for growing shares, or blueGreen for one switch",
            )
        )
    )

    shadow: Shadow | None = None
    """First copy requests to the candidate, whose answers nobody sees. Default: no."""
    ab_test: AbTest | None = None
    """Then give it to a fixed cohort. Default: no."""
    canary: Canary | None = None
    """Then go in weighted steps, judged by `analysis`. Default: switch at once when the new revision is ready."""
    blue_green: BlueGreen | None = None
    """Or make it ready at full size under a preview address and switch once. Default: no."""
    bake: Bake | None = None
    """After 100 %: keep the old revision warm and the metrics live for a while. Default: no."""
    deadline: Period = "10m"
    """Longest time that a step may make no progress (pods not ready, route not programmed, evidence missing) beyond
    its duration; then the candidate is rejected and the stable revision serves alone. Default: 10m."""
    scale_down_delay: Duration = "30s"
    """How long the pods of a revision stay after their traffic has ended. Default: 30s."""
    rollback_window: Period | None = None
    """A revision that was stable until so long ago returns without steps. Default: none, every revision walks them."""
    capacity_policy: CapacityPolicy = CapacityPolicy.SURGE
    """Surge: the candidate's pods come on top, and wait for room. Replace: stable pods make room for them, so that never
    more than the full number run. Refuse: a candidate that does not fit beside the stable revision is not begun.
    Default: Surge."""
    freeze: Annotated[list[Freeze], Field(max_length=16)] = []
    """Times in which nothing goes forward. Example: [{days: [Friday], start: "18:00", duration: 62h, timeZone: UTC}]."""
