"""What a platform team writes in a ModelRuntime: how a model server is run, and what its metrics mean.

Shapes and cross-field rules only.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import Frozen, Image, Name, cel, list_map, rules, worded
from penstock.api.serving import EnvVar, Resources

_PATH = r"^/[-._~%/{}A-Za-z0-9]*$"
_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
_MATCHERS = r'^([a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)"[^"{}]*"(,[ ]?|$))*$'
_BOUND = r"^[0-9]+(\.[0-9]+)?$"

HttpPath = Annotated[
    str,
    StringConstraints(pattern=_PATH, max_length=512),
    worded(_PATH, "must start with /, for example /v2/models/{{model.name}}/ready; the port has a field of its own"),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class Protocol(StrEnum):
    """What the server speaks."""

    OPEN_INFERENCE_V2 = "OpenInferenceV2"
    KSERVE_V1 = "KServeV1"
    OPEN_AI = "OpenAI"
    HTTP = "HTTP"


class Probe(Frozen):
    """An HTTP check of the server's port that answers 2xx or 3xx once the model can serve."""

    path: HttpPath
    """Path to ask; {{model.name}} is filled in. Example: /v2/health/ready."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """Seconds between two checks. Default: 5."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """Seconds that a check may take; a server that is busy with a long request answers late. Default: 5."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Failed checks in a row until the pod gets no traffic. Default: 3."""


class Container(Frozen):
    """The server container. {{model.path}}, {{model.name}} and {{model.version}} are filled in in command, args and env."""

    image: Image | None = None
    """Default image. Absent: every ModelDeployment must give server.image. Example: registry.corp/mlserver:1.7.1."""
    command: Annotated[list[Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)] = []
    """Entry point. Default: the image's."""
    args: Annotated[list[Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)] = []
    """Arguments. Default: the image's. Example: [start, "{{model.path}}"]."""
    env: Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """Environment variables. Default: none."""
    port: Port = 8080
    """Port that answers requests. Default: 8080."""
    metrics_port: Port | None = None
    """Port of the server's metrics. Default: `port`. Example: 8082."""
    metrics_path: HttpPath = "/metrics"
    """Path of the server's metrics. Default: /metrics."""
    model_path: HttpPath = "/mnt/models"
    """Where model.uri is mounted. Default: /mnt/models."""
    resources: Resources = Resources()
    """Default compute resources. Default: none."""
    readiness: Probe
    """Says that the model can serve."""
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Seconds a pod may take to finish its requests after it has left the endpoints. Default: 30."""


class Series(Frozen):
    """Counters of one name, narrowed by label matchers; Penstock adds those for namespace and revision."""

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


class MetricProfile(Frozen):
    """What the built-in metric names mean for this server. Every series must carry the labels of the pod's scrape."""

    requests: Series | None = None
    """Counter of all inference requests. Absent: errorRate cannot be judged with this runtime."""
    errors: Series | None = None
    """Counter of those that the server failed. Example: {name: rest_server_requests_total, where: 'status_code=~"5.."'}."""
    successes: Series | None = None
    """Instead of errors, where the server only counts what went well: those that it answered."""
    latency: Latency | None = None
    """Durations of inference requests. Absent: slowRate cannot be judged with this runtime."""


class RuntimeSpec(Frozen):
    """How a model server is run, and what its metrics mean."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "!has(self.metrics) || has(self.metrics.requests) == (has(self.metrics.errors) != has(self.metrics.successes))"
                " && !(has(self.metrics.errors) && has(self.metrics.successes))",
                "metrics.requests goes with exactly one of metrics.errors and metrics.successes: errorRate is one over the other",
            )
        )
    }

    formats: Annotated[
        list[Name], Field(min_length=1, max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"})
    ]
    """Model formats that the server loads. Example: [sklearn, xgboost]."""
    protocol: Protocol
    """What the server speaks: OpenInferenceV2, KServeV1, OpenAI or HTTP."""
    container: Container
    """The server container."""
    metrics: MetricProfile = MetricProfile()
    """What the built-in metric names mean for this server. Default: none, so nothing can be judged."""
