"""Who has agreed, who counts, until when it is asked, what follows when nobody does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.api.status import Approved, PlannedApproval, Status, StepKind
from penstock.checks.approved import approved
from penstock.core.decide import advance
from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Step, Verdict, World
from tests.unit.worlds import CLOCKS, NOW, STABLE, V2, ago, as_planned, trying, usual


def verdict(
    asked: PlannedApproval | None, given: list[tuple[int, str, list[str]]], cleared: float | None = 60
) -> Verdict:
    """The check in the third step, asked for so many seconds."""
    agreed = [Approved(step=step, by=by, groups=groups, at=ago(30)) for step, by, groups in given]
    since = None if cleared is None else ago(cleared)
    candidate = trying("walk", 2, CLOCKS["over"], approvals=agreed, cleared_at=since)
    world = replace(usual("v2", "walk"), status=Status(stable=STABLE, candidate=candidate))
    return approved(world, Step(StepKind.CANARY, 25, 30, 1, ("approved",), approval=asked))


TWO = PlannedApproval(groups=["leads", "owners"], min_approvals=2, max_age="1h", on_timeout="Abort")
ANYBODY = PlannedApproval()
ANN, BOB, CAT = (3, "ann", ["leads"]), (3, "bob", ["staff", "owners"]), (3, "cat", ["staff"])

COUNTED = [
    (None, [], True, ""),
    (ANYBODY, [], False, "0 of 1 approvals: "),
    (ANYBODY, [CAT], True, "approved by cat"),
    (ANYBODY, [(2, "ann", ["leads"])], False, "0 of 1 approvals: "),
    (ANYBODY, [(4, "ann", ["leads"])], False, "0 of 1 approvals: "),
    (TWO, [], False, "0 of 2 approvals of leads or owners, by 2026-11-21T12:59:00Z (then: Abort): "),
    (TWO, [ANN], False, "1 of 2 approvals of leads or owners (ann), by "),
    (TWO, [ANN, ANN], False, "1 of 2 approvals"),
    (TWO, [ANN, CAT], False, "1 of 2 approvals of leads or owners (ann)"),
    (TWO, [ANN, BOB], True, "approved by ann, bob"),
    (TWO, [BOB, CAT, ANN], True, "approved by ann, bob"),
]


@pytest.mark.parametrize(("asked", "given", "passes", "said"), COUNTED)
def test_different_people_of_the_right_groups_are_counted_for_this_very_step(
    asked: PlannedApproval | None, given: list[tuple[int, str, list[str]]], passes: bool, said: str
) -> None:
    found = verdict(asked, given)
    assert found.outcome is (Outcome.PASS if passes else Outcome.WAIT)
    assert found.message.startswith(said)
    if not passes:
        assert found.reason is Reason.WAITING_FOR_APPROVAL
        assert f"kubectl annotate --overwrite -n ml mdep churn penstock.dev/approve={V2}/3" in found.message


@pytest.mark.parametrize(
    ("then", "outcome"), [("Wait", Outcome.WAIT), ("Abort", Outcome.FAIL), ("Promote", Outcome.PASS)]
)
def test_a_request_that_is_too_old_ends_as_declared(then: str, outcome: Outcome) -> None:
    asked = TWO.model_copy(update={"on_timeout": then})
    assert verdict(asked, [ANN], cleared=3599).outcome is Outcome.WAIT
    late = verdict(asked, [ANN], cleared=3600)
    assert (late.outcome, late.reason) == (outcome, Reason.APPROVAL_TIMED_OUT)
    assert late.message == f"1 of 2 approvals of leads or owners (ann) within 1h (onTimeout: {then})"


def test_whoever_agrees_in_time_or_after_all_counts() -> None:
    late = verdict(TWO.model_copy(update={"on_timeout": "Wait"}), [ANN, BOB], cleared=9999)
    assert late.outcome is Outcome.PASS


def test_it_is_looked_at_again_when_the_request_ends() -> None:
    assert verdict(TWO, []).again == NOW + timedelta(minutes=59)
    assert verdict(ANYBODY, []).again is None
    assert verdict(TWO, [], cleared=None).again is None, "its age counts from when all else has passed"


def asking(**more: Any) -> World:
    """A step that has passed all but its approval, or not."""
    candidate = trying("walk", 2, CLOCKS["over"], more.pop("what", "pass"), **more)
    world = replace(usual("v2", "walk"), status=Status(stable=STABLE, candidate=candidate))
    return replace(world, route=as_planned("walk", 2))


def test_the_age_begins_when_all_else_has_passed_and_ends_when_it_no_longer_has() -> None:
    begun = advance(asking())
    assert begun.status.candidate and begun.status.candidate.cleared_at == ago(0)
    assert begun.status.candidate.deadline_at is None
    kept = advance(asking(cleared_at=ago(600)))
    assert kept.status.candidate and kept.status.candidate.cleared_at == ago(600)
    short = advance(asking(cleared_at=ago(600), what="short"))
    assert short.status.candidate and short.status.candidate.cleared_at is None
    assert short.status.candidate.deadline_at


def test_the_age_stands_still_in_a_pause() -> None:
    paused = advance(replace(asking(cleared_at=ago(9999)), annotations={"pause": "true"}))
    assert paused.status.candidate and paused.status.candidate.cleared_at is None
    assert paused.waits and paused.waits.reason is Reason.PAUSED


def test_a_metric_that_fails_while_people_are_asked_takes_it_off() -> None:
    assert advance(asking(what="fail", cleared_at=ago(600))).status.rejected[-1].reason == "ErrorRateAboveLimit"


def test_nobody_in_time_takes_it_off_with_the_count() -> None:
    turn = advance(asking(cleared_at=ago(7200)))
    refused = turn.status.rejected[-1]
    assert refused.reason == "ApprovalTimedOut" and refused.message.startswith("0 of 2 approvals")
