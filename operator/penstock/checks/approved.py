"""Enough different people of the right groups have agreed to the step, or the request has timed out."""

from datetime import datetime

from penstock.api.fields import span
from penstock.api.status import Approved, PlannedApproval, Trying
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Outcome, Step, Verdict, World

TIMED_OUT = {"Abort": Outcome.FAIL, "Promote": Outcome.PASS}


def approved(world: World, step: Step) -> Verdict:
    """Asked once all else has passed; an earlier agreement to this very step counts."""
    asked, candidate = step.approval, world.status.candidate
    assert candidate
    if not asked:
        return Verdict(Outcome.PASS, Reason.APPROVED, "nobody is asked")
    agreed = sorted({a.by for a in candidate.approvals if _counts(a, candidate.step, asked)})
    if len(agreed) >= asked.min_approvals:
        return Verdict(Outcome.PASS, Reason.APPROVED, f"approved by {', '.join(agreed)}")
    until = _until(asked, candidate)
    if until and world.now >= until:
        outcome = TIMED_OUT.get(asked.on_timeout, Outcome.WAIT)
        message = f"{_lacks(asked, agreed)} within {asked.max_age} (onTimeout: {asked.on_timeout})"
        return Verdict(outcome, Reason.APPROVAL_TIMED_OUT, message)
    then = f", by {spell(until)[:19]}Z (then: {asked.on_timeout})" if until else ""
    said = f"penstock.dev/approve={candidate.revision}/{candidate.step + 1} penstock.dev/requested-by=<you>"
    how = f"kubectl annotate --overwrite -n {world.namespace} mdep {world.name} {said}"
    return Verdict(Outcome.WAIT, Reason.WAITING_FOR_APPROVAL, f"{_lacks(asked, agreed)}{then}: {how}", until)


def _counts(given: Approved, step: int, asked: PlannedApproval) -> bool:
    return given.step == step + 1 and (not asked.groups or bool(set(asked.groups) & set(given.groups)))


def _lacks(asked: PlannedApproval, agreed: list[str]) -> str:
    whose = f" of {' or '.join(asked.groups)}" if asked.groups else ""
    so_far = f" ({', '.join(agreed)})" if agreed else ""
    return f"{len(agreed)} of {asked.min_approvals} approvals{whose}{so_far}"


def _until(asked: PlannedApproval, candidate: Trying) -> datetime | None:
    if not asked.max_age or not candidate.cleared_at:
        return None
    return read(candidate.cleared_at) + span(asked.max_age)
