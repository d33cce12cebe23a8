"""What the administrator says about a metric source: where it is, who asks, and, for some, every query there may be.

Shapes only; what they mean is in `metrics`. No secret is ever here, only the names of the files that hold them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from penstock.api.fields import Duration, Frozen, Period, seconds
from penstock.metrics.named import PLACEHOLDERS, unknown
from penstock.metrics.web import KNOWN

SecretPath = Annotated[str, StringConstraints(pattern=r"^/[^\s\x00]+$", max_length=512)]
"""A file that is read, never its content: the chart mounts Secrets under /etc/penstock/secrets/<name>."""
_OURS = {
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
}
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*$", max_length=64)]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=512)]


class Bearer(Frozen):
    """A token, as Authorization: Bearer."""

    token_file: SecretPath


class Basic(Frozen):
    """A user and a password, as Authorization: Basic."""

    username: Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f]+$", max_length=256)]
    password_file: SecretPath


class Auth(Frozen):
    """Who asks. `headers` are further ones whose values are secret: name -> file."""

    bearer: Bearer | None = None
    basic: Basic | None = None
    headers: dict[HeaderName, SecretPath] = Field(default={}, max_length=8)

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.bearer and self.basic:
            raise ValueError("give bearer or basic, not both: there is one Authorization header")
        if any(name.lower() in _OURS for name in self.headers):
            raise ValueError(
                "headers must not name Authorization, Cookie or what HTTP itself sets; use bearer or basic"
            )
        return self


class Tls(Frozen):
    """Whom to trust and, where the source asks who we are, our certificate; all PEM. Verification is never off."""

    ca_file: SecretPath | None = None
    cert_file: SecretPath | None = None
    key_file: SecretPath | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("certFile and keyFile belong together")
        return self


class HttpSource(Frozen):
    """What all metric sources share that are asked over HTTP."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", max_length=512)]
    timeout: Duration = "5s"
    auth: Auth = Auth()
    tls: Tls = Tls()
    headers: dict[HeaderName, HeaderValue] = Field(default={}, max_length=8)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(name.lower() in _OURS for name in self.headers):
            raise ValueError("headers must hold no secret and nothing that HTTP itself sets; see auth")
        if self.url.startswith("http:") and self.tls != Tls():
            raise ValueError("tls needs an address that begins with https")
        if seconds(self.timeout) <= 0:
            raise ValueError("timeout must be more than 0s")
        return self


class PrometheusSource(HttpSource):
    """A metric source that speaks the Prometheus API: also Thanos, Mimir and VictoriaMetrics."""

    type: Literal["prometheus"]
    raw_queries: bool = False  # users' PromQL as they wrote it: it then sees every namespace of this source
    max_series: Annotated[int, Field(ge=1, le=100_000)] = 2000  # in one answer


QueryName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][-a-zA-Z0-9_]*$", max_length=63)]
DimensionName = Annotated[
    str, StringConstraints(pattern=r"^[^:{}\x00-\x20\x7f-\U0010ffff][^{}\x00-\x1f\x7f-\U0010ffff]*$", max_length=255)
]
_HTTPS = r"^(https://[^/?#@\s{}]+(/[^?#\s{}]*)?)?$"
_MAX_QUERIES = 64


def texts(value: Any) -> Iterator[str]:
    """Every string in a structure that can be filled in."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(each)


def refuse_unknown(value: Any, known: tuple[str, ...] = PLACEHOLDERS) -> None:
    """`ValueError` for a placeholder that would be sent as it stands."""
    for name in (name for text in texts(value) for name in unknown(text, known)):
        raise ValueError(f"{{{{{name}}}}} is no placeholder; there are {', '.join(known)}")


class CloudSource(Frozen):
    """What sources share whose address follows from their name; `url` is for a proxy or a private endpoint."""

    url: Annotated[str, StringConstraints(pattern=_HTTPS, max_length=512)] = ""
    timeout: Duration = "5s"
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if seconds(self.timeout) <= 0:
            raise ValueError("timeout must be more than 0s")
        return self


class DatadogQuery(Frozen):
    """A metrics query; `aggregator` makes one number of each group's points in the window."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    aggregator: Literal["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"] = "avg"

    @model_validator(mode="after")
    def _known(self) -> Self:
        refuse_unknown(self.query)
        return self


class DatadogSource(CloudSource):
    """Datadog: named queries only. `delay` is how long after its time a point is surely there."""

    type: Literal["datadog"]
    site: Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+\.)?(datadoghq\.(com|eu)|ddog-gov\.com)$")] = (
        "datadoghq.com"
    )
    api_key_file: SecretPath
    application_key_file: SecretPath
    delay: Duration = "30s"
    queries: dict[QueryName, DatadogQuery] = Field(min_length=1, max_length=_MAX_QUERIES)


class CloudWatchQuery(Frozen):
    """One metric. Placeholders may be in the values of its dimensions."""

    namespace: Annotated[str, StringConstraints(pattern=r"^[^:{}\s][^{}]*$", max_length=255)]
    metric: Annotated[str, StringConstraints(pattern=r"^[^{}]+$", max_length=255)]
    dimensions: dict[DimensionName, Annotated[str, StringConstraints(min_length=1, max_length=255)]] = Field(
        default={}, max_length=30
    )
    stat: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.():%]*$", max_length=50)] = "Average"
    period: Period = "60s"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        length = int(seconds(self.period))
        if length not in (1, 5, 10, 20, 30) and (length % 60 or not length):
            raise ValueError("period must be 1s, 5s, 10s, 20s, 30s or whole minutes")
        refuse_unknown(self.dimensions)
        return self


class CloudWatchSource(CloudSource):
    """Amazon CloudWatch: named queries only. Without files, keys are the environment's or the pod's web identity's."""

    type: Literal["cloudwatch"]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}$", max_length=32)]
    access_key_id_file: SecretPath | None = None
    secret_access_key_file: SecretPath | None = None
    session_token_file: SecretPath | None = None
    delay: Duration = "2m"
    queries: dict[QueryName, CloudWatchQuery] = Field(min_length=1, max_length=_MAX_QUERIES)

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if bool(self.access_key_id_file) != bool(self.secret_access_key_file):
            raise ValueError("accessKeyIdFile and secretAccessKeyFile belong together")
        if self.session_token_file and not self.access_key_id_file:
            raise ValueError("sessionTokenFile needs accessKeyIdFile and secretAccessKeyFile")
        if self.url.removeprefix("https://").rstrip("/").count("/"):
            raise ValueError("url must have no path: it would have to be signed")
        return self


class JsonQuery(Frozen):
    """One request behind the source's address, and where in its answer the number is (a JSON pointer, RFC 6901)."""

    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^(/[^?#\s]*)?$", max_length=512)] = ""
    params: dict[str, Annotated[str, StringConstraints(max_length=512)]] = Field(default={}, max_length=16)
    body: JsonValue = None
    value: Annotated[str, StringConstraints(pattern=r"^(/.*)?$", max_length=512)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.body is not None and self.method == "GET":
            raise ValueError("a body needs method: POST")
        refuse_unknown([self.path, *self.params.values(), self.body], KNOWN)
        return self


class JsonSource(HttpSource):
    """Any service that answers with JSON: named queries only."""

    type: Literal["json"]
    queries: dict[QueryName, JsonQuery] = Field(min_length=1, max_length=_MAX_QUERIES)

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        if "{" in self.url:
            raise ValueError("url holds no placeholders; queries.*.path, params and body may")
        return self


MetricSource = Annotated[PrometheusSource | DatadogSource | CloudWatchSource | JsonSource, Field(discriminator="type")]
