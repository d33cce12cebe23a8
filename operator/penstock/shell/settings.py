"""What the administrator says once, at start: where to listen, which namespace, which metric sources.

Read from one YAML file. A mistake in it ends the start with one line; nothing here is taken from a ModelDeployment.
"""

import os
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from penstock.api.fields import Duration, Frozen, Name, seconds

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


MetricSource = PrometheusSource  # with a second type: Annotated[PrometheusSource | Other, Field(discriminator="type")]


class Settings(Frozen):
    """The operator's configuration file."""

    namespace: str = ""
    verified_actions: bool = False  # whether admission policies vouch for who asked; the chart that brings them says so
    metric_sources: dict[Name, MetricSource] = Field(default={}, max_length=16)
    workers: Annotated[int, Field(ge=1, le=256)] = 32
    port: Annotated[int, Field(ge=1, le=65535)] = 8080


class Identity(Frozen):
    """Who this process is, and where its Lease lives."""

    holder: str
    namespace: str


def load(path: str) -> Settings:
    """The settings in a file; `SystemExit` with one line for a file that cannot be used."""
    try:
        found = yaml.safe_load(Path(path).read_text()) or {}
        return Settings.model_validate(found)
    except (OSError, yaml.YAMLError) as error:
        raise SystemExit(f"penstock: cannot read configuration {path}: {type(error).__name__}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise SystemExit(f"penstock: {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def identity() -> Identity:
    """From the downward API in a pod; from the host's name elsewhere."""
    holder = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    return Identity(holder=holder, namespace=os.environ.get("POD_NAMESPACE", "default"))
