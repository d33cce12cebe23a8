"""Traffic -> manifests, and manifests -> traffic as it is; no client. A router is a file and one line here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from penstock.api.traffic import Traffic
from penstock.model.copying import replace
from penstock.model.values import Manifest, RouteSeen, Shares
from penstock.routing import gateway, grpc, istio, named


@dataclass(frozen=True)
class Router:
    """One way to split traffic: an object of this kind carries the shares.

    It is ours and has the ModelDeployment's name, unless `grafted`: then it is somebody else's, and `make` gives the
    part that we set in it.
    """

    kind: str
    make: Callable[[Traffic, Shares], Manifest]
    read: Callable[[Mapping[str, Any]], RouteSeen]
    backends: Callable[[Manifest], set[str]]  # the Services that a spec leads to
    traffic_of: Callable[[Mapping[str, Any]], Traffic] | None = None  # how clients reach a route of ours, by its spec
    make_preview: Callable[[Traffic, Collection[str], str], Manifest] | None = None
    make_named: Callable[[Traffic, Mapping[str, Collection[str]]], Manifest] | None = None
    grafted: bool = False
    keeps_users: bool = False  # whether it can draw users, who then keep their revision


# Without a line here it is the plain Service, which every ModelDeployment has.
ROUTERS = {
    "gateway": Router(
        "HTTPRoute",
        gateway.make,
        gateway.read,
        gateway.backends,
        gateway.traffic_of,
        gateway.make_preview,
        gateway.make_named,
        keeps_users=True,
    ),
    "grpc": Router("GRPCRoute", grpc.make, gateway.read, gateway.backends, grpc.traffic_of, grpc.make_preview),
    "grpcRoute": Router("GRPCRoute", named.make, gateway.read, gateway.backends, grafted=True),
    "istio": Router("VirtualService", istio.make, istio.read, istio.backends, istio.traffic_of, istio.make_preview),
    "route": Router("HTTPRoute", named.make, gateway.read, gateway.backends, grafted=True),
}
ROUTES = {router.kind: router for router in ROUTERS.values() if not router.grafted}


def router_of(traffic: Traffic) -> Router | None:
    """What carries the shares; None where it is the plain Service."""
    return ROUTERS.get(traffic.router)


def place_of(traffic: Traffic, name: str) -> tuple[str, str] | None:
    """Kind and name of the object that carries the shares of a ModelDeployment; None where it is the plain Service."""
    router = router_of(traffic)
    return (router.kind, traffic.route.name if traffic.route else name) if router else None


def read_own(kind: str, route: Mapping[str, Any]) -> RouteSeen:
    """A route of ours, and how clients reach it; unknown where somebody has changed it beyond our words."""
    router = ROUTES[kind]
    try:
        traffic = router.traffic_of(route["spec"]) if router.traffic_of else None
    except ValidationError:
        traffic = None
    return replace(router.read(route), traffic=traffic)


def seen_by(traffic: Traffic, route: RouteSeen) -> RouteSeen:
    """Of what is known of the object that carries the shares, the part that is ours."""
    return named.narrow(route, traffic) if traffic.route else route
