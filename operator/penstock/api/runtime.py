"""What a platform team writes in a ModelRuntime: how a model server is run, and what its metrics mean.

Shapes and cross-field rules only.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import Frozen, Image, Name, cel, list_map, rules, worded
from penstock.api.series import Latency, Series
from penstock.api.serving import EnvVar, Resources
from penstock.api.warmup import RuntimeWarmup

_PATH = r"^/[-._~%/{}A-Za-z0-9]*$"

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

    model_config = {
        "json_schema_extra": rules(
            cel(
                "!has(self.grpcPort) || self.grpcPort != (has(self.port) ? self.port : 8080)"
                " && (!has(self.metricsPort) || self.grpcPort != self.metricsPort)",
                "grpcPort must differ from port and metricsPort: leave it out where the server has no port of its own for gRPC",
            )
        )
    }

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
    grpc_port: Port | None = None
    """Port that answers gRPC requests, in clear text (h2c). Absent: none does, and traffic.protocol: GRPC is not to be had.
    Example: 8081."""
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


class MetricProfile(Frozen):
    """What the built-in metric names mean for this server. Every series must carry the labels of the pod's scrape."""

    requests: Series | None = None
    """Counter of all inference requests. Absent: errorRate cannot be judged with this runtime."""
    errors: Series | None = None
    """Counter of those that the server failed. Example: {name: rest_server_requests_total, where: 'status_code=~"5.."'}."""
    successes: Series | None = None
    """Instead of errors, where the server only counts what went well: those that it answered."""
    latency: Latency | None = None
    """Durations of inference requests. Absent: slowRate and latencyShift cannot be judged with this runtime."""
    time_to_first_token: Latency | None = None
    """Language models: time until the first token of an answer. Absent: timeToFirstToken cannot be judged with this runtime."""
    time_per_output_token: Latency | None = None
    """Language models: time for each further token. Absent: timePerOutputToken cannot be judged with this runtime."""
    in_flight: Series | None = None
    """Gauge of the requests that are being answered. Absent: inFlight cannot be judged with this runtime."""
    queue_depth: Series | None = None
    """Gauge of the requests that wait. Absent: queueDepth cannot be judged with this runtime."""
    kv_cache_usage: Series | None = None
    """Gauge of the used share of the key-value cache, from 0 to 1. Absent: kvCacheUsage cannot be judged with this runtime."""


class RuntimeSpec(Frozen):
    """How a model server is run, and what its metrics mean."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "!has(self.metrics) || has(self.metrics.requests) == (has(self.metrics.errors) != has(self.metrics.successes))"
                " && !(has(self.metrics.errors) && has(self.metrics.successes))",
                "metrics.requests goes with exactly one of metrics.errors and metrics.successes: errorRate is one over the other",
            ),
            cel(
                "!has(self.warmup) || !([has(self.container.port) ? self.container.port : 8080, has(self.container.metricsPort)"
                " ? self.container.metricsPort : 0].exists(p, p == (has(self.warmup.port) ? self.warmup.port : 7979)))",
                "warmup.port must differ from the ports of the server: both are in one pod",
            ),
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
    warmup: RuntimeWarmup | None = None
    """How a model is warmed before its pod counts as ready. Default: not, the server's own readiness is believed.
    Example: {request: OpenInferenceV2}."""
    metrics: MetricProfile = MetricProfile()
    """What the built-in metric names mean for this server. Default: none, so nothing can be judged."""
