"""What a user writes about how many replicas serve.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from penstock.api.analysis import LEVELS, METRIC_NAME, SLOW, Counters, Reading, one_of
from penstock.api.behavior import Behavior
from penstock.api.budget import Budget
from penstock.api.fields import Duration, Frozen, Name, Period, cel, limit, list_map, rules, worded
from penstock.api.objective import Objective
from penstock.api.predictive import Predictive
from penstock.api.sleep import ScaleToZero
from penstock.api.window import WINDOW_RULES, Window

_TARGET = r"^[0-9]{1,9}([.][0-9]{1,3})?%?$"

# What the kubelet measures: a percentage of the container's request. All other names are live metrics of the model.
RESOURCES = ("cpu", "memory")
SHARES = ("errorRate", *SLOW)
IDLE = ("requestsPerSecond", "inFlight", "queueDepth")  # 0 of these means that nobody asks

_SHARE = f"({one_of(SLOW)} || has(self.ratio))"

Target = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(pattern=_TARGET, max_length=14),
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": _TARGET,
            **rules(
                cel(
                    "type(self) == int ? int(self) > 0 : string(self).matches('[1-9]')",
                    'must be a number above 0 such as 70 or "0.5", or a share in quotes such as "5%"',
                )
            ),
        }
    ),
]


class ScalingMetric(Frozen):
    """One signal that the autoscaler follows."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                f"({one_of((*RESOURCES, *LEVELS, *SLOW))} ? 1 : 0) + (has(self.ratio) ? 1 : 0)"
                " + (has(self.value) ? 1 : 0) == 1",
                f"give one of {', '.join((*RESOURCES, *LEVELS, *SLOW))} as name, or a name of your own with exactly one"
                " of ratio and value",
            ),
            cel(
                f"{one_of(SLOW)} == has(self.threshold)",
                f"threshold belongs to {', '.join(SLOW)} and only there: what takes longer is slow, for example 300ms",
            ),
            cel(
                "!has(self.ratio) || !has(self.ratio.by)", "ratio.by is for analysis: an autoscaler follows one number"
            ),
            cel(
                f"type(self.target) == int ? !{_SHARE} : string(self.target).endsWith('%') == {_SHARE}"
                f" || {one_of(RESOURCES)}",
                'the target of a share of requests (slowRate, ratio, ...) is a percentage in quotes such as "5%";'
                " that of a value is a number for each replica",
                fieldPath=".target",
            ),
            cel(
                f"!{one_of(RESOURCES)} || !has(self.source)",
                "cpu and memory have no source: the kubelet measures them",
            ),
        )
    )

    name: Annotated[
        str,
        StringConstraints(pattern=METRIC_NAME, min_length=1, max_length=63),
        worded(METRIC_NAME, "must be letters and digits, such as requestsPerSecond"),
    ]
    """cpu or memory, as a percentage of the container's request; requestsPerSecond, inFlight, queueDepth or
    kvCacheUsage for each replica; slowRate, timeToFirstToken or timePerOutputToken, as the share of requests that are
    slower than `threshold`. Any other name needs `ratio` or `value`."""
    target: Target
    """What each replica should have: a percentage of the request for cpu and memory, a number for a value, a share in
    quotes for a share of requests. Example: 50."""
    threshold: Duration | None = None
    """What takes longer is slow; must be a bucket bound of the server's histogram. Example: 300ms."""
    ratio: Counters | None = None
    """A share of the model's own: bad events out of all."""
    value: Reading | None = None
    """A number of the model's own, all series added up and divided by `target` for each replica.
    Example: {query: 'sum(rate(tokens_total{penstock_dev_revision="{{revision}}"}[1m]))'}."""
    source: Name | None = None
    """Metric source of a live metric. Default: default."""

    @property
    def is_resource(self) -> bool:
        """True for what the kubelet measures."""
        return self.name in RESOURCES

    @property
    def is_share(self) -> bool:
        """True for a share of requests, which more replicas make smaller but do not divide."""
        return self.ratio is not None or self.name in SHARES

    @property
    def wanted(self) -> float:
        """The target as a number; a share from 0 to 1, a resource in percent."""
        return limit(self.target.rstrip("%")) if self.is_resource else limit(self.target)

    @property
    def shift(self) -> None:
        """No autoscaler follows a distribution."""
        return None


class Fallback(Frozen):
    """What holds when an autoscaler has no numbers to follow."""

    replicas: Annotated[int, Field(ge=1, le=1000)]
    """Fewest replicas then; never fewer than there are. Example: 4."""
    after: Period = "3m"
    """How long the numbers may be missing before. Default: 3m."""


class Schedule(Window):
    """Other bounds at certain times."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *WINDOW_RULES,
            cel(
                "has(self.minReplicas) || has(self.maxReplicas)",
                "give minReplicas, maxReplicas or both: what else holds then?",
            ),
            cel(
                "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
                "maxReplicas must be at least minReplicas",
                fieldPath=".maxReplicas",
            ),
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Fewest replicas then. Default: as at other times. Example: 6."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most replicas then; with an autoscaler only. Default: as at other times."""


class Scaling(Frozen):
    """How many replicas serve."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.maxReplicas) || self.maxReplicas >= (has(self.minReplicas) ? self.minReplicas : 1)",
                "maxReplicas must be at least minReplicas",
                fieldPath=".maxReplicas",
            ),
            cel(
                "has(self.maxReplicas) == (has(self.metrics) && size(self.metrics) > 0) || has(self.objective)",
                "maxReplicas and metrics go together: set both to autoscale, or neither for a fixed number of replicas",
            ),
            cel(
                "!has(self.objective) || has(self.maxReplicas)",
                "objective needs maxReplicas: how far may it go to keep the objective?",
            ),
            cel(
                "!has(self.objective) || !has(self.metrics)"
                " || !self.metrics.exists(m, m.name in ['requestsPerSecond', 'inFlight'])",
                "objective finds the target of requestsPerSecond by itself: leave requestsPerSecond and inFlight out of"
                " metrics, or leave objective out",
            ),
            cel(
                "!has(self.predictive) || has(self.objective)"
                " || has(self.metrics) && self.metrics.exists(m, m.name == 'requestsPerSecond')",
                "predictive needs requests for each replica: give metrics a requestsPerSecond, or give an objective",
            ),
            cel(
                "has(self.maxReplicas) || !has(self.schedules) || !self.schedules.exists(s, has(s.maxReplicas))",
                "schedules.maxReplicas needs an autoscaler: set scaling.maxReplicas and metrics",
            ),
            cel(
                "!has(self.minReplicas) || self.minReplicas > 0 || has(self.objective)"
                f" || (has(self.metrics) && self.metrics.exists(m, m.name in {list(IDLE)}))",
                f"minReplicas: 0 needs a metric that says whether anybody asks: {', '.join(IDLE)}, with maxReplicas",
                fieldPath=".minReplicas",
            ),
            cel(
                "!has(self.scaleToZero) || (has(self.minReplicas) && self.minReplicas == 0)",
                "scaleToZero belongs to minReplicas: 0 and only there",
                fieldPath=".scaleToZero",
            ),
            cel(
                "!has(self.behavior) || has(self.maxReplicas)",
                "behavior needs maxReplicas: a fixed number follows nothing",
            ),
            cel(
                "!has(self.fallback) || has(self.maxReplicas)", "fallback needs maxReplicas: a fixed number needs none"
            ),
            cel(
                "!has(self.fallback) || !has(self.maxReplicas) || self.fallback.replicas <= self.maxReplicas",
                "fallback.replicas must be at most maxReplicas",
                fieldPath=".fallback.replicas",
            ),
        )
    )

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Fewest replicas; the fixed number when maxReplicas is absent. With 0 the model sleeps while nobody asks for it.
    Default: 1."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most replicas of one revision. Default: no autoscaling."""
    metrics: Annotated[
        list[ScalingMetric],
        Field(
            max_length=4,
            json_schema_extra=list_map("name")
            | rules(
                cel(
                    "self.all(i, self.filter(j, j.name.lowerAscii() == i.name.lowerAscii()).size() == 1)",
                    "autoscalers know metrics in lower case: give each a name that differs by more than that",
                )
            ),
        ),
    ] = []
    """Signals to follow; the one that asks for most replicas wins. Example: [{name: requestsPerSecond, target: 50}]."""
    objective: Objective | None = None
    """How fast answers must be, instead of a target that somebody has to measure. Default: none.
    Example: {slowRate: {threshold: 300ms, max: 1%}}."""
    schedules: Annotated[list[Schedule], Field(max_length=16)] = []
    """Other bounds at certain times; where several hold, the largest of each. Default: none.
    Example: [{days: [Monday], start: "07:00", duration: 12h, timeZone: Europe/Berlin, minReplicas: 6}]."""
    scale_to_zero: ScaleToZero | None = None
    """With minReplicas: 0, when the model falls asleep and how its first requests are held."""
    predictive: Predictive | None = None
    """Replicas before the load comes, from the load of the last days or weeks; never fewer than without. Default: none.
    Example: {season: Week, lead: 10m}."""
    budget: Budget | None = None
    """What the replicas of one revision may cost. Default: none. Example: {perHour: "12.50", onExceed: Refuse}."""
    behavior: Behavior | None = None
    """How fast replicas follow, as in autoscaling/v2. Default: up at once, down slowly.
    Example: {scaleDown: {stabilizationWindowSeconds: 600}}."""
    fallback: Fallback | None = None
    """When the numbers are missing: the replicas are held, and after a while are at least these. Default: only held."""

    @property
    def zero(self) -> ScaleToZero | None:
        """How it scales to zero; None where it does not."""
        return None if self.min_replicas else self.scale_to_zero or ScaleToZero()
