"""Somebody else's route in which we set backends, where somebody sets them back.

It is set again as any drift is. But here somebody has a reason, most often a GitOps tool that knows another truth, so
it is told too.
"""

from penstock.api.status import Status
from penstock.model.reasons import Reason
from penstock.model.values import Notice, Problem, World
from penstock.routing import place_of, router_of


def set_back(world: World, status: Status) -> Problem | None:
    """Only where all was settled is it sure that it was not us: everything went to the stable revision."""
    router = router_of(world.spec.traffic) if world.spec else None
    home, known = status.stable, world.status.stable
    if not router or not router.grafted or not world.route or not world.spec or not home or known != home:
        return None
    edited = world.generation != world.status.observed_generation
    if edited or status.candidate or world.status.candidate or home.weight < 100:
        return None
    if all(weights.get(home.revision) == 100 for weights in world.route.rules.values()):
        return None
    kind, name = place_of(world.spec.traffic, world.name) or ("", "")
    fix = "where GitOps keeps it, let that ignore them (in Argo CD: ignoreDifferences)"
    return Problem(Reason.SET_BACK, f"somebody changed the backends in {kind} {name}; they are set again: {fix}")


def told(problem: Problem | None, revision: str) -> tuple[Notice, ...]:
    """What people are told of it."""
    return (Notice(True, problem.reason, problem.message, revision),) if problem else ()
