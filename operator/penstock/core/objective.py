"""How many requests a second a replica bears under scaling.objective: learned from what was slow at which load. Pure.

The more requests a replica has, the more of them are slow; that is all that is taken for granted. While nothing is too
slow there is no target and the fewest replicas serve. Once too many requests are slow the target goes below the load
at which they were, at once; it rises again in small steps, while few enough are slow at that load, up to just below
what was too much within a day. Where half the load is no faster, replicas are not what is missing: the target goes back
and it is said.

Nothing is remembered beside status; what was asked and heard is in `core.load_looks`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from penstock.api.fields import limit
from penstock.api.objective import Learned, Obstacle, Seen
from penstock.core.load_looks import SPANS, Look, can_look, looks, measures_of, wish_of, with_target
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Problem, World

EVERY = timedelta(seconds=30)
BAD = 5.0  # times too many: no second look is needed
DOWN, FAR_DOWN, UP = 0.75, 0.5, 1.15
NEAR = 0.8  # of the target: a load that says something about it
BELOW = 0.9  # of a load that was too much: an autoscaler tolerates a tenth more than its target
ENOUGH = 30  # slow requests in the longest span: more than the objective has is then more than luck
NEWS = 0.1  # a target that changes by less is not worth a write
RISES = timedelta(minutes=10)
FORGOTTEN = timedelta(hours=24)  # after that a load that was too much may be tried again
ELSEWHERE = "look at the model, its resources, or the threshold"
RETRIED = timedelta(hours=6)  # after that more replicas may help again


def followed(world: World) -> World:
    """The world in which what was learned is up to date, and is the target of a metric that the autoscaler follows."""
    if not world.spec:
        return world
    status = world.status.model_copy(update={"objective": learn(world)})
    known = status.objective.per_replica if status.objective else None
    scaling = with_target(world.spec.scaling, known)
    return replace(world, status=status, spec=world.spec.model_copy(update={"scaling": scaling}))


def again(world: World) -> datetime | None:
    """When to look next; a look asks the metric source only."""
    return world.now + EVERY if can_look(world) else None


def told(world: World) -> tuple[bool, Reason, str] | None:
    """Whether the objective can be kept, as far as is known, and why; None while there is nothing to say."""
    found, known = measures_of(world), world.status.objective
    if isinstance(found, Problem):
        return False, found.reason, found.message
    if not known:
        return None
    reason = Reason.OBJECTIVE_UNREACHABLE if known.obstacle else Reason.OBJECTIVE_FOLLOWED
    return known.obstacle is None, reason, known.message


def learn(world: World) -> Learned | None:
    """What is known now; the same as before where nothing changes that is worth a write."""
    wish, stable, known = wish_of(world), world.status.stable, world.status.objective
    if not wish or not stable:
        return None if not wish else known
    if known and known.objective != wish.title:
        known = None
    if known and known.revision != stable.revision:
        known = Learned(
            objective=wish.title,
            revision=stable.revision,
            per_replica=known.per_replica,
            since=spell(world.now),
            message="as the revision before; no look at this one has changed it yet",
        )
    if known and known.obstacle is Obstacle.NO_MORE and not _is_at_most(world):
        known = _worded(known.model_copy(update={"obstacle": None}))
    seen = looks(world)
    return _weigh(world, known, seen) if seen else known


def _weigh(world: World, known: Learned | None, seen: Sequence[Look]) -> Learned | None:
    slow, fast = _too_slow(world, seen), _fast(world, seen)
    if slow:
        return _lower(world, known, _at_highest(slow, seen))
    return _raise(world, known, fast) if fast and known else known


def _most(world: World) -> float:
    wish = wish_of(world)
    assert wish
    return limit(wish.slow_rate.max)


def _too_slow(world: World, seen: Sequence[Look]) -> Look | None:
    """Still too many: by far in one minute, surely in three, or more than there should be in ten."""
    most, last = _most(world), seen[0]
    if last.share <= most:
        return None
    if _is_far_off(world, last):
        return last
    longer = next((each for each in seen if each.span >= SPANS[1]), None)
    if longer and longer.plausible[0] > most:
        return longer
    longest = seen[-1]
    return longest if longest.span >= SPANS[-1] and longest.share > most and longest.bad >= ENOUGH else None


def _at_highest(slow: Look, seen: Sequence[Look]) -> Look:
    """Its slow requests are laid to the highest load within it: to a mean with calmer times they would not belong."""
    return replace(slow, load=max(each.load for each in seen if each.span <= slow.span))


def _is_far_off(world: World, look: Look) -> bool:
    return look.plausible[0] > min(BAD * _most(world), 0.5)


def _fast(world: World, seen: Sequence[Look]) -> Look | None:
    """Surely few enough, in three minutes or more."""
    most = _most(world)
    return next((each for each in reversed(seen) if each.span >= SPANS[1] and each.plausible[1] <= most), None)


def _lower(world: World, known: Learned | None, look: Look) -> Learned | None:
    """Fewer requests for each replica, unless it has not come to that yet, or it would not help."""
    if known and known.obstacle is Obstacle.MORE_DO_NOT_HELP and world.now < read(known.since) + RETRIED:
        return known
    began = known.began if known and not known.obstacle else None
    deep = 2 if began and began.bad * 2 < began.total else 8
    if known and began and _is_no_faster(began, look, deep):
        return _give_back(world, known, (began, look))
    if _is_at_most(world):
        return _no_more(world, known, look)
    if known and look.load > float(known.per_replica) * (1 + NEWS):  # the replicas for the target are on their way
        return known
    fast = known.fast if known and known.fast and float(known.fast.load) < look.load else None
    least = look.load * _factor(world, look)
    made = _changed(world, known, max(least, min(float(fast.load), look.load * BELOW)) if fast else least)
    point = _seen(world, look)
    return _worded(made.model_copy(update={"fast": fast, "slow": point, "began": began or point, "obstacle": None}))


def _factor(world: World, look: Look) -> float:
    """How far below a load that was too much."""
    if _is_far_off(world, look):
        return FAR_DOWN
    return DOWN if look.plausible[0] > _most(world) else BELOW


def _is_no_faster(began: Seen, look: Look, times: int) -> bool:
    """As many are slow, give or take half the odds, at so many times less load.

    Where most were slow it takes an eighth to say so: a replica that has far more than it bears is as slow with half.
    """
    odds, before = look.bad / max(1, look.total - look.bad), began.bad / max(1, began.total - began.bad)
    return look.load <= float(began.load) / times and odds >= before / 2


def _is_at_most(world: World) -> bool:
    """All replicas that there may be are there."""
    stable = world.status.stable
    told = world.scalers.get(stable.revision) if stable else None
    home = world.workloads.get(stable.revision) if stable else None
    return told is not None and home is not None and home.ready >= told.bounds[1] > 0


def _no_more(world: World, known: Learned | None, look: Look) -> Learned:
    """The same target, or a first one; and what stands in the way."""
    if known and known.obstacle:
        return known
    began, told, cure = known.began if known else None, _said(world, look), "raise maxReplicas"
    if began and _is_no_faster(began, look, 2):
        told, cure = f"{told}, and {_share(began)} at {began.load}", f"{cure}, or {ELSEWHERE}"
    text = f"{told}, and there are as many replicas as there may be: {cure}"
    made = known or _changed(world, None, look.load * DOWN)
    return made.model_copy(update={"obstacle": Obstacle.NO_MORE, "since": spell(world.now), "message": text})


def _give_back(world: World, known: Learned, points: tuple[Seen, Look]) -> Learned:
    """Half the load was no faster: back to where the descent began."""
    began, look = points
    text = f"{_said(world, look)}, and {_share(began)} at {began.load}: more replicas do not help; {ELSEWHERE}"
    update = {"obstacle": Obstacle.MORE_DO_NOT_HELP, "message": text, "slow": None, "fast": None}
    return _changed(world, known, float(began.load)).model_copy(update=update)


def _raise(world: World, known: Learned, look: Look) -> Learned:
    """A little more for each replica, where the load was near the target and what was too much lies above."""
    if known.began or known.obstacle:
        known = _worded(known.model_copy(update={"began": None, "obstacle": None}))
    target, slow = float(known.per_replica), known.slow
    if slow and (float(slow.load) <= look.load or world.now - read(slow.at) > FORGOTTEN):
        slow = None
    ceiling = float(slow.load) * BELOW if slow else target * UP
    higher = min(target * UP, ceiling)
    early = world.now - read(known.since) < RISES
    if early or look.load < NEAR * target or higher < target * (1 + NEWS):
        return known
    made = _changed(world, known, higher).model_copy(update={"fast": _seen(world, look), "slow": slow})
    return _worded(made)


def _changed(world: World, known: Learned | None, target: float) -> Learned:
    wish, stable = wish_of(world), world.status.stable
    assert wish and stable
    at, text = spell(world.now), spelt(target)
    if known:
        return known.model_copy(update={"per_replica": text, "since": at})
    return Learned(objective=wish.title, revision=stable.revision, per_replica=text, since=at)


def _seen(world: World, look: Look) -> Seen:
    return Seen(load=spelt(look.load), bad=look.bad, total=look.total, at=spell(world.now))


def spelt(number: float) -> str:
    """A number above 0 with three digits that count, as a target is written; never 0."""
    rounded = max(0.001, float(f"{number:.3g}"))
    return f"{rounded:.3f}".rstrip("0").rstrip(".")


def _share(seen: Seen) -> str:
    return f"{seen.bad / max(1, seen.total):.2%} of {seen.total:,}"


def _said(world: World, look: Look) -> str:
    return f"{look.share:.2%} of {look.total:,} slow at {spelt(look.load)} requests/s for each replica"


def _worded(known: Learned) -> Learned:
    """The target and what it was learned from."""
    points = [f"{_share(each)} slow at {each.load}" for each in (known.fast, known.slow) if each]
    text = ": ".join([f"{known.per_replica} requests/s for each replica", *([", ".join(points)] if points else [])])
    return known.model_copy(update={"message": text})
