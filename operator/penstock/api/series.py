"""How a metric's series are named in a manifest: counters, gauges and histograms by name and label matchers.

Shapes only. Nobody writes a whole expression here: Penstock adds the matchers for namespace and revision.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import Frozen, cel, rules, worded

_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
_MATCHERS = r'^([a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)"[^"{}]*"(,[ ]?|$))*$'
_BOUND = r"^[0-9]+(\.[0-9]+)?$"


class Series(Frozen):
    """Series of one name, narrowed by label matchers; Penstock adds those for namespace and revision."""

    name: Annotated[
        str,
        StringConstraints(pattern=_METRIC, max_length=256),
        worded(
            _METRIC, "must be the name of a metric, such as rest_server_requests_total; label matchers belong in where"
        ),
    ]
    """Metric name. Example: rest_server_requests_total."""
    where: Annotated[
        str,
        StringConstraints(pattern=_MATCHERS, max_length=1024),
        worded(_MATCHERS, 'must be label matchers without braces, such as method="POST",code=~"5.."'),
    ] = ""
    """Label matchers in PromQL. Default: none. Example: path=~"/v2/models/.+/infer"."""


class Latency(Frozen):
    """A histogram of request durations in seconds."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "!self.histogram.name.matches('_(bucket|count|sum)$')",
                "the histogram's name is wanted, without _bucket, _count or _sum",
                fieldPath=".histogram",
            )
        )
    }

    histogram: Series
    """The histogram, by its name without _bucket. Example: {name: rest_server_request_duration_seconds}."""
    bounds: Annotated[
        list[
            Annotated[
                str, StringConstraints(pattern=_BOUND, max_length=24), worded(_BOUND, "must be seconds such as 0.25")
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
    """Upper bounds of its buckets as the server spells them in the label le. Example: ["0.1", "0.25", "0.5", "1.0"]."""
