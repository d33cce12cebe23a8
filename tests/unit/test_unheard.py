"""A route that was just made: nobody may ever answer for it, and then only the clock brings the turn that says so."""

from dataclasses import replace
from datetime import timedelta

from penstock.api.status import Status
from penstock.core.plan import decide
from penstock.model.values import RouteSeen, Workload, World
from tests.unit.worlds import CLOCKS, NOW, OWNED, SNAPSHOTS, V1, bare, trying


def world(route: RouteSeen | None) -> World:
    """The first revision has its pods, and waits for its route."""
    first = trying("plain", 0, CLOCKS["new"]).model_copy(update={"revision": V1, "version": "v1"})
    return replace(
        bare("v1", "plain"),
        status=Status(candidate=first),
        workloads={V1: Workload(2, 2, pods=2)},
        snapshots={V1: SNAPSHOTS[V1]},
        owned=OWNED,
        route=route,
    )


def test_a_turn_comes_although_no_event_may_follow() -> None:
    assert decide(world(None)).again == NOW + timedelta(seconds=5)
    unheard = RouteSeen({V1: 100}, programmed=False)
    assert decide(world(unheard)).again == NOW + timedelta(seconds=5)


def test_what_has_been_said_needs_no_look() -> None:
    said = RouteSeen({V1: 100}, programmed=False, message="no controller has answered for Gateway ml/models")
    again = decide(world(said)).again
    assert again is None or again > NOW + timedelta(seconds=5)
