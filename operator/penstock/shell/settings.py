"""What the administrator says once, at start: where to listen, which namespace, which metric sources.

Read from one YAML file. A mistake in it ends the start with one line; nothing here is taken from a ModelDeployment.
"""

import os
import socket
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError

from penstock.api.budget import Money
from penstock.api.fields import Frozen, Image, Name
from penstock.model.copying import replace
from penstock.model.platform import Platform, Prices, Scaler
from penstock.model.sinks import Sink
from penstock.shell.platform import Gateway, ModelNetworks, make_platform, unused
from penstock.shell.sources import MetricSource
from penstock.shell.watch import ALL

PLACE = "/live"  # where live values are on the operator's own port
Resource = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$", max_length=253)]


class ExternalMetrics(Frozen):
    """The API from which autoscalers read live metrics: its port and its serving certificate."""

    port: Annotated[int, Field(ge=1, le=65535)] = 6443
    cert_file: str
    key_file: str


class LiveValues(Frozen):
    """KEDA scales, and asks for live values at this address of the operator's own port."""

    address: Annotated[str, StringConstraints(pattern=r"^http://[a-z0-9.-]+(:[0-9]+)?$", max_length=253)]


class PayloadSink(Frozen):
    """A Service that takes CloudEvents; its namespace must allow the routes of models by a ReferenceGrant."""

    service: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z]([-a-z0-9]*[a-z0-9])?$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 80

    def sink(self) -> Sink:
        """As decisions know it."""
        namespace, _, service = self.service.partition("/")
        return Sink(namespace, service, self.port)


class GivenPrices(Frozen):
    """What an hour of each resource costs, by its name in a pod's requests: a cpu, a GiB of memory, a device."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{0,3}$")] = ""
    per_hour: dict[Resource, Money] = Field(default={}, max_length=16)

    def prices(self) -> Prices:
        """As decisions know them."""
        return Prices({name: Decimal(each) for name, each in self.per_hour.items()}, self.currency)


class Settings(Frozen):
    """The operator's configuration file."""

    namespace: str = ""
    verified_actions: bool = False  # whether admission policies vouch for who asked; the chart that brings them says so
    warmup_image: Image | Literal[""] = ""  # of the container that warms pods; the chart names the operator's own
    metric_sources: dict[Name, MetricSource] = Field(default={}, max_length=16)
    external_metrics: ExternalMetrics | None = None
    keda: LiveValues | None = None
    gateway: Gateway = Gateway()
    model_networks: ModelNetworks = ModelNetworks()
    payload_sinks: dict[Name, PayloadSink] = Field(default={}, max_length=16)
    prices: GivenPrices = GivenPrices()
    workers: Annotated[int, Field(ge=1, le=256)] = 32
    port: Annotated[int, Field(ge=1, le=65535)] = 8080

    @property
    def platform(self) -> Platform:
        """The cluster as decisions see it."""
        return make_platform(self.gateway, self.model_networks)

    @property
    def given(self) -> Platform:
        """The same with what a revision and its traffic may use beside it: an image, sinks; and what that costs."""
        sinks = {name: each.sink() for name, each in self.payload_sinks.items()}
        given = replace(self.platform, sinks=sinks, warmup_image=self.warmup_image, prices=self.prices.prices())
        given = replace(given, tells=self.external_metrics is not None)
        return replace(given, scaler=Scaler.KEDA, live=self.keda.address + PLACE) if self.keda else given

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is watched: nothing that the administrator has no use for, and gives no right to."""
        return tuple(kind for kind in ALL if kind not in unused(self.platform))


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
