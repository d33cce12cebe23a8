"""What follows from a world beside the machine's move: when it is Ready, and where the shared Service leads."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from penstock.api.status import Leaving, Status
from penstock.core.plan import decide
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Plan, RouteSeen, World
from tests.unit.worlds import NOW, STABLE, V1, V2, ago, bare, pods, usual

APEX = ("Service", bare("v1", "walk").name)
BUDGET = ("PodDisruptionBudget", APEX[1])


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


def apex(plan: Plan) -> list[Manifest]:
    """The Service of the ModelDeployment's own name, where the plan makes it."""
    return [each for each in plan.children if (each["kind"], each["metadata"]["name"]) == APEX]


# pods of the stable revision that are ready, whether the Service is there, whether it is written
SERVICES = [(2, True, True), (0, True, False), (0, False, True)]


@pytest.mark.parametrize(("home", "there", "written"), SERVICES)
def test_the_service_stays_where_it_leads_until_who_should_get_it_can_answer(
    home: int, there: bool, written: bool
) -> None:
    world = usual("v1", "walk")
    owned = world.owned | ({APEX} if there else frozenset())
    world = replace(world, status=Status(stable=STABLE), workloads=pods(0, home), owned=owned, now=NOW)
    plan = decide(world)
    assert bool(apex(plan)) == written
    assert APEX not in plan.prune


def test_what_all_revisions_share_stays_although_the_record_of_the_stable_one_is_lost() -> None:
    world = usual("v2", "walk")
    others = {name: snapshot for name, snapshot in world.snapshots.items() if name != V1}
    world = replace(world, status=Status(stable=STABLE), snapshots=others, owned=world.owned | {APEX, BUDGET})
    assert not {APEX, BUDGET} & decide(world).prune
