"""Replicas before the load comes: a quantile of the loads at this time of the last days or weeks. Pure.

It only ever raises the fewest replicas, as a schedule does; what the autoscaler sees now may ask for more. Each day or
week of the past is one number, asked for as one short query of the metric source's own language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor

from penstock.api.fields import limit, seconds
from penstock.api.predictive import Forecast, Predictive, Season
from penstock.api.scaling import ScalingMetric
from penstock.core.load import SOURCE
from penstock.core.load_looks import RATE, UNBOUNDED
from penstock.core.measures import measure
from penstock.model.copying import replace
from penstock.model.measure import Answer, Arm, Levels, Query, Question, Rate, Silence
from penstock.model.schedule import LONG_AGO
from penstock.model.values import World

EVERY = timedelta(minutes=5)
SMOOTH = timedelta(minutes=5)  # a rate is that of so long a time before; as long after a jump it is whole
KEPT = timedelta(minutes=15)  # for which the last answers hold where there are no new ones
FEWEST = 2  # days or weeks: one alone may have been anything
STEADY = 0.9  # fewer replicas are expected only where they are fewer by more than a tenth
LENGTH = {Season.DAY: timedelta(days=1), Season.WEEK: timedelta(weeks=1)}
# Each pod's counter by itself, all revisions added up: last week another one served.
LOAD = (
    "max_over_time(sum(rate({name}{{{where}"
    'namespace="{{{{namespace}}}}",penstock_dev_revision=~"{{{{name}}}}-[0-9a-z]+"}}[5m]))[{span}s:1m])'
)


@dataclass(frozen=True)
class Memory:
    """The last answers: when they came, when the source was asked last, and for which wish."""

    asked: datetime
    heard: datetime
    answers: tuple[Answer, ...] = ()
    wish: Predictive | None = None


NOTHING = Memory(LONG_AGO, LONG_AGO)


def foreseen(world: World) -> World:
    """The world whose fewest replicas are at least those that are expected; status tells which and why."""
    wish = _wish(world)
    known = expect(world) if wish else None
    status = world.status.model_copy(update={"forecast": known})
    if not world.spec or not known:
        return replace(world, status=status)
    scaling = world.spec.scaling
    least = max(scaling.min_replicas, min(known.replicas, scaling.max_replicas or 0))
    update = {"scaling": scaling.model_copy(update={"min_replicas": least})}
    return replace(world, status=status, spec=world.spec.model_copy(update=update))


def again(world: World) -> datetime | None:
    """When to ask next."""
    return world.now + EVERY if questions(world) else None


def questions(world: World) -> list[Question]:
    """The highest load until `lead` after the next question, in each season of the past, the latest first."""
    wish, stable = _wish(world), world.status.stable
    text = _text(world, wish) if wish else ""
    if not wish or not stable or not text:
        return []
    fills = {"namespace": world.namespace, "name": world.name, "revision": stable.revision, "version": stable.version}
    arm = Arm(stable.revision, Query(text, fills))
    ahead = _ahead(wish)
    ends = [world.now + SMOOTH + ahead - LENGTH[wish.season] * past for past in range(1, wish.history + 1)]
    return [Question(_source(world), world.namespace, arm, None, end - ahead, end) for end in ends]


def recalled(world: World, known: Memory) -> Memory:
    """What is known; answers for another wish count for nothing."""
    wish = _wish(world)
    return known if known.wish == wish else replace(NOTHING, wish=wish)


def remembered(before: Memory, now: datetime, answers: tuple[Answer, ...]) -> Memory:
    """The new answers, or those before where all the new ones are silence and those are not too old."""
    heard = any(not isinstance(each, Silence) for each in answers)
    if heard or now - before.heard > KEPT or len(before.answers) != len(answers):
        return replace(before, asked=now, heard=now, answers=answers)
    return replace(before, asked=now)


def expect(world: World) -> Forecast | None:
    """What is expected; the same as before where that is no other number of replicas."""
    wish, metric, before = _wish(world), _metric(world), world.status.forecast
    if not wish or not metric or metric.target == UNBOUNDED:
        return Forecast(message="no forecast: how many requests each replica should have is not known yet")
    if not world.recalled:
        return before if _text(world, wish) else Forecast(message="no forecast: nothing counts the requests")
    loads = [sum(each.values) for each in world.recalled if isinstance(each, Levels) and each.values]
    if len(loads) < FEWEST:
        why = next((f": {each.message}" for each in world.recalled if isinstance(each, Silence)), "")
        text = f"no forecast: {len(loads)} of the last {_seasons(wish)} known{why}"
        return _news(world, Forecast(message=text[:1024]))
    load = quantile(loads, limit(wish.quantile))
    count = replicas(load, metric.wanted)
    told = ", ".join(f"{each:.3g}" for each in loads)
    text = f"{count} replicas for {load:.3g} requests/s: {told} at this time of the last {_seasons(wish)}"
    return _news(world, Forecast(replicas=count, message=text[:1024]))


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of all lie, between two of them in proportion."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low, high = ordered[floor(place)], ordered[ceil(place)]
    return low + (high - low) * (place - floor(place))


def replicas(load: float, target: float) -> int:
    """How many replicas carry a load with `target` for each."""
    return ceil(round(load / target, 6))


def _news(world: World, made: Forecast) -> Forecast:
    """What is worth telling: more replicas, or fewer by more than a tenth; or the same from other days or weeks."""
    before, wish = world.status.forecast, _wish(world)
    if not before or not wish or bool(before.replicas) != bool(made.replicas):
        return made
    if f"the last {_seasons(wish)}" not in before.message:
        return made
    return before if before.replicas * STEADY <= made.replicas <= before.replicas else made


def _wish(world: World) -> Predictive | None:
    return world.spec.scaling.predictive if world.spec else None


def _metric(world: World) -> ScalingMetric | None:
    found = world.spec.scaling.metrics if world.spec else []
    return next((each for each in found if each.name == RATE), None)


def _source(world: World) -> str:
    """Where the requests are counted that the autoscaler follows."""
    metric, wish = _metric(world), world.spec.scaling.objective if world.spec else None
    named = metric or wish
    return (named.source if named else None) or SOURCE


def _seasons(wish: Predictive) -> str:
    return f"{wish.history} {'weeks' if wish.season is Season.WEEK else 'days'}"


def _text(world: World, wish: Predictive) -> str:
    """The query; empty where the server shows no counter of requests."""
    stable = world.status.stable
    snapshot = world.snapshots.get(stable.revision) if stable else None
    found = measure(ScalingMetric(name=RATE, target="1"), snapshot.profile) if snapshot else None
    if not isinstance(found, Rate):
        return ""
    where = found.counter.where.rstrip(", ")
    span = round(_ahead(wish).total_seconds())
    return LOAD.format(name=found.counter.name, where=f"{where}," if where else "", span=span)


def _ahead(wish: Predictive) -> timedelta:
    return timedelta(seconds=seconds(wish.lead)) + EVERY
