"""What the administrator says about gateways and networks, and what of the table of kinds is then of no use here.

Shapes only; what follows from them is decided in `core.access`. An address of keys is fetched by the gateway, never by
this process, and comes from here alone: a ModelDeployment can only name an issuer.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import Frozen, Name, ShortText
from penstock.model.platform import Fence, Implementation, Platform, TokenIssuer

KeysAddress = Annotated[str, StringConstraints(pattern=r"^https://[^/?#@\s]+(/[^#\s]*)?$", max_length=253)]


class Issuer(Frozen):
    """Who issues tokens, and where the gateway gets the keys: https only, under a certificate they trust."""

    issuer: Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=253)]
    jwks_uri: KeysAddress


class Gateway(Frozen):
    """Whose Gateways there are, and what may be named in traffic.policy."""

    implementation: Implementation = Implementation.ENVOY_GATEWAY
    token_issuers: dict[Name, Issuer] = Field(default={}, max_length=16)
    cert_manager: bool = False
    locks: bool = False


class Selector(Frozen):
    """Labels, as in a NetworkPolicy."""

    match_labels: dict[ShortText, ShortText] = Field(default={}, max_length=16)


class Peer(Frozen):
    """Pods, by their labels and those of their namespace."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None


class ModelNetworks(Frozen):
    """Whether a NetworkPolicy stands around each model's pods, and who passes it everywhere."""

    enabled: bool = False
    gateway: list[Peer] = Field(default=[], max_length=16)
    prometheus: list[Peer] = Field(default=[], max_length=16)


def make_platform(gateway: Gateway, networks: ModelNetworks) -> Platform:
    """The same as decisions take it."""
    issuers = {name: TokenIssuer(each.issuer, each.jwks_uri) for name, each in gateway.token_issuers.items()}
    fence = Fence(_peers(networks.gateway), _peers(networks.prometheus)) if networks.enabled else None
    return Platform(gateway.implementation, issuers, gateway.cert_manager, gateway.locks, fence)


def _peers(given: list[Peer]) -> tuple[dict[str, object], ...]:
    return tuple(each.model_dump(by_alias=True, exclude_none=True) for each in given)


def unused(platform: Platform) -> frozenset[str]:
    """The kinds that no policy can make on this platform."""
    envoy = platform.gateway is Implementation.ENVOY_GATEWAY
    uses = {
        "SecurityPolicy": envoy,
        "BackendTrafficPolicy": envoy,
        "EnvoyExtensionPolicy": envoy,
        "Certificate": platform.certificates,
        "NetworkPolicy": platform.fence is not None,
    }
    return frozenset(kind for kind, used in uses.items() if not used)
