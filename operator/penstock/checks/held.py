"""The step's share has been routed for the step's duration."""

from datetime import timedelta

from penstock.api.status import StepKind
from penstock.checks.routed import spoken
from penstock.model.reasons import Reason
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Outcome, Step, Verdict, World


def held(world: World, step: Step) -> Verdict:
    """Counts from the stored time at which the share was seen; a clock that jumps back only waits longer."""
    assert world.status.candidate
    shifted = world.status.candidate.shifted_at
    if not shifted:
        return Verdict(Outcome.WAIT, Reason.WAITING_FOR_ROUTE, "the share has not been seen yet")
    until = read(shifted) + timedelta(seconds=step.seconds)
    outcome = Outcome.PASS if world.now >= until else Outcome.WAIT
    reason = Reason.BAKING if step.kind is StepKind.BAKE else Reason.HOLDING_STEP
    return Verdict(outcome, reason, f"{spoken(step)} until {spell(until)[:19]}Z", until + LAG)
