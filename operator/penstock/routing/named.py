"""Named rules of a route that somebody else owns: shares of the traffic by revision <-> the backends of those rules.

No client: both sides are values. All else of the route is its owner's and is not even known here: paths, filters, host
names, other rules. So there are weights only, no cohort and no copies.
"""

from penstock.api.traffic import Traffic
from penstock.model.values import Manifest, RouteSeen, Shares
from penstock.routing import rules
from penstock.routing.service import port_of


def make(traffic: Traffic, shares: Shares) -> Manifest:
    """Of the route's spec the part that is ours: the same backends for each of the named rules."""
    assert traffic.route
    refs = [rules.backend(name, weight, port_of(traffic)) for name, weight in shares.weights.items()]
    return {"rules": [{"name": name, "backendRefs": refs} for name in traffic.route.rules]}


def narrow(route: RouteSeen, traffic: Traffic) -> RouteSeen:
    """What the named rules say of a route that is known as a whole.

    While they do not all say the same, nothing counts as taken, and of each revision the most that any rule gives it.
    """
    assert traffic.route
    ours = {name: route.rules[name] for name in traffic.route.rules if name in route.rules}
    same = len(ours) == len(traffic.route.rules) and all(each == next(iter(ours.values())) for each in ours.values())
    weights: dict[str, int] = {}
    for each in ours.values():
        weights |= {name: max(weight, weights.get(name, 0)) for name, weight in each.items()}
    return RouteSeen(weights, route.programmed and same, route.message, taken_at=route.taken_at, rules=ours)
