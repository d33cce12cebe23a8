"""The route carries the step's share, and the gateway has said so at the route's present generation."""

from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Step, Verdict, World


def routed(world: World, step: Step) -> Verdict:
    """Read back from the route; without a gateway there is nothing to wait for."""
    assert world.status.candidate and world.spec
    if not world.spec.traffic:
        return Verdict(Outcome.PASS, Reason.WAITING_FOR_ROUTE, "no gateway")
    share = world.route.weights.get(world.status.candidate.revision, 0) if world.route else 0
    done = world.route is not None and world.route.programmed and share == step.weight
    trouble = world.route.message if world.route else ""
    message = trouble or f"the gateway has not confirmed {step.weight}% yet"
    return Verdict(Outcome.PASS if done else Outcome.WAIT, Reason.WAITING_FOR_ROUTE, message)
