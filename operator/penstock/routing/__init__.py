"""Traffic -> manifests, and manifests -> traffic as it is; no client. A router is a file and one line here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.values import Manifest, RouteSeen, Shares
from penstock.routing import gateway


@dataclass(frozen=True)
class Router:
    """One way to split traffic: the object of this kind with the ModelDeployment's name carries the shares."""

    kind: str
    make: Callable[[Traffic, Shares], Manifest]
    make_preview: Callable[[Traffic, Collection[str], str], Manifest]
    make_named: Callable[[Traffic, Mapping[str, Collection[str]]], Manifest]
    read: Callable[[Mapping[str, Any]], RouteSeen]
    backends: Callable[[Manifest], set[str]]  # the Services that a spec leads to


# Without a line here it is the plain Service, which every ModelDeployment has.
ROUTERS = {
    "gateway": Router(
        "HTTPRoute", gateway.make, gateway.make_preview, gateway.make_named, gateway.read, gateway.backends
    ),
}
ROUTES = {router.kind: router for router in ROUTERS.values()}


def router_of(traffic: Traffic) -> Router | None:
    """What carries the shares; None where it is the plain Service."""
    return ROUTERS.get(traffic.router)
