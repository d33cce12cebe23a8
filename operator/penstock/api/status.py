"""What Penstock says about a ModelDeployment. This is also the machine's whole memory: nothing else outlives a turn.

Shapes only; times are UTC, RFC 3339, and rounded to microseconds by whoever writes them.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from penstock.api.budget import Cost
from penstock.api.condition import Condition, SeenShare
from penstock.api.fields import Count, Percent100, ShortText, Text, Time, Tolerant, list_map
from penstock.api.objective import Learned
from penstock.api.planned import PlannedSticky
from penstock.api.predictive import Forecast
from penstock.api.scaled import Scaled
from penstock.api.sleep import Sleep


class Side(Tolerant):
    """Requests of one revision in the analysis."""

    bad: Count = 0
    """Bad requests counted."""
    total: Count = 0
    """Requests counted."""


class VerdictName(StrEnum):
    """What a metric says at the moment."""

    PASS = "Pass"
    WAIT = "Wait"
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


class GroupSide(Tolerant):
    """Events of one group of the candidate's."""

    name: ShortText
    """Value of the label."""
    bad: Count = 0
    """Bad events counted."""
    total: Count = 0
    """Events counted."""
    sums: ShortText = ""
    """Running sums of its test against all others; for the operator, not for people."""


class Evidence(Tolerant):
    """What one metric has shown since the candidate first got traffic."""

    metric: ShortText
    """The judgement in words. Example: errorRate vs stable."""
    candidate: Side = Side()
    """Requests of the candidate."""
    stable: Side | None = None
    """Requests of the stable revision in the same windows, where it is compared."""
    step_requests: Count = 0
    """Requests of the candidate since the present step got its traffic."""
    looked_at: Time | None = None
    """End of the last window whose requests are counted here."""
    seen_at: Time | None = None
    """End of the last window that had anything in it."""
    verdict: VerdictName = VerdictName.WAIT
    """Pass, Wait, Fail, or Inconclusive, which a person must decide."""
    why: ShortText | None = None
    """Reason of a failure that is no test's: a budget or a policy."""
    dry_run: bool | None = None
    """True where it is judged and never decides."""
    value: ShortText | None = None
    """What a value said last, of several series the worst; or how far a distribution has shifted."""
    samples: Count | None = None
    """Good looks at a value in the present step."""
    failures: Count | None = None
    """Looks at a value that were outside of its limits."""
    groups: Annotated[list[GroupSide], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    """Events by group, where groups are held against each other."""
    range: ShortText | None = None
    """Where the candidate's true share lies, or its difference to the stable one's: a 95 % confidence sequence."""
    weak: ShortText | None = None
    """Why the odds say less than they seem to."""
    needs: ShortText | None = None
    """What is still needed before it can pass, at today's rate."""
    odds: ShortText = "1.0"
    """How strongly the requests speak against the candidate: 20.0 means twenty to one."""
    limit: ShortText = ""
    """Odds at which the candidate is rejected."""
    sums: Text = ""
    """Running sums of the sequential test; for the operator, not for people."""


class Serving(Tolerant):
    """The revision that is trusted with the traffic."""

    revision: ShortText
    """Name of the revision, and of its Deployment and Service."""
    version: ShortText = ""
    """Its model.version."""
    url: ShortText = ""
    """Where this revision alone is reached inside the cluster, whatever its share."""
    weight: Percent100 = 0
    """Share in percent that the route was last seen to give it; without a gateway its part of the pods that serve."""
    observed_share: ShortText | None = None
    """Share of the requests that it was seen to answer while another is tried. Example: 94.8%."""


class StepKind(StrEnum):
    """What a step of a plan is for."""

    SHADOW = "Shadow"
    COHORT = "Cohort"
    CANARY = "Canary"
    PREVIEW = "Preview"
    FULL = "Full"
    BAKE = "Bake"


class PlannedMatch(Tolerant):
    """Requests that belong to the cohort of a step."""

    header: ShortText | None = None
    """Name of a request header."""
    cookie: ShortText | None = None
    """Name of a cookie, where it is not a header."""
    query: ShortText | None = None
    """Name of a parameter of the query, where it is neither."""
    value: ShortText
    """The value that it has."""


class PlannedApproval(Tolerant):
    """Who must agree before the next step."""

    groups: Annotated[list[ShortText], Field(max_length=8)] = []
    """Members of one of these; empty: everybody who may approve."""
    min_approvals: Count = 1
    """How many different people."""
    max_age: ShortText = ""
    """How long the request stays open; empty: for ever."""
    on_timeout: ShortText = "Wait"
    """Then: Wait, Abort or Promote."""


class PlannedStep(Tolerant):
    """One step of the pinned plan."""

    kind: StepKind = StepKind.CANARY
    """Shadow, Cohort, Canary, Preview, Full or Bake."""
    weight: Percent100
    """Share of requests in percent."""
    asked: Percent100 | None = None
    """Share that the spec asks for, where the pods cannot give it and `weight` is the nearest one that they can."""
    mirror: Percent100 = 0
    """Share of requests that are copied to it, in percent."""
    match: Annotated[list[PlannedMatch], Field(max_length=4)] = []
    """The cohort that gets it."""
    capacity: Percent100 = 100
    """Share of the full number of pods that it runs."""
    duration: ShortText = "0s"
    """Shortest time in this step."""
    judged: bool = False
    """Whether the analysis must have passed before the next step."""
    approval: PlannedApproval | None = None
    """Who must agree before the next step."""


class Approved(Tolerant):
    """One person's agreement to one step."""

    step: Count
    """Number of the step, from 1."""
    by: ShortText
    """User name."""
    groups: Annotated[list[ShortText], Field(max_length=16)] = []
    """Groups that the person claimed."""
    at: Time
    """When."""


class Trying(Tolerant):
    """The revision that is being tried."""

    revision: ShortText
    """Name of the revision, and of its Deployment and Service."""
    version: ShortText = ""
    """Its model.version."""
    url: ShortText = ""
    """Where this revision alone is reached inside the cluster, whatever its share."""
    weight: Percent100 = 0
    """Share in percent that the route was last seen to give it."""
    observed_share: ShortText | None = None
    """Share of the requests that it was seen to answer in this step, by the servers' own counters. Example: 5.2%."""
    seen: SeenShare | None = None
    """How that share was counted; absent where it is not."""
    step: Count = 0
    """Steps that are behind it; messages count the present one from 1."""
    steps: Annotated[list[PlannedStep], Field(max_length=25)] = []
    """The plan as it was when the rollout began; later edits of the spec's steps act on the next rollout."""
    sticky: PlannedSticky | None = None
    """How users keep their revision in this rollout; absent where they do not."""
    stable_replicas: Count = 0
    """Replicas of the stable revision when the rollout began; it keeps at least these until the candidate is promoted."""
    preflight: Text = ""
    """What the cluster lacked for its pods when the rollout began; empty: room enough."""
    replaces: bool = False
    """Whether stable pods make room for its pods."""
    undo_by: ShortText = ""
    """Who asked to return to this revision although the spec asks for another."""
    forced_by: ShortText = ""
    """Who sent it to 100 % past its steps."""
    waived: Count | None = None
    """Number, from 0, of a step whose time, evidence and approval somebody waived."""
    skipped: Annotated[list[Count], Field(max_length=25)] = []
    """Numbers, from 0, of steps that are not run."""
    approvals: Annotated[list[Approved], Field(max_length=64)] = []
    """Who has agreed to which step."""
    started_at: Time
    """When the rollout began."""
    step_started_at: Time
    """When the step was entered."""
    exposed_at: Time | None = None
    """When the route was first seen to give it any request; requests count from here."""
    shifted_at: Time | None = None
    """When the route was first seen to carry the step's share; the step's duration counts from here."""
    cleared_at: Time | None = None
    """When the step had passed all but its approval, whose age counts from here."""
    deadline_at: Time | None = None
    """When the candidate is rejected if the step has not passed; absent while it waits for people or calendars."""
    evidence: Annotated[list[Evidence], Field(max_length=16)] = []
    """What each metric has shown."""


class Leaving(Tolerant):
    """A revision whose traffic has ended or is ending."""

    revision: ShortText
    """Name of the revision."""
    since: Time
    """When it was decided that it goes."""
    after: Time
    """Its pods stay at least until then."""
    replaced: bool = False
    """Whether its pods give way to those of the stable revision one by one."""
    given: bool = False
    """Whether it is no revision but a Deployment that was there before and was handed over."""


class Refused(Tolerant):
    """A revision that was tried and taken off; it is not tried again until the spec changes."""

    revision: ShortText
    """Name of the revision."""
    version: ShortText = ""
    """Its model.version."""
    reason: ShortText
    """Why, one of the documented reasons."""
    at: Time
    """When."""
    message: Text = ""
    """The numbers behind it."""
    by: ShortText = ""
    """Who decided so, where it was a person."""


class Acted(Tolerant):
    """An action that was taken up; while its annotation stands unchanged it is not taken up again."""

    action: ShortText
    """Name of the annotation without its prefix. Example: abort."""
    value: ShortText
    """What the annotation says."""
    by: ShortText = ""
    """Who asked."""
    at: Time
    """When it was taken up."""


class Ended(Tolerant):
    """A rollout that is over."""

    revision: ShortText
    """Name of the revision that was tried."""
    version: ShortText = ""
    """Its model.version."""
    reason: ShortText
    """How it ended, one of the documented reasons."""
    by: ShortText = ""
    """Who decided so, where it was a person."""
    started_at: Time
    """When it began."""
    at: Time
    """When it ended."""
    message: Text = ""
    """The numbers behind it."""


class Next(Tolerant):
    """What happens next if nothing comes between."""

    what: Text
    """In words."""
    at: Time | None = None
    """Not before, or by when."""


class Status(Tolerant):
    """What is, as last observed."""

    observed_generation: Annotated[int, Field(ge=-1)] = -1
    """metadata.generation that this status speaks of; -1 before the first look."""
    stable: Serving | None = None
    """The revision that is trusted with the traffic."""
    candidate: Trying | None = None
    """The revision that is being tried."""
    leaving: Annotated[list[Leaving], Field(max_length=32, json_schema_extra=list_map("revision"))] = []
    """Revisions whose traffic has ended or is ending."""
    rejected: Annotated[list[Refused], Field(max_length=20, json_schema_extra=list_map("revision"))] = []
    """Revisions that were tried and taken off, latest last."""
    next: Next | None = None
    """What happens next, and when; absent where nothing will happen by itself."""
    acted: Annotated[list[Acted], Field(max_length=16, json_schema_extra=list_map("action"))] = []
    """Actions of people that were taken up and whose annotations still stand."""
    history: Annotated[list[Ended], Field(max_length=20)] = []
    """Rollouts that are over, latest last."""
    replicas: Count = 0
    """Ready replicas of all revisions."""
    scaling: Scaled | None = None
    """The autoscaler's wish, its bounds and its last decisions; absent where the number is fixed."""
    sleep: Sleep | None = None
    """Since when nobody asks for the model, or since when it sleeps or wakes; absent while it is simply awake."""
    objective: Learned | None = None
    """What was learned for scaling.objective; absent before too many requests were slow for the first time."""
    cost: Cost | None = None
    """What the replicas cost; absent where the administrator has given no prices for what they ask for."""
    forecast: Forecast | None = None
    """What scaling.predictive expects."""
    url: ShortText = ""
    """Where clients reach the model inside the cluster; through a gateway its first host name and path."""
    conditions: Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))] = []
    """Ready, Available, Reconciling or Stalled while they are true, TrafficVerified while a revision is tried."""
