"""Status and observation -> the traffic that the route should carry. Keyed by revision, never by role."""

from penstock.api.fields import span
from penstock.api.status import Leaving, Status, StepKind
from penstock.core import drawing
from penstock.core.strategy import full_size, present_step
from penstock.model.schedule import read
from penstock.model.values import Cohort, Shares, Step, Sticky, Workload, World


def shares(world: World, status: Status) -> Shares:
    """Who should get which requests; the weights sum to 100, or there are none because nothing can answer yet."""
    made, step = weights(world, status), _present(world, status)
    drawn = drawing.draw(world, status, made)
    if not step or not status.candidate or not _arrived(world, status, step):
        return Shares(made, _parked(world, status, drawn), sticky=drawn)
    name = status.candidate.revision
    cohort = Cohort(name, step.match) if step.match else _parked(world, status, drawn)
    return Shares(made, cohort, (name, step.mirror) if step.mirror else None, drawn)


def _parked(world: World, status: Status, drawn: Sticky | None) -> Cohort | None:
    """A place for a cohort before its step and after it: whoever belongs to a rule as it comes or goes may be refused.

    It goes when the gateway has taken it that nobody belongs to it, and nobody is drawn: the draw comes after it in
    the route, and would have another place.
    """
    planned = status.candidate is not None and any(step.match for step in status.candidate.steps)
    seen = world.route
    stands = seen is not None and (bool(seen.cohort) or (seen.parked and (not seen.programmed or bool(drawn))))
    return Cohort() if planned or stands else None


def _present(world: World, status: Status) -> Step | None:
    return present_step(world, status.candidate) if status.candidate else None


def _arrived(world: World, status: Status, step: Step) -> bool:
    """The candidate has the pods that the step needs, or had them and still has some."""
    assert status.candidate
    ready = ready_pods(world, status.candidate.revision)
    # Where stable pods make room, the last of them goes only after its traffic: all but one pod must do until then.
    enough = max(1, step.replicas - 1) if status.candidate.replaces and step.weight == 100 else step.replicas
    return ready >= enough or (ready > 0 and status.candidate.shifted_at is not None)


def weights(world: World, status: Status) -> dict[str, int]:
    """Weights by revision, in a stable order; they sum to 100, or there are none because nothing can answer yet."""
    wanted = _wanted(world, status)
    if not status.stable or not world.route:
        return wanted
    home = status.stable.revision
    # Never flee to an unready home: while no stable pod can answer, what stands in the route stays, even where somebody
    # has removed the Service behind it: that is made anew.
    others = {side.revision for side in (status.candidate, *status.leaving) if side}
    standing = {name: world.route.weights.get(name, 0) for name in sorted({*wanted} | others & {*world.route.weights})}
    rises = standing.get(home, 0) < wanted.get(home, 0)
    if not rises or sum(standing.values()) != 100:
        return wanted
    can = _can_carry(world, status)
    if can >= wanted[home]:
        return wanted
    made = _stretched(world, (home, max(can, standing[home])), standing)
    return {name: weight for name, weight in made.items() if weight or name in wanted}


def _can_carry(world: World, status: Status) -> int:
    """Percent that the stable revision's ready pods can carry: one pod is trusted with all of it.

    Unless it gave its pods away for the candidate's (capacityPolicy Replace): then traffic returns as they do.
    """
    assert world.spec and status.stable
    ready = ready_pods(world, status.stable.revision)
    gave = any(gone.replaced for gone in status.leaving) and not status.candidate
    if not gave or not ready:
        return 100 if ready else 0
    late = min(read(gone.since) for gone in status.leaving if gone.replaced) + span(world.spec.rollout.deadline)
    return 100 if world.now >= late else min(100, 100 * ready // full_size(world, 0))


def _stretched(world: World, home: tuple[str, int], standing: dict[str, int]) -> dict[str, int]:
    """The home gets what it can carry; the rest stays with whoever has it and can answer."""
    name, can = home
    others = {n: w for n, w in standing.items() if n != name and w and ready_pods(world, n)}
    if not others:
        return standing if not ready_pods(world, name) else {n: 100 if n == name else 0 for n in standing}
    keeper = max(others, key=lambda n: others[n])
    return {n: can if n == name else 100 - can if n == keeper else 0 for n in standing}


def _wanted(world: World, status: Status) -> dict[str, int]:
    given = exposure(world, status)
    if not status.stable:
        return _first(world, status, given)
    made = {status.stable.revision: 100 - given}
    if status.candidate:
        made[status.candidate.revision] = given
    made |= {gone.revision: 0 for gone in status.leaving if not _may_unlist(world, gone)}
    there = {name: weight for name, weight in made.items() if weight or _is_listable(world, status, (name, made))}
    return dict(sorted(there.items()))  # by name, so that a promotion reorders nothing


def _is_listable(world: World, status: Status, what: tuple[str, dict[str, int]]) -> bool:
    """At weight 0 only what exists, else a gateway refuses the route.

    The candidate, which is about to be made, is listed where no traffic moves: a route that must wait for its backend
    could not take traffic off at once.
    """
    name, made = what
    if ("Service", name) in world.owned:
        return True
    seen = world.route
    moves = seen is None or any(seen.weights.get(n, 0) != weight for n, weight in made.items())
    moves |= seen is not None and bool(seen.cohort or seen.mirror)
    return status.candidate is not None and name == status.candidate.revision and not moves


def _first(world: World, status: Status, given: int) -> dict[str, int]:
    """The first revision gets a route when it is ready, and keeps it when its pods die: there is no other home."""
    name = status.candidate.revision if status.candidate else ""
    listed = world.route is not None and world.route.weights.get(name) == 100
    return {name: 100} if given or listed else {}


def exposure(world: World, status: Status) -> int:
    """Percent of the traffic that the candidate should get now: never ahead of its pods, none while none is ready."""
    candidate = status.candidate
    if not candidate or not ready_pods(world, candidate.revision):
        return 0
    step = present_step(world, candidate)
    if step.weight not in (0, 100) and not drawing.is_laid(world, candidate):
        return min(world.route.weights.get(candidate.revision, 0), step.weight) if world.route else 0
    if _arrived(world, status, step):
        return step.weight
    return min(candidate.weight, step.weight)  # what it has been seen to have


def front(world: World, status: Status) -> str:
    """The revision that answers under the ModelDeployment's own name: the one with most of the traffic."""
    made = weights(world, status)
    home = status.stable or status.candidate
    assert home
    return max(made, key=lambda n: (made[n], n == home.revision)) if made else home.revision


def preview(world: World, status: Status) -> str:
    """The revision that answers under the preview address: the candidate before its switch, else the stable one."""
    step = _present(world, status)
    if status.candidate and step and (step.kind is StepKind.PREVIEW or not status.stable):
        return status.candidate.revision
    return front(world, status)


def named(world: World, status: Status) -> dict[str, tuple[str, ...]]:
    """By revision, the words that a request may pick it with; a candidate without a ready pod is none to pick."""
    made: dict[str, tuple[str, ...]] = {}
    if status.stable:
        made[status.stable.revision] = ("stable", status.stable.revision)
    if status.candidate and ready_pods(world, status.candidate.revision):
        made[status.candidate.revision] = ("candidate", status.candidate.revision)
    return made


def ready_pods(world: World, revision: str) -> int:
    """Pods of a revision that can answer."""
    return world.workloads.get(revision, Workload()).ready


def _may_unlist(world: World, gone: Leaving) -> bool:
    """A leaving revision stays in the route at weight 0 until its time is up and the gateway has confirmed the 0."""
    if gone.given:  # was never in it
        return True
    if not world.route or gone.revision not in world.route.weights:
        return True  # nor is it listed again where a clock went back
    if world.now < read(gone.after):
        return False
    return world.route.programmed and not world.route.reaches(gone.revision)


def is_gone(world: World, revision: str, after: str) -> bool:
    """Nothing can reach the revision any more, so its pods may go."""
    if world.now < read(after) or revision in world.named_elsewhere:
        return False
    seen = world.route
    return not seen or (seen.programmed and revision not in seen.weights and not seen.reaches(revision))
