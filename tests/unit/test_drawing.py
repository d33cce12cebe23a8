"""When the draw of users stands in the route, for whom, and when it goes: by values."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.planned import PlannedSticky
from penstock.api.spec import Spec
from penstock.api.status import Serving, Status, Trying
from penstock.checks.routed import routed
from penstock.core import drawing, strategy, traffic
from penstock.model.schedule import spell
from penstock.model.values import Outcome, RouteSeen, Sticky, Workload, World
from tests.sim.machine import model
from tests.unit.test_traffic import NOW, bare

HOME, TRIED = "churn-1", "churn-2"
PINNED = PlannedSticky(cookie="variant", draw="d2", max_age="1h")
PLACE = Sticky("variant", "d2", (5, 25, 50, 100), 3600)
USERS = replace(PLACE, revision=TRIED)
OTHER = Sticky("variant", "d1", (10, 100), 60, "churn-0")


def world(step: int = 0, seen: RouteSeen | None = None, ready: int = 2) -> World:
    """v2 in a step of 5, 25, 50, 100 beside v1."""
    now = spell(NOW)
    steps = strategy.pin(replace(bare("v2"), status=Status(stable=Serving(revision=HOME))), direct=False)
    times = {"started_at": now, "step_started_at": now, "deadline_at": now}
    had = steps[step - 1].weight if step else 0
    tried = Trying(revision=TRIED, steps=steps, step=step, weight=had, sticky=PINNED, **times)
    status = Status(stable=Serving(revision=HOME, weight=100), candidate=tried)
    workloads = {HOME: Workload(2, 2), TRIED: Workload(2, ready)}
    owned = frozenset(("Service", name) for name in workloads)
    return replace(bare("v2"), status=status, workloads=workloads, owned=owned, route=seen)


def route(given: int, sticky: Sticky | None, programmed: bool = True) -> RouteSeen:
    return RouteSeen({HOME: 100 - given, TRIED: given}, programmed, sticky=sticky)


@pytest.mark.parametrize(
    ("step", "seen", "given", "sticky"),
    [
        pytest.param(0, None, 0, PLACE, id="no route: a place first"),
        pytest.param(0, route(0, None), 0, PLACE, id="no place: a place first"),
        pytest.param(0, route(0, PLACE, False), 0, PLACE, id="not taken over yet: nobody is drawn"),
        pytest.param(0, route(0, PLACE), 5, USERS, id="taken over: users"),
        pytest.param(0, route(5, USERS, False), 5, USERS, id="users stay while a change is taken over"),
        pytest.param(1, route(0, PLACE, False), 0, PLACE, id="pods are back before their going is confirmed"),
        pytest.param(1, route(5, USERS), 25, USERS, id="the next step"),
        pytest.param(3, route(50, USERS), 100, PLACE, id="everybody has it: nobody is drawn"),
        pytest.param(0, route(0, OTHER), 0, replace(OTHER, revision=""), id="another draw's users leave it first"),
        pytest.param(
            0, route(0, replace(OTHER, revision=""), False), 0, replace(OTHER, revision=""), id="as confirmed"
        ),
        pytest.param(0, route(0, replace(OTHER, revision="")), 0, PLACE, id="then its place is taken"),
    ],
)
def test_a_share_of_users_rises_only_in_a_place_that_is_there(
    step: int, seen: RouteSeen | None, given: int, sticky: Sticky
) -> None:
    now = world(step, seen)
    made = traffic.shares(now, now.status)
    assert (made.weights.get(TRIED, 0), made.sticky) == (given, sticky)


def test_without_pods_nobody_is_drawn() -> None:
    now = world(0, route(5, USERS), ready=0)
    assert traffic.shares(now, now.status).sticky == PLACE


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        (route(5, USERS), PLACE),
        (route(0, PLACE, False), PLACE),
        (route(0, PLACE), None),
        (route(0, None), None),
        (None, None),
    ],
)
def test_after_the_rollout_the_place_stays_until_the_gateway_knows_that_it_is_empty(
    seen: RouteSeen | None, kept: Sticky | None
) -> None:
    now = world(0, seen)
    ended = now.status.model_copy(update={"candidate": None})
    assert traffic.shares(now, ended).sticky == kept


def test_shares_that_no_draw_can_give_are_given_by_requests() -> None:
    """As where a home that lost its pods gets its traffic back one by one."""
    now = world(0, route(5, USERS))
    for weights in ({HOME: 60, TRIED: 5, "churn-0": 35}, {HOME: 93, TRIED: 7}, {TRIED: 100}):
        assert drawing.draw(now, now.status, weights) == PLACE
    assert drawing.draw(now, now.status, {HOME: 75, TRIED: 25}) == USERS


@pytest.mark.parametrize(
    ("step", "seen", "passes"),
    [
        (0, route(5, USERS), True),
        (0, route(5, PLACE), False),
        (0, route(5, None), False),
        (3, route(100, PLACE), True),
        (3, route(100, USERS), False),
    ],
)
def test_a_step_counts_once_its_users_are_read_back(step: int, seen: RouteSeen, passes: bool) -> None:
    now = world(step, seen)
    assert now.status.candidate
    outcome = routed(now, strategy.present_step(now, now.status.candidate)).outcome
    assert (outcome is Outcome.PASS) == passes


def pinned(rollout: dict[str, Any], sticky: dict[str, Any] | None, at: World) -> PlannedSticky | None:
    wish = model("v2", rollout=rollout, traffic={"gateway": {"name": "models"}, "sticky": sticky})["spec"]
    asked = replace(at, spec=Spec.model_validate(wish), status=Status(stable=Serving(revision=HOME)))
    return drawing.pin(asked, TRIED, strategy.pin(asked, direct=False))


def test_a_rollout_pins_its_draw_and_the_next_one_draws_anew() -> None:
    canary = {"canary": {"steps": [{"weight": 5}]}}
    first = pinned(canary, {}, bare("v2"))
    assert first and (first.cookie, first.max_age) == ("penstock-ml-churn", "24h")
    again = pinned(canary, {"cookie": "variant", "maxAge": "1h"}, replace(bare("v2"), now=NOW.replace(minute=1)))
    assert again and (again.cookie, again.max_age) == ("variant", "1h") and again.draw != first.draw
    assert pinned(canary, None, bare("v2")) is None
    assert pinned({}, {}, bare("v2")) is None, "no step splits users"
