"""What a user writes about how a candidate is judged on live metrics.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import Duration, Factor, Frozen, Name, Percent, Period, cel, rules, worded
from penstock.api.series import ONE_HISTOGRAM, Series

METRIC_NAME = r"^[a-zA-Z][a-zA-Z0-9]*$"
_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
_LIMIT = r"^-?[0-9]{1,9}([.][0-9]{1,9})?%?$"
_PART = r"^0*(100([.]0+)?|[0-9]{1,2}([.][0-9]+)?)%$"  # of all requests: 0% to 100%

# Built-in names, by what is asked: the runtime's metric profile says what each means for its server.
SHARES = ("errorRate", "slowRate", "timeToFirstToken", "timePerOutputToken")
SLOW = SHARES[1:]
LEVELS = ("requestsPerSecond", "inFlight", "queueDepth", "kvCacheUsage")
SHIFT = "latencyShift"


def one_of(names: tuple[str, ...]) -> str:
    """CEL that says whether a metric has one of these names; whole, so that it can be negated."""
    return f"(self.name in [{', '.join(repr(name) for name in names)}])"


_SHARE = f"({one_of(SHARES)} || has(self.ratio) && !has(self.ratio.by))"
_LEVEL = f"({one_of(LEVELS)} || has(self.value))"
_SHIFTED = f"({one_of((SHIFT,))} || has(self.shift))"
_FOUND = " + ".join(
    f"({rule} ? 1 : 0)"
    for rule in (one_of((*SHARES, *LEVELS, SHIFT)), "has(self.ratio)", "has(self.value)", "has(self.shift)")
)

Limit = Annotated[
    str,
    StringConstraints(pattern=_LIMIT, max_length=21),
    worded(_LIMIT, 'must be a share such as 1% or a number in quotes such as "0.92"'),
]


class Comparison(StrEnum):
    """What a metric is held against when it has no fixed limit."""

    STABLE = "Stable"


class NoData(StrEnum):
    """What follows when a metric has shown nothing for `noDataFor`."""

    HOLD = "Hold"
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    PASS = "Pass"


class Counters(Frozen):
    """Two counters of the model's own: bad (or good) events out of all."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("has(self.bad) != has(self.good)", "give exactly one of bad and good: which part of total is counted")
        )
    )

    bad: Series | None = None
    """Counter of bad events. Example: {name: predictions_total, where: 'outcome="refused"'}."""
    good: Series | None = None
    """Instead of bad: counter of the good ones."""
    total: Series
    """Counter of all events. Example: {name: predictions_total}."""
    by: (
        Annotated[
            str,
            StringConstraints(pattern=_LABEL, max_length=63),
            worded(_LABEL, "must be the name of a label, such as age_group"),
        ]
        | None
    ) = None
    """Label whose values are held against each other; needs maxDisparity. Example: age_group."""


class Reading(Frozen):
    """A number that a metric source works out."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """PromQL, in which every selector gets this namespace's matcher, or the name of a query that the administrator keeps
    with the source. {{namespace}}, {{name}}, {{revision}} and {{version}} are filled in.
    Example: min(model_accuracy{penstock_dev_revision="{{revision}}"})."""


class Distribution(Frozen):
    """A histogram whose shape must not change."""

    model_config = ConfigDict(json_schema_extra=rules(ONE_HISTOGRAM))

    histogram: Series
    """The histogram, by its name without _bucket. Example: {name: prediction_score}."""


class Metric(Frozen):
    """One judgement on the candidate."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                f"{_FOUND} == 1",
                f"give one of {', '.join((*SHARES, *LEVELS, SHIFT))} as name, or a name of your own with exactly one of"
                " ratio, value and shift",
            ),
            cel(
                f"!{_SHARE} || has(self.max) != has(self.compare)",
                "give exactly one of max (an objective, such as 1%) and compare (Stable: the revision that serves now)",
            ),
            cel(
                f"!has(self.compare) || {_SHARE}",
                "compare belongs to shares of requests; a value has min or max, a shift has max, groups have maxDisparity",
            ),
            cel(
                f"has(self.max) || has(self.min) || !{_LEVEL}",
                'give min or max (or both): the values that are acceptable, for example min: "0.92"',
            ),
            cel(
                f"!has(self.min) || {_LEVEL}", "min belongs to values: requestsPerSecond, inFlight, value and the like"
            ),
            cel(
                f"has(self.max) || !{_SHIFTED}",
                'give max: the largest acceptable population stability index, for example max: "0.2"',
            ),
            cel(
                "self.?ratio.?by.hasValue() == has(self.maxDisparity)",
                'ratio.by and maxDisparity go together, for example maxDisparity: "1.25"',
            ),
            cel("!has(self.maxDisparity) || !has(self.max)", "maxDisparity stands for max: give only one of them"),
            cel(
                f"{one_of(SLOW)} == has(self.threshold)",
                f"threshold belongs to {', '.join(SLOW)} and only there: what takes longer is slow, for example 300ms",
            ),
            cel("!has(self.tolerance) || has(self.compare)", "tolerance needs compare: Stable"),
            cel(
                "!has(self.threshold) || self.threshold.matches('[1-9]')",
                "threshold must be more than 0: every request takes longer than that",
                fieldPath=".threshold",
            ),
            cel(
                f"!has(self.max) || !{_SHARE} || self.max.matches('{_PART}')",
                "max must be a share of requests between 0% and 100%, such as 1%",
                fieldPath=".max",
            ),
            cel(
                f"!has(self.failureBudget) && !has(self.minSamples) || {_LEVEL}",
                "failureBudget and minSamples belong to values; a share of requests has analysis.minRequests",
            ),
            cel(
                "!has(self.noDataFor) || has(self.noData) && self.noData != 'Hold'",
                "noDataFor needs noData: Fail, Inconclusive or Pass",
            ),
        )
    )

    name: Annotated[
        str,
        StringConstraints(pattern=METRIC_NAME, min_length=1, max_length=63),
        worded(METRIC_NAME, "must be letters and digits, such as errorRate or accuracy"),
    ]
    """Of bad events out of all: errorRate (requests that the server failed), slowRate (slower than `threshold`),
    timeToFirstToken and timePerOutputToken (language models, slower than `threshold`).
    Values: requestsPerSecond, inFlight, queueDepth, kvCacheUsage; the worst pod counts. latencyShift: another
    distribution of latencies than the stable revision's. Any other name needs `ratio`, `value` or `shift`."""
    source: Name | None = None
    """Metric source of this metric. Default: `analysis.source`."""
    ratio: Counters | None = None
    """A share of the model's own: bad events out of all."""
    value: Reading | None = None
    """A number of the model's own, for example an accuracy."""
    shift: Distribution | None = None
    """A distribution of the model's own, for example of its scores, held against the stable revision's."""
    max: Limit | None = None
    """Largest acceptable share of bad events, value, or population stability index. Example: 1%."""
    min: Limit | None = None
    """Smallest acceptable value. Example: "0.92"."""
    compare: Comparison | None = None
    """Stable: the candidate's share of bad events must not exceed the stable revision's."""
    max_disparity: Factor | None = None
    """With ratio.by: how many times the share of all others the share of one group may be. Example: "1.25"."""
    threshold: Duration | None = None
    """What takes longer is slow; must be a bucket bound of the server's histogram. Example: 500ms."""
    tolerance: Factor | None = None
    """With compare: how many times the stable revision's share is still acceptable, at least 1. Default: 1.25."""
    failure_budget: Annotated[int, Field(ge=0, le=1000)] = 0
    """Looks at a value that may be outside of its limits before the candidate is taken off. Default: 0."""
    min_samples: Annotated[int, Field(ge=1, le=1000)] = 3
    """Looks at a value that must have been good in a step before the step can pass. Default: 3."""
    error_budget: Period | None = None
    """Longest time without a usable answer of the source before the candidate is taken off. Default: hold until the
    step's deadline. Example: 10m."""
    no_data: NoData = NoData.HOLD
    """What follows when the source answers and there has been nothing for `noDataFor`. Hold: wait until the step's
    deadline. Fail: take it off. Inconclusive: wait for a person. Pass: go on without it. Default: Hold."""
    no_data_for: Period = "5m"
    """How long nothing may be there before `noData` acts. Default: 5m."""
    dry_run: bool = False
    """Judge and report, and never decide. Default: false."""


class Analysis(Frozen):
    """How a candidate is judged on live metrics."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.alpha) || self.alpha.matches('[1-9]') && !self.alpha.matches('^([5-9][0-9]|100)')",
                "alpha must be more than 0% and less than 50%: a test that is never wrong never rejects",
                fieldPath=".alpha",
            ),
            cel(
                "self.metrics.exists(m, !has(m.dryRun) || !m.dryRun)",
                "at least one metric must not be dryRun: a rollout that nothing judges is only a timer",
                fieldPath=".metrics",
            ),
        )
    )

    interval: Period = "15s"
    """Time between two looks at the metrics. Default: 15s."""
    source: Name = "default"
    """Metric source, by the name that the operator's administrator gave it. Default: default."""
    min_requests: Annotated[int, Field(ge=1, le=1000000)] = 100
    """Requests that the candidate must have answered in a step before the step can pass. Default: 100."""
    alpha: Percent = "5%"
    """Largest chance that a candidate which is no worse is rejected, over all metrics, looks and steps of one rollout. Default: 5%."""
    warmup: Duration = "0s"
    """Time after the candidate's first request in which nothing is counted: cold caches are no verdict. Default: 0s."""
    metrics: Annotated[
        list[Metric],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra=rules(
                cel(
                    "self.all(i, self.exists_one(j, j.name == i.name && has(j.compare) == has(i.compare)"
                    " && (has(j.threshold) ? j.threshold : '') == (has(i.threshold) ? i.threshold : '')))",
                    "the same judgement twice: a name may come once with a limit and once with compare, for each threshold",
                )
            ),
        ),
    ]
    """The judgements; all must hold. Example: [{name: errorRate, max: 1%}, {name: errorRate, compare: Stable}]."""
