"""How few and how many replicas: the spec's bounds as its schedules change them. Pure."""

from collections.abc import Iterable
from datetime import datetime

from penstock.model.calendar import holds, next_change
from penstock.model.copying import replace
from penstock.model.values import World


def scheduled(world: World) -> World:
    """The world in which the spec's bounds are those that hold now."""
    if not world.spec or not world.spec.scaling.schedules:
        return world
    scaling = world.spec.scaling
    now = [schedule for schedule in scaling.schedules if holds(schedule, world.now)]
    least = _largest(s.min_replicas for s in now) or scaling.min_replicas
    most = scaling.max_replicas and (_largest(s.max_replicas for s in now) or scaling.max_replicas)
    update = {"min_replicas": min(least, most or least), "max_replicas": most}
    return replace(world, spec=world.spec.model_copy(update={"scaling": scaling.model_copy(update=update)}))


def again(world: World) -> datetime | None:
    """When they change next."""
    return next_change(world.spec.scaling.schedules, world.now) if world.spec else None


def _largest(numbers: Iterable[int | None]) -> int | None:
    return max((each for each in numbers if each is not None), default=None)
