"""What follows from a world beside the machine's move: when it is Ready."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from penstock.api.status import Leaving, Status
from penstock.core.plan import decide
from penstock.model.reasons import Reason
from penstock.model.values import RouteSeen, World
from tests.unit.worlds import STABLE, V1, V2, ago, usual


def left(seen: RouteSeen) -> World:
    """v1 is wanted and stable again; v2 has just left, and the route is this one."""
    gone = Leaving(revision=V2, since=ago(5), after=ago(-20))
    return replace(usual("v1", "walk"), status=Status(stable=STABLE, leaving=[gone]), route=seen)


# the route as it stands, whether the gateway has taken it, whether that is Ready
ROUTES = [
    ({V1: 100, V2: 0}, True, True),
    ({V1: 100, V2: 0}, False, False),  # it may still be on its way to the one before, with a share for v2
    ({V1: 0, V2: 100}, False, False),
    ({V1: 100}, False, True),  # of v2 the gateway knew that it gets nothing; else it were listed still
]


@pytest.mark.parametrize(("weights", "programmed", "ready"), ROUTES)
def test_ready_waits_for_the_gateway_while_the_route_names_another_revision(
    weights: Mapping[str, int], programmed: bool, ready: bool
) -> None:
    found = next(c for c in decide(left(RouteSeen(weights, programmed))).status.conditions if c.type == "Ready")
    assert (found.status == "True") == ready
    assert found.reason == (Reason.SETTLED if ready else Reason.WAITING_FOR_ROUTE)
