"""An edit of `traffic` chooses another router: the old route stays, and stays true, until the new one is confirmed.

Nothing is remembered for it. That a route of ours by another router stands is what says that a switch is under way, and
the route says itself how clients reach it. So it is kept at today's shares: what is taken off meanwhile is taken off
there too.
"""

from penstock.core.desired import make_object
from penstock.model.values import Manifest, Shares, World
from penstock.routing import ROUTES, place_of, router_of


def leads(world: World) -> bool:
    """The present router's route leads to revisions, and its gateway has confirmed it."""
    seen = world.route
    known = seen is not None and sum(seen.weights.values()) == 100 and seen.weights.keys() <= world.snapshots.keys()
    return known and seen is not None and seen.programmed


def former(world: World, shares: Shares) -> list[Manifest]:
    """The routes of former routers, with today's shares."""
    made = []
    for traffic in world.formers if shares.weights and not leads(world) else ():
        router, place = router_of(traffic), place_of(traffic, world.name)
        if router and place:
            made.append(make_object(world, *place, {"spec": router.make(traffic, shares)}))
    return made


def standing(world: World) -> frozenset[tuple[str, str]]:
    """Routes that may not go: those of former routers until the present one leads; never somebody else's."""
    assert world.spec
    router, place = router_of(world.spec.traffic), place_of(world.spec.traffic, world.name)
    theirs = {place} if router and place and router.grafted else set()
    if leads(world):
        return frozenset(theirs)
    present = router.kind if router and not router.grafted else ""
    return frozenset(theirs) | {(kind, name) for kind, name in world.owned if kind in ROUTES and kind != present}
