"""How a metric's series are named in a manifest: counters, gauges and histograms by name and label matchers.

Shapes only. Nobody writes a whole expression here: Penstock adds the matchers for namespace and revision.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import Frozen, cel, rules, worded

_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*([|][a-zA-Z_:][a-zA-Z0-9_:]*)*$"
_MATCHERS = r'^([a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)"[^"{}]*"(,[ ]?|$))*$'
_BOUND = r"^[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,2})?$"

ONE_HISTOGRAM = cel(
    "!self.histogram.name.matches('_(bucket|count|sum)$|[|]')",
    "the name of one histogram is wanted, without _bucket, _count or _sum",
    fieldPath=".histogram",
)


class Unit(StrEnum):
    """What a histogram of durations counts in."""

    SECONDS = "Seconds"
    MILLISECONDS = "Milliseconds"
    MICROSECONDS = "Microseconds"


class Series(Frozen):
    """Series of one name, narrowed by label matchers; Penstock adds those for namespace and revision."""

    name: Annotated[
        str,
        StringConstraints(pattern=_METRIC, max_length=256),
        worded(
            _METRIC, "must be the name of a metric, such as rest_server_requests_total; label matchers belong in where"
        ),
    ]
    """Metric name; counters of which each event has only one, joined by |, are counted together.
    Example: rest_server_requests_total."""
    where: Annotated[
        str,
        StringConstraints(pattern=_MATCHERS, max_length=1024),
        worded(_MATCHERS, 'must be label matchers without braces, such as method="POST",code=~"5.."'),
    ] = ""
    """Label matchers in PromQL. Default: none. Example: path=~"/v2/models/.+/infer"."""


class Latency(Frozen):
    """A histogram of request durations."""

    model_config = {"json_schema_extra": rules(ONE_HISTOGRAM)}

    histogram: Series
    """The histogram, by its name without _bucket. Example: {name: rest_server_request_duration_seconds}."""
    bounds: Annotated[
        list[
            Annotated[
                str, StringConstraints(pattern=_BOUND, max_length=24), worded(_BOUND, "must be a number such as 0.25")
            ]
        ],
        Field(
            min_length=1,
            max_length=64,
            json_schema_extra=rules(
                cel(
                    f"!self.all(b, b.matches(r'{_BOUND}')) || self.map(b, double(b)).isSorted()",
                    "bounds must grow, and leave out +Inf",
                )
            ),
        ),
    ]
    """Upper bounds of its buckets, in its unit, as the server spells them in the label le.
    Example: ["0.1", "0.25", "0.5", "1.0"]."""
    unit: Unit | None = None
    """What the histogram counts in: Seconds, Milliseconds or Microseconds. Default: Seconds."""
