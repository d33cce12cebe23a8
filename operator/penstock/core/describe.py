"""What happens next, and when, in words for a person: from the status to come and what the turn waits for."""

from penstock.api.status import Next, Status, Trying
from penstock.core.moves import Turn, spoken
from penstock.core.strategy import step_after
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Verdict


def next_up(status: Status, turn: Turn) -> Next | None:
    """The next thing that will happen if nothing comes between; None where nothing will happen by itself.

    Says nothing that changes from look to look, so that it costs no write of its own.
    """
    if status.candidate:
        return _of_candidate(status, status.candidate, turn.waits)
    if turn.waits:
        begins = {
            Reason.FROZEN: "the rollout begins when the freeze ends",
            Reason.PAUSED: "the rollout begins when the pause ends",
        }
        return Next(what=begins.get(turn.waits.reason, "the rollout begins"), at=_time(turn.waits))
    if status.leaving:
        first = min(status.leaving, key=lambda gone: gone.after)
        return Next(what=f"the pods of {first.revision} go", at=first.after)
    return None


def _of_candidate(status: Status, candidate: Trying, waits: Verdict | None) -> Next:
    number = step_after(candidate)
    then = "becomes stable" if number is None else f"goes to {spoken(candidate.steps[number])}"
    who = f"version {candidate.version} {then}"
    if waits is None:
        return Next(what=who)
    what = f"{who} {WORDS.get(waits.reason, f'when {waits.reason} is mended')}"
    if candidate.deadline_at and status.stable and waits.reason not in TIMED:
        return Next(what=f"{what}; else it is taken off", at=candidate.deadline_at)
    return Next(what=what, at=_time(waits))


TIMED = (Reason.HOLDING_STEP, Reason.BAKING, Reason.BREACH_TOLERATED)
WORDS = {
    Reason.WAITING_FOR_PODS: "when its pods are ready",
    Reason.INSUFFICIENT_CAPACITY: "when there is room for its pods and they are ready",
    Reason.WAITING_FOR_ROUTE: "when the gateway has confirmed the route",
    Reason.SHARE_MISMATCH: "when its share of the requests is the one asked for",
    Reason.NOT_ENOUGH_EVIDENCE: "when there is enough evidence",
    Reason.METRICS_UNAVAILABLE: "when the metrics answer again",
    Reason.HOLDING_STEP: "if every metric passes",
    Reason.BAKING: "if no metric fails",
    Reason.FROZEN: "when the freeze ends",
    Reason.PAUSED: "when the pause ends",
    Reason.WAITING_FOR_APPROVAL: "when it is approved",
    Reason.APPROVAL_TIMED_OUT: "when it is approved after all",
    Reason.BREACH_TOLERATED: "although a metric fails",
}


def _time(waits: Verdict) -> str | None:
    return spell(waits.again) if waits.again else None
