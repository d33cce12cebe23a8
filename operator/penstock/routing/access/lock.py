"""A lock that stays at the listeners of a ModelDeployment's own: a route that nobody takes, under what lets nobody in.

Envoy Gateway puts what keeps keys and tokens into a listener with the first route that asks for it, and takes it out
with the last. It does so for a Secret that is gone for a moment, too; then a request may meet a listener without it. At
the Gateway's own listeners such a lock is the administrator's.
"""

from collections.abc import Collection

from penstock.api.traffic import Traffic
from penstock.model.values import Manifest
from penstock.routing import gateway, rules


def name_of(owner: str) -> str:
    """Name of the route and of its policy."""
    return f"{owner}-lock"


def make_route(traffic: Traffic, hostnames: Collection[str]) -> Manifest:
    """The spec of the HTTPRoute; nobody is behind it."""
    return gateway.make_spec(traffic, hostnames, [{"matches": rules.parked(traffic), "backendRefs": []}])
