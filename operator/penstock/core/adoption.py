"""What was there before: taken over without its ready pods ever falling, and what is left behind when we go.

Consent is by label, `penstock.dev/name: <name>`, on an object without a controller: who may set that may edit the
object, so that nobody can make the operator seize what is not theirs. Two things may be found so.

    written by Penstock    an orphan of a former ModelDeployment (or the status was lost): ours at once, and what the
                           route gives most is the stable revision, from which the machine goes on
    written by others      given: the Service and the route are taken over when the revision in front of them can
                           carry all; a Deployment serves on until that was seen, then leaves and is deleted

Nothing here writes: what has moved is read back before anything old may go.
"""

from datetime import datetime, timedelta

from penstock.api.fields import span
from penstock.api.spec import DeletionPolicy
from penstock.api.status import Leaving, Serving, Status
from penstock.core import moves, strategy
from penstock.core.moves import Turn
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Manifest, Notice, Problem, Workload, World

RIVAL = timedelta(seconds=60)  # how often a conflict that no watch can end is looked at
RELEASE = timedelta(seconds=1)


def recognise(world: World) -> Turn:
    """Where nothing is remembered and something of ours serves: the revision with most of the traffic is stable."""
    status = world.status
    home = None if status.stable or status.candidate else _serving(world)
    if not home:
        return Turn(status)
    assert world.route
    version, weight = world.snapshots[home].version, world.route.weights[home]
    status = status.model_copy(update={"stable": Serving(revision=home, version=version, weight=weight)})
    for other in sorted(name for kind, name in world.owned if kind == "Deployment" and name != home):
        status = moves.leave(world, status, (other, False))
    text = f"version {version} served already: it is stable, and its pods go on"
    return Turn(status, (Notice(False, Reason.ADOPTED, text, home),))


def _serving(world: World) -> str | None:
    """The kept revision with most of the traffic."""
    weights = world.route.weights if world.route else {}
    there = {n: w for n, w in weights.items() if w and n in world.snapshots and ("Deployment", n) in world.owned}
    return max(there, key=lambda name: there[name]) if there else None


def untaken(world: World, front: str, shared: list[Manifest]) -> list[Manifest]:
    """Without the Service that somebody gave, until the revision that it would lead to can carry what it carries."""
    apex = ("Service", world.name)
    ready = world.workloads.get(front, Workload()).ready
    if apex not in world.given.objects or ready >= strategy.full_size(world, 0):
        return shared
    return [each for each in shared if (each["kind"], each["metadata"]["name"]) != apex]


def dismiss(world: World, turn: Turn) -> Turn:
    """The turn in which the given Deployments begin to leave, because all traffic was seen to be elsewhere."""
    leaving = [gone.revision for gone in turn.status.leaving]
    new = sorted(set(world.given.deployments) - set(leaving)) if has_moved(world, turn.status) else []
    if not new or not world.spec:
        return turn
    assert turn.status.stable
    after = spell(world.now + span(world.spec.rollout.scale_down_delay))
    gone = [Leaving(revision=name, since=spell(world.now), after=after, given=True) for name in new]
    status = turn.status.model_copy(update={"leaving": [*turn.status.leaving, *gone][-32:]})  # the CRD's bound
    stable = turn.status.stable
    text = f"version {stable.version} serves in place of {_listed(new)}: deleted after {after[:19]}Z"
    notice = Notice(False, Reason.ADOPTED, text, stable.revision)
    return replace(turn, status=status, notices=(*turn.notices, notice))


def has_moved(world: World, status: Status) -> bool:
    """Whether all that clients can reach by name leads to revisions: seen, not sent."""
    apex = ("Service", world.name) in world.owned
    routed = world.route is not None and world.route.programmed and bool(world.route.weights)
    return status.stable is not None and apex and routed


def spent(world: World, status: Status) -> frozenset[tuple[str, str]]:
    """Given Deployments whose time is up, and the autoscalers that were given with them."""
    if not has_moved(world, status):
        return frozenset()
    gone = {g.revision for g in status.leaving if g.given and read(g.after) <= world.now}
    gone &= set(world.given.deployments)
    scalers = {name for name, target in world.given.scalers.items() if target in gone}
    kinds = {("Deployment", name) for name in gone} | {("HorizontalPodAutoscaler", name) for name in scalers}
    return frozenset(kinds)


def answering(world: World, status: Status) -> str:
    """Who answers while no revision has been ready yet, in words; empty where nobody is known to."""
    if status.stable or not world.given.answering:
        return ""
    return f"Deployment {world.given.answering} answers until the first revision is ready and takes its place"


def releasing(world: World) -> Problem | None:
    """Something would still go with the ModelDeployment although the spec wants it to stay."""
    if not world.tied or not world.spec or world.spec.deletion_policy is not DeletionPolicy.ORPHAN:
        return None
    message = "deletionPolicy: Orphan is not in effect yet: some objects would still go with the ModelDeployment"
    return Problem(Reason.RELEASING, message)


def again(world: World) -> datetime | None:
    """When to look again at what no watch tells."""
    if releasing(world):
        return world.now + RELEASE
    return world.now + RIVAL if world.rival else None


def _listed(names: list[str]) -> str:
    return f"Deployment{'s' if len(names) > 1 else ''} {', '.join(names)}"
