"""The whole thought of a turn: the machine's move, what should exist, what may go, what to say, when to look again.

`decide` is what the loop calls and what a dry run calls; it never raises for anything that can be expected.
"""

from datetime import datetime, timedelta
from functools import partial

from penstock.api.fields import span
from penstock.api.status import Leaving, Serving, Status, Trying
from penstock.checks.ready import standing
from penstock.core import (
    access,
    adoption,
    cost,
    desired,
    drawing,
    evidence,
    payload,
    rotate,
    scaled,
    share,
    sizing,
    sleep,
    strategy,
    switch,
    theirs,
    traffic,
)
from penstock.core.conditions import Claim, conditions
from penstock.core.decide import advance, is_rejected
from penstock.core.describe import TIMED, next_up
from penstock.core.moves import Turn, spoken
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model import names
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.schedule import read
from penstock.model.values import Manifest, Plan, Problem, Snapshot, Workload, World
from penstock.routing import router_of
from penstock.scaling import KINDS as SCALED_BY

UNHEARD = timedelta(seconds=5)
HISTORY = 10  # ControllerRevisions kept beyond those in use


def decide(world: World) -> Plan:
    """From what is to what follows."""
    world = drawing.seen(payload.seen(access.seen(sizing.seen(world))))
    turn = adoption.dismiss(world, advance(world))
    status = _seen(world, turn.status)
    world = replace(world, door=replace(world.door, fronts=sleep.fronted(status)))
    claim = _claim(world, turn, status)
    status = status.model_copy(
        update={
            "observed_generation": world.generation,
            "conditions": conditions(world, world.status, sizing.told(claim, world, status)),
            "next": next_up(status, turn) or sleep.next_up(world, status),
        }
    )
    if not world.spec:
        return Plan(status)
    apex = rotate.turnout(world, status) if status.stable or status.candidate else rotate.Turnout("")
    children = _children(world, status, apex.selects)
    prune = world.owned - {(c["kind"], c["metadata"]["name"]) for c in children} - _kept(world, status)
    prune = (prune - access.kept(world)) | adoption.spent(world, status)
    back = theirs.told(theirs.set_back(world, status), status.stable.revision if status.stable else "")
    notices, again = (*turn.notices, *back), _again(world, turn, status)
    return Plan(status, tuple(children), apex.labels, frozenset(prune), notices, again, turn.looked)


def _seen(world: World, status: Status) -> Status:
    """Fill in what is read back: weights, replicas, address; and forget the leaving that are gone."""
    update: dict[str, object] = {
        "replicas": sum(w.ready for w in world.workloads.values()),
        "url": _url(world),
        "scaling": scaled.scaled(world, status),
        "sleep": sleep.follow(world, status),
        "cost": cost.spent(world, status),
        "leaving": [g for g in status.leaving if not _is_over(world, g)],
    }
    if status.stable:
        beside = {"observed_share": share.beside(status)}
        update["stable"] = status.stable.model_copy(update=_reached(world, status.stable) | beside)
    if status.candidate:
        update["candidate"] = status.candidate.model_copy(update=_reached(world, status.candidate))
    return status.model_copy(update=update)


def _is_over(world: World, gone: Leaving) -> bool:
    if gone.given:
        return gone.revision not in world.given.deployments
    return traffic.is_gone(world, gone.revision, gone.after) and ("Deployment", gone.revision) not in world.owned


def _reached(world: World, side: Serving | Trying) -> dict[str, object]:
    return {"weight": _weight(world, side), "url": names.address(side.revision, world.namespace)}


def _weight(world: World, side: Serving | Trying) -> int:
    if world.route and world.route.programmed:
        return world.route.weights.get(side.revision, 0)
    return side.weight


def _url(world: World) -> str:
    if not world.spec:
        return world.status.url
    traffic = world.spec.traffic
    if not traffic.gateway and not traffic.istio:
        return f"http://{world.name}.{world.namespace}.svc"
    host = next(iter(traffic.hostnames), f"<gateway {traffic.gateway.name if traffic.gateway else ''}>")
    if traffic.speaks_grpc:
        return f"grpc://{host}"
    scheme = "https" if traffic.policy and traffic.policy.tls else "http"
    return f"{scheme}://{host}{traffic.path}"


def _claim(world: World, turn: Turn, status: Status) -> Claim:
    outage = _outage(world, status)
    old = adoption.answering(world, status) or sleep.answering(world)
    say = partial(
        Claim, available=not outage or bool(old), outage=outage, answers=old, traffic=share.fact(world, status)
    )
    for problem in (world.problem, world.fault):
        if problem:
            return say(ready=False, stalled=True, reason=problem.reason, message=problem.message)
    if status.candidate:
        reason, message = _progress(turn, status)
        return say(ready=False, stalled=turn.overdue, reason=reason, message=message)
    assert world.spec and status.stable
    if turn.waits:  # wanted, and not begun
        message = f"version {world.spec.model.version} is not begun: {turn.waits.message}"
        return say(ready=False, stalled=turn.overdue, reason=turn.waits.reason, message=message)
    if is_rejected(status, wanted_revision(world)) and status.stable.revision != wanted_revision(world):
        return say(ready=False, stalled=True, reason=Reason.ROLLED_BACK, message=_why_rejected(world, status))
    missing = _missing(world, status.stable, outage)
    if missing:
        stalled = missing.reason is Reason.CONFLICT
        return say(ready=False, stalled=stalled, reason=missing.reason, message=missing.message)
    asleep = sleep.spoken(status)
    message = asleep or f"version {status.stable.version} serves"
    return say(ready=True, stalled=False, reason=Reason.ASLEEP if asleep else Reason.SETTLED, message=message)


def _missing(world: World, stable: Serving, outage: str) -> Problem | None:
    """What the wanted, stable revision still lacks."""
    home = world.workloads.get(stable.revision, Workload())
    if against := _against(world, outage):
        return against
    if home.ready < home.desired:
        said = f": {home.trouble}" if home.trouble else ""
        return Problem(Reason.WAITING_FOR_PODS, f"{standing(home, home.desired)}{said}")
    if stable.weight < 100 or _may_be_shared(world, stable):
        return Problem(Reason.WAITING_FOR_ROUTE, "the gateway has not confirmed 100% for the stable revision yet")
    return adoption.releasing(world)


def _against(world: World, outage: str) -> Problem | None:
    """What is wrong outside of it: at the gateway, with its pods, or by somebody who wants otherwise."""
    if lack := access.lacking(world):
        return lack
    if outage:
        return Problem(Reason.UNAVAILABLE, outage)
    return Problem(Reason.CONFLICT, world.rival) if world.rival else theirs.set_back(world, world.status)


def _may_be_shared(world: World, stable: Serving) -> bool:
    """The gateway has yet to take a route that names others too: it may be on its way to an older one, with shares."""
    seen = world.route
    return seen is not None and not seen.programmed and bool(set(seen.weights) - {stable.revision})


def _outage(world: World, status: Status) -> str:
    """Why nobody is answered; empty while the stable revision can answer. A gateway still at work is no outage."""
    if not status.stable:
        return "no revision has been ready yet"
    home = world.workloads.get(status.stable.revision, Workload())
    if not home.ready and not (status.stable.revision == world.door.fronts and world.door.up):
        lacks = "an endpoint of its Service" if home.pods else "ready"
        return f"no pod of version {status.stable.version} is {lacks}" + (f": {home.trouble}" if home.trouble else "")
    if world.route:
        return world.route.message
    router = router_of(world.spec.traffic) if world.spec else None
    return f"the {router.kind if router else 'Service'} is not there yet"


def _progress(turn: Turn, status: Status) -> tuple[Reason, str]:
    candidate = status.candidate
    assert candidate
    step = spoken(candidate.steps[candidate.step])
    where = f"version {candidate.version}, step {candidate.step + 1} of {len(candidate.steps)}, {step}"
    if turn.waits is None:
        return Reason.ROLLOUT_STARTED, f"{where}, begins"
    counts = status.stable and candidate.deadline_at and turn.waits.reason not in TIMED
    until = f"; given up at {str(candidate.deadline_at)[:19]}Z" if counts else ""
    return turn.waits.reason, f"{where}: {turn.waits.message}{until}"


def _why_rejected(world: World, status: Status) -> str:
    wanted = wanted_revision(world)
    found = next((r for r in status.rejected if r.revision == wanted), None)
    assert status.stable
    why = f"{found.reason}: {found.message}" if found else "it was rejected before"
    refused = found.version if found else wanted
    serves = f"version {refused} was taken off, version {status.stable.version} serves"
    return f"{serves}. {why}. Change the spec to try again, or annotate penstock.dev/retry={wanted}."


def _children(world: World, status: Status, selects: str) -> list[Manifest]:
    made: list[Manifest] = []
    for revision, floor in _sizes(world, status).items():
        snapshot = _snapshot(world, revision)
        if snapshot:
            least = 0 if sleep.is_down(world, status, revision) else scaled.floor(world, revision, floor)
            afforded, least = cost.afforded(world, snapshot, least)
            made += desired.make_revision(afforded, revision, snapshot, least)
    made += sleep.make(world, status)
    if not (status.stable or status.candidate):
        return made
    front, behind = traffic.front(world, status), traffic.preview(world, status)
    known = _snapshot(world, selects or front)
    if known:
        shared = adoption.untaken(world, front, desired.make_shared(world, selects, known))
        made += [each for each in shared if not (each["kind"] == "Service" and _points_well(world, front))]
        made += access.guard(world, desired.make_preview(world, behind, known))
    made += access.make(world)
    shares = traffic.shares(world, status)
    routes = payload.log(world, desired.make_route(world, shares))  # first: nothing waits longer
    routes = sleep.patient(world, [*routes, *desired.make_named(world, traffic.named(world, status))])
    made += access.guard(world, routes)
    return made + switch.former(world, shares)


def _points_well(world: World, front: str) -> bool:
    """The Service that exists stays as it is while who it should lead to cannot answer: who it leads to may."""
    if front == world.door.fronts:
        return False
    return ("Service", world.name) in world.owned and not world.workloads.get(front, Workload()).ready


def _snapshot(world: World, revision: str) -> Snapshot | None:
    """The stored snapshot; rendered anew only for the revision that the spec asks for and that has none yet."""
    if revision in world.snapshots:
        return world.snapshots[revision]
    if world.spec and world.runtime and revision == wanted_revision(world):
        made = make_snapshot(world)
        return None if isinstance(made, Problem) else made
    return None


def _sizes(world: World, status: Status) -> dict[str, int]:
    """Fewest replicas of each revision that is in use; what leaves keeps its size until it goes."""
    assert world.spec
    made: dict[str, int] = {}
    candidate = status.candidate
    tried = strategy.present_step(world, candidate).replicas if candidate else 0
    if status.stable:  # first, so that what makes room does so before the room is needed
        full = strategy.full_size(world, candidate.stable_replicas if candidate else 0)
        kept = _yielded(world, status, (full, tried)) if candidate and candidate.replaces else full
        made[status.stable.revision] = kept
        tried = min(tried, max(1, full - kept)) if candidate and candidate.replaces else tried
    if candidate:
        made[candidate.revision] = tried
    for gone in (each for each in status.leaving if not each.given):
        if not traffic.is_gone(world, gone.revision, gone.after) and _is_there(world, gone.revision):
            made[gone.revision] = _leaving_size(world, status, gone)
    return made


def _yielded(world: World, status: Status, sizes: tuple[int, int]) -> int:
    """Pods that the stable revision keeps where it makes room: one while it has traffic, unless there is only one."""
    assert status.stable
    full, tried = sizes
    return max(full - tried, 1 if _is_reached(world, status, status.stable.revision) and full > 1 else 0)


def _is_reached(world: World, status: Status, revision: str) -> bool:
    """Whether it may be sent requests: by the route as it stands, as it was before that is confirmed, or is to be."""
    seen = world.route
    stands = seen is not None and (seen.reaches(revision) or (revision in seen.weights and not seen.programmed))
    return stands or traffic.weights(world, status).get(revision, 0) > 0


def _is_there(world: World, revision: str) -> bool:
    return ("Deployment", revision) in world.owned or (world.route is not None and revision in world.route.weights)


def _leaving_size(world: World, status: Status, gone: Leaving) -> int:
    """It keeps its size; one that made the stable revision's pods go gives its own back, one for each that comes."""
    assert world.spec
    now = world.workloads.get(gone.revision)  # none: somebody removed it
    if not gone.replaced or not status.stable:
        return (now.desired if now else 0) or 1
    home, full = world.workloads.get(status.stable.revision, Workload()).ready, strategy.full_size(world, 0)
    last = 1 if _is_reached(world, status, gone.revision) and full > 1 else 0
    return max(last, min(now.desired if now else full, full - home - 1))


def _kept(world: World, status: Status) -> frozenset[tuple[str, str]]:
    """What stays though it is not rendered: what all share, what the route names or lost its record, late records."""
    in_use = {side.revision for side in (status.stable, status.candidate) if side}
    spared = in_use - set(world.snapshots) | set(world.route.weights if world.route else ()) | world.named_elsewhere
    bare = {(kind, name) for kind, name in world.owned if desired.revision_of(world.name, kind, name) in spared}
    bare -= {(kind, name) for kind, name in bare if kind in SCALED_BY}
    bare |= {(kind, world.name) for kind in ("Service", "PodDisruptionBudget")}
    bare |= {("Service", names.preview(world.name))} if world.spec and world.spec.rollout.blue_green else set()
    never = in_use | {r.revision for r in status.rejected}  # no way back to those
    old = sorted((s.number, name) for name, s in world.snapshots.items() if name not in never)
    bare |= switch.standing(world)
    return frozenset(bare) | frozenset(("ControllerRevision", name) for _, name in old[-HISTORY:])


def _again(world: World, turn: Turn, status: Status) -> datetime | None:
    candidate = status.candidate
    after = [read(g.after) for g in status.leaving if read(g.after) > world.now]
    waits = turn.waits.again if turn.waits else None
    again = _earliest(waits, adoption.again(world), world.settles_at, sizing.again(world, status))
    if not candidate:
        return _earliest(again, *after)
    moved = world.now if turn.notices or candidate.shifted_at != _shifted(world.status) else None
    deadline = read(candidate.deadline_at) if candidate.deadline_at else None
    future = deadline if deadline and deadline > world.now else None
    return _earliest(moved, again, future, _unheard(world, turn), _next_look(world, status), *after)


def _unheard(world: World, turn: Turn) -> datetime | None:
    """A route that was made in this turn may stay unanswered, and then no event brings the turn that says so."""
    waits = turn.waits is not None and turn.waits.reason is Reason.WAITING_FOR_ROUTE
    return world.now + UNHEARD if waits and not (world.route and world.route.message) else None


def _earliest(*times: datetime | None) -> datetime | None:
    return min((t for t in times if t), default=None)


def _shifted(status: Status) -> str | None:
    return status.candidate.shifted_at if status.candidate else None


def _next_look(world: World, status: Status) -> datetime | None:
    """The next window; a source that was silent just now is asked again an interval from now, not at once."""
    look = evidence.next_look(replace(world, status=status))
    if look is None or not world.spec or not world.spec.analysis:
        return None
    return look if look > world.now else world.now + span(world.spec.analysis.interval)
