"""Neither a person nor the calendar holds the rollout: only a step forward asks this, never a return."""

from penstock.model.calendar import frozen_until
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Outcome, Step, Verdict, World


def free(world: World, step: Step) -> Verdict:
    """The same for every step."""
    return holding(world)


def holding(world: World) -> Verdict:
    """A pause counts before the calendar, since only a person can end it."""
    assert world.spec
    if world.annotations.get("pause") == "true":
        who = next((f" by {a.by}" for a in world.status.acted if a.action == "pause" and a.by), "")
        message = f"paused{who}; remove the annotation penstock.dev/pause to go on"
        return Verdict(Outcome.WAIT, Reason.PAUSED, message)
    until = frozen_until(world.spec.rollout.freeze, world.now)
    if until:
        return Verdict(Outcome.WAIT, Reason.FROZEN, f"frozen by rollout.freeze until {spell(until)[:19]}Z", until)
    return Verdict(Outcome.PASS, Reason.STEP_ENTERED, "nothing holds it")
