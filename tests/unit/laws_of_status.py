"""What must hold of what a move says and remembers: deadlines, the next look, people's actions, history, conditions."""

from dataclasses import replace
from datetime import datetime

from penstock.api.status import Status, StepKind
from penstock.core.describe import TIMED
from penstock.core.plan import decide
from penstock.core.template import wanted_revision
from penstock.model.reasons import Reason
from penstock.model.schedule import read
from tests.unit.laws import Law, Move, walks_on

REASONS = frozenset(Reason)
OF_PEOPLE = {Reason.PAUSED, Reason.FROZEN, Reason.WAITING_FOR_APPROVAL, Reason.APPROVAL_TIMED_OUT}
OF_ACTIONS = {
    Reason.ACTION_TAKEN,
    Reason.ACTION_IGNORED,
    Reason.ABORTED,
    Reason.UNDONE,
    Reason.RETRIED,
    Reason.PAUSED,
    Reason.APPROVED,
    Reason.STEP_SKIPPED,
}


def stays(move: Move) -> bool:
    """The same candidate waits in the same step, and the condition speaks of it."""
    there = move.same and move.before and move.after and move.before.step == move.after.step
    return bool(there) and not move.world.problem and not move.world.fault


def the_deadline_stands_still_only_for_people_and_calendars(move: Move) -> bool:
    """And in a bake whose metrics are silent; a breach that is tolerated hides which it is."""
    if not stays(move) or not move.after or move.condition == Reason.BREACH_TOLERATED:
        return False
    kind = move.after.steps[move.after.step].kind
    blind = kind is StepKind.BAKE and move.condition == Reason.METRICS_UNAVAILABLE
    stands = move.condition in OF_PEOPLE or blind
    assert (move.after.deadline_at is None) == stands, f"{move.condition}: {move.after.deadline_at}"
    return stands


def a_deadline_is_kept(move: Move) -> bool:
    """Where there is a home: past its deadline nothing waits on."""
    if not stays(move) or not move.after or not move.world.status.stable or not move.after.deadline_at:
        return False
    assert move.world.now < read(move.after.deadline_at)
    return True


def the_next_look_is_never_past_and_never_late(move: Move) -> bool:
    """For all that only time brings: a deadline, a step's end, a metric's window, pods that may go, a freeze."""
    again, due = move.plan.again, timers(move)
    assert again is None or again >= move.world.now
    assert not due or (again and again <= min(due)), f"due {min(due)}, looks {again}"
    return bool(due)


def timers(move: Move) -> list[datetime]:
    """What a clock alone would bring."""
    status, now = move.plan.status, move.world.now
    texts = [gone.after for gone in status.leaving]
    texts += [move.after.deadline_at] if move.after and move.after.deadline_at else []
    texts += [status.next.at] if status.next and status.next.at else []
    return [at for at in map(read, texts) if at > now]


def what_is_next_is_said_with_a_time_to_come(move: Move) -> bool:
    """Whoever waits is told for what; a time that has passed is no news."""
    following = move.plan.status.next
    assert bool(following) or not move.after
    if not following or not following.at or not move.after:
        return False
    assert read(following.at) >= move.world.now, f"{following}"
    return True


def an_action_is_taken_once(move: Move) -> bool:
    """The same world with the status that followed: nothing more is said of it, and nothing of it is forgotten."""
    if not move.world.annotations or not move.world.spec:
        return False
    again = decide(replace(move.world, status=move.plan.status, answers={}))
    said = [n for n in again.notices if n.reason in OF_ACTIONS and n.reason is not Reason.ABORTED]
    assert not said, said
    assert again.status.acted == move.plan.status.acted
    return bool(move.fresh)


def an_abort_is_obeyed_before_all_else(move: Move) -> bool:
    """No candidate after it, no traffic for it, whatever else was asked for."""
    revision = move.fresh.get("abort", "")
    if not move.before or move.before.revision != revision or not move.world.status.stable:
        return False
    homes = [status.stable and status.stable.revision for status in (move.world.status, move.plan.status)]
    assert revision in move.refused and homes[0] == homes[1]
    assert not move.after or move.after.revision != revision, "only what else is wanted may begin"
    if move.home and not move.before.replaces:
        assert move.weights.get(revision, 0) == 0
    told = {n.reason for n in move.plan.notices}
    assert Reason.ABORTED in told and Reason.PROMOTED not in told and Reason.STEP_ENTERED not in told
    return True


def the_stable_spec_is_a_return_without_a_verdict(move: Move) -> bool:
    stable = move.world.status.stable
    if not (stable and move.before and move.world.spec) or move.world.problem or move.fresh:
        return False
    if wanted_revision(move.world) != stable.revision or walks_on(move):
        return False
    assert not move.after and not move.refused
    return True


def what_moves_is_told_and_what_is_told_has_moved(move: Move) -> bool:
    """So that a second look at the same world writes no second Event."""
    before, after = move.world.status, move.plan.status
    was, now = (
        s.candidate and (s.candidate.revision, s.candidate.started_at, s.candidate.step) for s in (before, after)
    )
    homes = [s.stable and s.stable.revision for s in (before, after)]
    moved = was != now or homes[0] != homes[1] or bool(move.refused)
    tolerated = any(n.reason is Reason.BREACH_TOLERATED for n in move.plan.notices)
    late = any(n.reason is Reason.APPROVAL_TIMED_OUT for n in move.plan.notices)
    assert bool(move.plan.notices) == (moved or before.acted != after.acted or tolerated or late), move.plan.notices
    return moved


def whatever_ends_is_in_the_history(move: Move) -> bool:
    """Who, which, why, with its evidence; a turn ends each rollout once."""
    new = [e for e in move.plan.status.history if e not in move.world.status.history]
    ended = [
        e for e in new if move.before and (e.revision, e.started_at) == (move.before.revision, move.before.started_at)
    ]
    assert len(ended) == bool(move.before and not move.same)
    assert len(new) - len(ended) <= 1, "only one that was not begun for want of room"
    told = {n.reason.value for n in move.plan.notices}
    assert all(e.reason in told for e in new)
    return bool(new)


def status_is_what_the_api_takes(move: Move) -> bool:
    """Within the bounds of the CRD, and read back as it was written."""
    written = move.plan.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert Status.model_validate(written) == move.plan.status
    return True


def conditions_are_true(move: Move) -> bool:
    """As kstatus reads them; Ready only for the wanted revision with ready pods."""
    status = move.plan.status
    found = {c.type: c for c in status.conditions}
    assert not {"Reconciling", "Stalled"} <= set(found)
    ready = found["Ready"].status == "True"
    assert ready == (not set(found) & {"Reconciling", "Stalled"})
    assert all(c.message and c.reason in REASONS for c in status.conditions)
    assert status.observed_generation == move.world.generation
    if ready:
        assert status.stable and status.stable.revision == wanted_revision(move.world)
        assert move.ready(status.stable.revision) and not move.after
    if found["Available"].status == "True":
        assert status.stable and move.ready(status.stable.revision)
    return ready


def the_words_fit_the_reason(move: Move) -> bool:
    """While a rollout waits for anything but time, it says until when."""
    message = next(c.message for c in move.plan.status.conditions if c.type == "Ready")
    if not stays(move) or not move.after or not move.world.status.stable or not move.after.deadline_at:
        return False
    if move.condition in TIMED:
        return False
    assert "given up at" in message, message
    return True


LAWS: tuple[Law, ...] = (
    the_deadline_stands_still_only_for_people_and_calendars,
    a_deadline_is_kept,
    the_next_look_is_never_past_and_never_late,
    what_is_next_is_said_with_a_time_to_come,
    an_action_is_taken_once,
    an_abort_is_obeyed_before_all_else,
    the_stable_spec_is_a_return_without_a_verdict,
    what_moves_is_told_and_what_is_told_has_moved,
    whatever_ends_is_in_the_history,
    status_is_what_the_api_takes,
    conditions_are_true,
    the_words_fit_the_reason,
)
