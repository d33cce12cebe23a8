"""Whether requests arrive as the route says: the share that the candidate was seen to answer. Pure.

A gateway may say that it has taken a route and still send requests elsewhere. So in each step that gives a share the
requests of both revisions are counted, from the moment when the gateway confirmed it, by the servers' own counters. A
look rides with those of the metrics: it costs no query where they count the same series, and no write of its own.

    too few, or no counters ──► Unknown: nothing waits for it
    the wanted share lies in the interval, which is narrow ──► True
    the interval excludes it by more than TOLERANCE ──► False: the step waits, and counting begins anew

Anew, because what was counted while a gateway was stuck must not outweigh what it does once it is mended. False stays
until a later count holds the wanted share and rules out the one that was seen.
"""

from datetime import timedelta

from penstock.api.condition import ConditionStatus, SeenShare
from penstock.api.status import Serving, Status, Trying
from penstock.checks.observed import mismatch
from penstock.checks.routed import routed
from penstock.core.measures import requests
from penstock.core.moves import spoken
from penstock.core.strategy import present_step
from penstock.model.copying import replace
from penstock.model.measure import Arm, Counts, Question, Ratio
from penstock.model.reasons import Reason
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Outcome, World
from penstock.routing import router_of
from penstock.stats import interval

ALPHA = 0.01  # chance that a share which is right is ever found wrong in one count
TOLERANCE = 0.01  # a share that is off by less is right: gateways and counters round
NARROW = 0.1  # an interval that is wider confirms nothing
SETTLING = timedelta(seconds=2)  # proxies follow a little after their controller has said so
Fact = tuple[ConditionStatus, Reason, str]


def question(world: World) -> Question | None:
    """All requests of both revisions since the last look; None where nothing is counted now."""
    candidate, stable, source = world.status.candidate, world.status.stable, _source(world)
    seen = candidate.seen if candidate else None
    if not (candidate and stable and source and seen and seen.since and _is_routed(world)):
        return None
    mine, home = _counter(world, candidate), _counter(world, stable)
    start, end = read(seen.looked_at or seen.since), world.now - LAG
    if not mine or not home or start >= end:
        return None
    arms = Arm(candidate.revision, mine), Arm(stable.revision, home)
    return Question(source, world.namespace, *arms, start, end, read(seen.since))


def look(world: World, candidate: Trying) -> Trying:
    """The candidate with what this turn has counted."""
    if not candidate.seen or not candidate.seen.since or not isinstance(world.counted, Counts) or not world.route:
        return candidate
    seen = _added(candidate.seen, world.counted, spell(world.now - LAG))
    total = seen.candidate + seen.stable
    ends = interval.part(seen.candidate, seen.stable, (seen.candidate_edge, seen.stable_edge), ALPHA)
    verdict = _verdict(candidate, seen, (world.route.weights.get(candidate.revision, 0) / 100, *ends))
    stands = verdict is ConditionStatus.UNKNOWN and _is_wrong(seen)  # what was proven, until something else is
    if stands or not total:
        return candidate.model_copy(update={"seen": seen})
    told = f"{100 * ends[0]:.1f}% to {100 * ends[1]:.1f}% of {total:,} requests"
    kept = SeenShare(since=seen.looked_at) if verdict is ConditionStatus.FALSE else seen
    kept = kept.model_copy(update={"verified": verdict, "range": told})
    return candidate.model_copy(update={"seen": kept, "observed_share": f"{100 * seen.candidate / total:.1f}%"})


def _added(seen: SeenShare, answer: Counts, looked_at: str) -> SeenShare:
    mine, home = answer.candidate_total, answer.stable_total
    return seen.model_copy(
        update={
            "looked_at": looked_at,
            "candidate": seen.candidate + mine,
            "stable": seen.stable + home,
            "candidate_edge": max(seen.candidate_edge, mine),
            "stable_edge": max(seen.stable_edge, home),
        }
    )


def _verdict(candidate: Trying, seen: SeenShare, shares: tuple[float, float, float]) -> ConditionStatus:
    """From the wanted share and the interval. What was wrong is right once what was seen then is ruled out."""
    wanted, low, high = shares
    if wanted + TOLERANCE < low or wanted - TOLERANCE > high:
        return ConditionStatus.FALSE
    if _is_wrong(seen):
        clear = not low <= float((candidate.observed_share or "0%").rstrip("%")) / 100 <= high
    else:
        clear = high - low <= NARROW
    return ConditionStatus.TRUE if seen.candidate and clear else ConditionStatus.UNKNOWN


def _is_wrong(seen: SeenShare) -> bool:
    return seen.verified is ConditionStatus.FALSE


def follow(world: World) -> Trying:
    """Counting begins when the gateway confirms the step's share, and anew whenever it has not for a while."""
    candidate = world.status.candidate
    assert candidate
    seen = candidate.seen
    if _lacks(world) or not _is_routed(world):
        if seen and _is_wrong(seen):  # a flicker of the route's is no proof
            return candidate.model_copy(update={"seen": SeenShare(range=seen.range, verified=seen.verified)})
        return candidate.model_copy(update={"seen": None, "observed_share": None})
    if seen and seen.since:
        return candidate
    begun = (seen or SeenShare()).model_copy(update={"since": spell(world.now + SETTLING)})
    return candidate.model_copy(update={"seen": begun})


def fact(world: World, status: Status) -> Fact | None:
    """The condition TrafficVerified; None where no revision is tried beside another."""
    candidate = status.candidate
    if not (world.spec and status.stable and candidate):
        return None
    world, seen = replace(world, status=status), candidate.seen
    step = candidate.steps[candidate.step]
    if not step.weight:
        return ConditionStatus.UNKNOWN, Reason.NOT_A_SHARE, f"{spoken(step)}: no share of all requests"
    if not _is_routed(world):
        message = f"the gateway has not confirmed {step.weight}% yet"
        return ConditionStatus.UNKNOWN, Reason.WAITING_FOR_ROUTE, message
    lacks = _lacks(world)
    if lacks:
        return ConditionStatus.UNKNOWN, Reason.NO_COUNTERS, lacks
    seen = seen or SeenShare()
    if _is_wrong(seen):
        return ConditionStatus.FALSE, Reason.SHARE_MISMATCH, mismatch(world, step.weight, seen)
    told = f"asked {step.weight}%, seen {seen.range or 'no requests yet'}"
    good = seen.verified is ConditionStatus.TRUE
    return seen.verified, Reason.SHARE_SEEN if good else Reason.TOO_FEW_REQUESTS, told


def beside(status: Status) -> str | None:
    """The stable revision's part of what was counted: what the candidate's leaves."""
    mine = status.candidate.observed_share if status.candidate else None
    return f"{100 - float(mine.rstrip('%')):.1f}%" if mine else None


def _is_routed(world: World) -> bool:
    assert world.status.candidate
    return routed(world, present_step(world, world.status.candidate)).outcome is Outcome.PASS


def _lacks(world: World) -> str:
    """Why nothing can be counted in this step; empty where it can."""
    candidate, stable = world.status.candidate, world.status.stable
    if not (candidate and stable and candidate.steps[candidate.step].weight):
        return "no share is given"
    if candidate.sticky:
        return "the share is one of users, not of requests"
    if world.spec and not router_of(world.spec.traffic):
        return "without a gateway the share is one of connections, not of requests"
    if _source(world) is None:
        return "no metric of spec.analysis counts anything, so no source is known to have the servers' counters"
    without = [side.version for side in (stable, candidate) if _counter(world, side) is None]
    return f"the runtime of version {without[0]} names no counter of requests" if without else ""


def _source(world: World) -> str | None:
    """That of the first metric that reads counters; a value may come from a source that has none."""
    analysis = world.spec.analysis if world.spec else None
    found = (m.source or analysis.source for m in analysis.metrics if not m.value) if analysis else iter(())
    return next(found, None)


def _counter(world: World, side: Serving | Trying) -> Ratio | None:
    known = world.snapshots.get(side.revision)
    return requests(known.profile) if known else None
