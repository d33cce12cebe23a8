"""Who keeps which revision: the draw of a rollout's users, from the plan that is pinned to what the route carries.

A place for the draw is made before anybody is drawn and stays until nobody is: a gateway that meets a rule before it
knows what is behind it refuses whoever belongs to it. So a share rises only once the place is seen to be taken over.
"""

from penstock.api.fields import seconds
from penstock.api.planned import PlannedSticky
from penstock.api.status import PlannedStep, Status, Trying
from penstock.model.copying import replace
from penstock.model.names import digest
from penstock.model.schedule import spell
from penstock.model.values import Sticky, World
from penstock.routing import router_of


def seen(world: World) -> World:
    """The world in which users keep nothing any more where an edit of traffic chose a router that cannot draw them."""
    router, candidate = router_of(world.spec.traffic) if world.spec else None, world.status.candidate
    if not candidate or not candidate.sticky or not world.spec or (router and router.keeps_users):
        return world
    rest = world.status.model_copy(update={"candidate": candidate.model_copy(update={"sticky": None})})
    return replace(world, status=rest)


def pin(world: World, revision: str, steps: list[PlannedStep]) -> PlannedSticky | None:
    """How users keep their revision in a rollout that begins now; None where they do not, or no step splits them.

    Each rollout draws anew: who was drawn for a revision that failed is not the first to get it again.
    """
    assert world.spec
    wish = world.spec.traffic.sticky
    if not wish or len(_marks(steps)) < 2:
        return None
    return PlannedSticky(
        cookie=wish.cookie or f"penstock-{world.namespace}-{world.name}",
        draw=digest([world.uid, revision, spell(world.now)]),
        max_age=wish.max_age,
    )


def draw(world: World, status: Status, weights: dict[str, int]) -> Sticky | None:
    """What the route says of users beside these weights; None where it says nothing."""
    seen = world.route.sticky if world.route else None
    place = _place(status.candidate)
    if seen and not _is_same(seen, place) and _may_have_users(world):
        return replace(seen, revision="")  # as it stands, and for nobody, before it goes or is another
    if (
        not place
        or not status.candidate
        or not _is_split(status, place, weights)
        or not is_laid(world, status.candidate)
    ):
        return place
    return replace(place, revision=status.candidate.revision)


def is_laid(world: World, candidate: Trying) -> bool:
    """Whether the gateway has a place for the candidate's draw; true where there is no draw."""
    place, seen = _place(candidate), world.route
    if not place:
        return True
    return seen is not None and _is_same(seen.sticky, place) and not _is_new(world)


def _place(candidate: Trying | None) -> Sticky | None:
    if not candidate or not candidate.sticky:
        return None
    wish = candidate.sticky
    return Sticky(wish.cookie, wish.draw, _marks(candidate.steps), int(seconds(wish.max_age)))


def _marks(steps: list[PlannedStep]) -> tuple[int, ...]:
    """The weights at which users move, each once; whoever moves at no step does at 100 %."""
    return (*sorted({step.weight for step in steps if 0 < step.weight < 100}), 100)


def _is_split(status: Status, place: Sticky, weights: dict[str, int]) -> bool:
    """Whether candidate and stable revision share everything at one of the marks: other shares cannot be drawn."""
    assert status.candidate
    given = weights.get(status.candidate.revision, 0)
    home = weights.get(status.stable.revision, 0) if status.stable else 0
    return given in place.marks and 0 < given < 100 and given + home == 100


def _is_same(seen: Sticky | None, place: Sticky | None) -> bool:
    return seen is not None and replace(seen, revision="") == place


def _is_new(world: World) -> bool:
    """The rules are not taken over yet, and nobody is drawn by them."""
    seen = world.route
    return seen is not None and not seen.programmed and not (seen.sticky and seen.sticky.revision)


def _may_have_users(world: World) -> bool:
    """By the route as it stands, or as it was before that is confirmed."""
    seen = world.route
    return seen is not None and seen.sticky is not None and (bool(seen.sticky.revision) or not seen.programmed)
