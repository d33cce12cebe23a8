"""What the administrator says about the cluster, as far as decisions need it; nothing of it is a user's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from penstock.model.sinks import Sink


class Implementation(StrEnum):
    """Whose Gateways the cluster has: it tells which objects can keep a policy."""

    ENVOY_GATEWAY = "EnvoyGateway"
    ISTIO = "Istio"
    NONE = "None"


class Scaler(StrEnum):
    """Who follows metrics: the cluster's own autoscaler, or KEDA where it owns the external metrics."""

    HPA = "HPA"
    KEDA = "KEDA"


@dataclass(frozen=True)
class TokenIssuer:
    """Who issues tokens, and where the gateway finds the keys that sign them."""

    issuer: str
    jwks_uri: str


@dataclass(frozen=True)
class Fence:
    """Who may reach every model's pods, as peers of a NetworkPolicy."""

    gateway: tuple[Mapping[str, Any], ...] = ()
    prometheus: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Prices:
    """What an hour of one cpu, one GiB of memory or one device costs, by the name of the resource; empty: not known."""

    per_hour: Mapping[str, Decimal] = field(default_factory=dict)
    currency: str = ""


@dataclass(frozen=True)
class Platform:
    """The cluster's gateway, its token issuers, whether it has cert-manager, and the fence around models, if any.

    `locks`: what keeps keys and tokens is in the Gateways' listeners for good, not only while a model needs it.
    Also where payloads may be told, by name; who scales; the image of the containers that warm new pods and hold
    requests, and prices, both empty: none.
    """

    gateway: Implementation = Implementation.ENVOY_GATEWAY
    issuers: Mapping[str, TokenIssuer] = field(default_factory=dict)
    certificates: bool = False
    locks: bool = False
    fence: Fence | None = None
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    warmup_image: str = ""
    scaler: Scaler = Scaler.HPA
    tells: bool = True  # whether the operator itself tells autoscalers live values
    live: str = ""  # address under which KEDA asks for live values, without the namespace
    prices: Prices = Prices()
