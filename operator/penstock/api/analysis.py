"""What a user writes about how a candidate is judged on live metrics.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from penstock.api.fields import Duration, Factor, Frozen, Name, Percent, Period, cel, rules


class MetricName(StrEnum):
    """Built-in checks; the runtime's metric profile says what each means for its server."""

    ERROR_RATE = "errorRate"
    SLOW_RATE = "slowRate"


class Comparison(StrEnum):
    """What a metric is held against when it has no fixed limit."""

    STABLE = "Stable"


class Metric(Frozen):
    """One judgement over requests: bad ones out of all."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.max) != has(self.compare)",
                "give exactly one of max (an objective, such as 1%) and compare (Stable: the revision that serves now)",
            ),
            cel(
                "(self.name == 'slowRate') == has(self.threshold)",
                "threshold belongs to slowRate and only there: a request is slow when it takes longer, for example 300ms",
            ),
            cel("!has(self.tolerance) || has(self.compare)", "tolerance needs compare: Stable"),
            cel(
                "!has(self.threshold) || self.threshold.matches('[1-9]')",
                "threshold must be more than 0: every request takes longer than that",
                fieldPath=".threshold",
            ),
        )
    )

    name: MetricName
    """errorRate: requests that the server failed. slowRate: requests slower than `threshold`."""
    max: Percent | None = None
    """Objective: the largest acceptable share of bad requests. Example: 1%."""
    compare: Comparison | None = None
    """Stable: the candidate's share of bad requests must not exceed the stable revision's."""
    threshold: Duration | None = None
    """For slowRate: a request that takes longer is slow; must be a bucket bound of the server's histogram. Example: 500ms."""
    tolerance: Factor | None = None
    """With compare: how many times the stable revision's share is still acceptable, at least 1. Default: 1.25."""


class Analysis(Frozen):
    """How a candidate is judged on live metrics."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.alpha) || self.alpha.matches('[1-9]') && !self.alpha.matches('^([5-9][0-9]|100)')",
                "alpha must be more than 0% and less than 50%: a test that is never wrong never rejects",
                fieldPath=".alpha",
            )
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
    metrics: Annotated[
        list[Metric],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra=rules(
                cel(
                    "self.all(i, self.exists_one(j, j.name == i.name && has(j.max) == has(i.max)"
                    " && (has(j.threshold) ? j.threshold : '') == (has(i.threshold) ? i.threshold : '')))",
                    "the same judgement twice: a name may come once with max and once with compare, for each threshold",
                )
            ),
        ),
    ]
    """The judgements; all must hold. Example: [{name: errorRate, max: 1%}, {name: errorRate, compare: Stable}]."""
