"""Status and observation -> the weights that the route should carry. Keyed by revision, never by role."""

from penstock.api.status import Status
from penstock.core.strategy import compile_steps
from penstock.model.schedule import read
from penstock.model.values import Workload, World


def weights(world: World, status: Status) -> dict[str, int]:
    """Weights by revision, in a stable order; they sum to 100, or there are none because nothing can answer yet."""
    wanted = _wanted(world, status)
    if not status.stable or _ready(world, status.stable.revision) or not world.route:
        return wanted
    # Never flee to an unready home: while no stable pod can answer, what stands in the route stays.
    standing = {name: world.route.weights.get(name, 0) for name in wanted}
    flees = standing.get(status.stable.revision, 0) < wanted[status.stable.revision]
    return standing if flees and sum(standing.values()) == 100 else wanted


def _wanted(world: World, status: Status) -> dict[str, int]:
    share = exposure(world, status)
    if not status.stable:
        return _first(world, status, share)
    made = {status.stable.revision: 100 - share}
    if status.candidate:
        made[status.candidate.revision] = share
    made |= {gone.revision: 0 for gone in status.leaving if not _may_unlist(world, gone.revision, gone.after)}
    return dict(sorted(made.items()))  # by name, so that a promotion reorders nothing


def _first(world: World, status: Status, share: int) -> dict[str, int]:
    """The first revision gets a route when it is ready, and keeps it when its pods die: there is no other home."""
    name = status.candidate.revision if status.candidate else ""
    listed = world.route is not None and world.route.weights.get(name) == 100
    return {name: 100} if share or listed else {}


def exposure(world: World, status: Status) -> int:
    """Percent of the traffic that the candidate should get now: never ahead of its pods, none while none is ready."""
    candidate = status.candidate
    if not candidate or not _ready(world, candidate.revision):
        return 0
    steps = compile_steps(world, candidate)
    step = steps[candidate.step]
    if candidate.shifted_at or _ready(world, candidate.revision) >= step.replicas:
        return step.weight
    return steps[candidate.step - 1].weight if candidate.step else 0


def _ready(world: World, revision: str) -> int:
    return world.workloads.get(revision, Workload()).ready


def _may_unlist(world: World, revision: str, after: str) -> bool:
    """A leaving revision stays in the route at weight 0 until its time is up and the gateway has confirmed the 0."""
    if world.now < read(after):
        return False
    if not world.route or revision not in world.route.weights:
        return True
    return world.route.programmed and world.route.weights[revision] == 0


def is_gone(world: World, revision: str, after: str) -> bool:
    """Nothing can reach the revision any more, so its pods may go."""
    if world.now < read(after):
        return False
    seen = world.route
    return not seen or (seen.programmed and revision not in seen.weights)
