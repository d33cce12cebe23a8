"""When a route is as a step wants it: the share, and nothing left of the step before."""

from dataclasses import replace

import pytest

from penstock.api.status import Status, StepKind
from penstock.checks.routed import routed
from penstock.core.strategy import present_step
from penstock.model.values import Outcome, RouteSeen, World
from tests.unit.worlds import CLOCKS, STABLE, STEPS, V1, V2, as_planned, pinned, trying, usual


def walking(plan: str, number: int, seen: RouteSeen) -> World:
    """v2 in a step, with this route."""
    status = Status(stable=STABLE, candidate=trying(plan, number, CLOCKS["inside"]))
    return replace(usual("v2", plan), status=status, route=seen)


def outcome(plan: str, number: int, seen: RouteSeen) -> Outcome:
    """What the check says of this route."""
    world = walking(plan, number, seen)
    assert world.status.candidate
    return routed(world, present_step(world, world.status.candidate)).outcome


@pytest.mark.parametrize(("plan", "number"), STEPS)
def test_copies_that_are_left_of_another_step_are_waited_for(plan: str, number: int) -> None:
    if plan == "service":  # copies nothing
        return
    wanted = as_planned(plan, number)
    assert outcome(plan, number, wanted) is Outcome.PASS
    copies = pinned(plan)[number].kind is StepKind.SHADOW
    for other in [None] * copies + [(V2, 7), (V1, 20)]:
        assert outcome(plan, number, replace(wanted, mirror=other)) is Outcome.WAIT, f"{other}"
