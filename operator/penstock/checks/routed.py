"""The route gives the candidate what the step says, and the gateway has said so at the route's present generation."""

from penstock.api.status import StepKind
from penstock.model.reasons import Reason
from penstock.model.values import Outcome, RouteSeen, Step, Verdict, World


def routed(world: World, step: Step) -> Verdict:
    """Read back from the route: share, cohort, copies, if users keep theirs; a plain Service's pods are its weights."""
    assert world.status.candidate and world.spec
    name, seen = world.status.candidate.revision, world.route or RouteSeen({}, programmed=False)
    as_planned = seen.weights.get(name, 0) == step.weight
    as_planned &= (seen.cohort == name) == bool(step.match)
    as_planned &= seen.mirror == ((name, step.mirror) if step.mirror else None)
    keeps = world.status.candidate.sticky is not None and 0 < step.weight < 100
    as_planned &= (seen.sticky is not None and seen.sticky.revision == name) == keeps
    outcome = Outcome.PASS if seen.programmed and as_planned else Outcome.WAIT
    by = (
        "the gateway has not confirmed"
        if world.spec.traffic.router != "service"
        else "the pods in rotation do not give it"
    )
    message = seen.message or f"{by} {spoken(step)} yet"
    return Verdict(outcome, Reason.WAITING_FOR_ROUTE, message)


def spoken(step: Step) -> str:
    """What the step gives its candidate, in words."""
    if step.mirror:
        return f"copies of {step.mirror}%"
    if step.match:
        return "the cohort"
    return "the preview" if step.kind is StepKind.PREVIEW else f"{step.weight}%"
