"""All that says how many replicas there may be, in its order: calendar, objective, forecast, budget, sleep. Pure."""

from datetime import datetime

from penstock.api.status import Status
from penstock.core import bounds, cost, forecast, objective, scaled, sleep
from penstock.core.conditions import Claim
from penstock.model.copying import replace
from penstock.model.values import World


def seen(world: World) -> World:
    """The world with the bounds and targets that hold now, and with what stands against them."""
    return cost.guarded(forecast.foreseen(objective.followed(bounds.scheduled(world))))


def again(world: World, status: Status) -> datetime | None:
    """When any of that changes by itself, or is to be looked at again."""
    times = (each.again(world) for each in (scaled, bounds, objective, forecast))
    return min((each for each in (*times, sleep.again(world, status)) if each), default=None)


def told(claim: Claim, world: World, status: Status) -> Claim:
    """The claim with what there is to say of it."""
    following, budget = scaled.following(world, status), cost.told(world, status)
    return replace(claim, following=following, objective=objective.told(world), budget=budget)
