"""What people ask for by annotations. Each names a revision, so that a repeat does nothing; each is taken up once.

An annotation that was taken up is remembered in status.acted until it is changed or removed. Taking up is level-based
like all else: whatever order the annotations were written in, abort goes first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from penstock.api.status import Acted, Approved, Refused, Status, StepKind, Trying
from penstock.core import moves, strategy
from penstock.core.moves import Aim, Refusal, Turn
from penstock.core.template import wanted_revision
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Notice, World

LONGEST = 256  # the CRD's bound of what is remembered of an annotation


class Action(StrEnum):
    """The annotations, without their prefix; in the order in which they are obeyed."""

    ABORT = "abort"
    UNDO = "undo"
    RETRY = "retry"
    PAUSE = "pause"
    APPROVE = "approve"
    SKIP = "skip"
    PROMOTE = "promote"
    PROMOTE_FULL = "promote-full"


@dataclass(frozen=True)
class Order:
    """One annotation, read: which revision, which step (from 0), and who asks."""

    action: Action
    revision: str
    step: int | None
    by: str


def obey(world: World) -> Turn:
    """The status after all that people newly ask for; nothing here waits."""
    status, notices = _forget(world)
    for action in Action:
        value = world.annotations.get(action.value, "")[:LONGEST]
        if value and not any(a.action == action.value for a in status.acted):
            order = _read(world, action, value)
            told = ACTS[action](replace(world, status=status), order)
            status = _remember(world, told.status, (order, value))
            notices += told.notices
    return Turn(status, notices)


def _forget(world: World) -> tuple[Status, tuple[Notice, ...]]:
    """Annotations that are gone or say something else are no longer taken up."""
    kept = [a for a in world.status.acted if _stands(world, a)]
    gone = [a for a in world.status.acted if a not in kept]
    over = any((a.action, a.value) == (Action.PAUSE.value, "true") for a in gone)
    by = _who(world)
    notices = (Notice(False, Reason.RESUMED, f"the pause is over, ended by {by}", "", by),) if over else ()
    return world.status.model_copy(update={"acted": kept}) if gone else world.status, notices


def _stands(world: World, taken: Acted) -> bool:
    """Whether the annotation is as it was; of an approval also the name, as the next person writes the same words."""
    another = taken.action == Action.APPROVE.value and "requested-by" in world.annotations and taken.by != _who(world)
    return world.annotations.get(taken.action, "")[:LONGEST] == taken.value and not another


def _remember(world: World, status: Status, taken: tuple[Order, str]) -> Status:
    order, value = taken
    entry = Acted(action=order.action.value, value=value, by=order.by, at=spell(world.now))
    return status.model_copy(update={"acted": [*status.acted, entry]})


def _read(world: World, action: Action, value: str) -> Order:
    revision, _, number = value.partition("/")
    step = int(number) - 1 if number.isdecimal() and len(number) < 4 else None
    return Order(action, revision, step, _who(world))


def _who(world: World) -> str:
    """The admission policy has checked the name; without it, it is only what somebody wrote."""
    name = world.annotations.get("requested-by", "")[:200]
    return name if name and world.verified else f"{name or 'somebody'} (unverified)"


def _ignored(world: World, order: Order, why: str) -> Turn:
    message = f"{order.action.value} {order.revision}: {why}"
    return Turn(world.status, (Notice(True, Reason.ACTION_IGNORED, message, order.revision, order.by),))


def _taken(world: World, order: Order, change: tuple[Trying, str]) -> Turn:
    candidate, text = change
    status = world.status.model_copy(update={"candidate": candidate})
    return Turn(status, (Notice(False, Reason.ACTION_TAKEN, f"{order.by} {text}", order.revision, order.by),))


def _abort(world: World, order: Order) -> Turn:
    status, why = world.status, Refusal(Reason.ABORTED, f"aborted by {order.by}", order.by)
    if not status.stable:
        return _ignored(world, order, "no revision has ever been stable, so there is nothing to go back to")
    if status.candidate and status.candidate.revision == order.revision:
        return moves.reject(world, why)
    if order.revision == status.stable.revision:
        return _ignored(world, order, f"it is stable; to leave it: penstock.dev/undo={_kept(world)}")
    if refused := _refusal(status, order.revision):
        return _ignored(world, order, f"it is rejected already ({refused.reason})")
    if world.spec and order.revision == wanted_revision(world):  # asked for, not begun: so that it never does
        what = (order.revision, world.spec.model.version)
        notice = Notice(True, Reason.ABORTED, f"version {what[1]} is not tried: {why.message}", what[0], order.by)
        return Turn(moves.refuse(world, status, what, why), (notice,))
    return _ignored(world, order, f"it is not being tried{_candidate(status)}")


def _refusal(status: Status, revision: str) -> Refused | None:
    return next((r for r in status.rejected if r.revision == revision), None)


def _candidate(status: Status) -> str:
    return f"; the candidate is {status.candidate.revision}" if status.candidate else "; nothing is being tried"


def _kept(world: World) -> str:
    stable = world.status.stable.revision if world.status.stable else ""
    refused = {r.revision for r in world.status.rejected}
    others = sorted((s.number, n, s.version) for n, s in world.snapshots.items() if n != stable and n not in refused)
    return ", ".join(f"{name} (version {version})" for _, name, version in others) or "<none is kept>"


def _undo(world: World, order: Order) -> Turn:
    """Go back to a kept revision: it walks the steps, unless it was good until lately."""
    kept = world.snapshots.get(order.revision)
    stable = world.status.stable
    if why := _not_undoable(world, order.revision):
        return _ignored(world, order, why)
    assert kept and stable
    left = _dropped(world, order, kept.version)
    if order.revision == stable.revision:
        return left
    begun = moves.start(replace(world, status=left.status), Aim(order.revision, kept.version, order.by))
    return Turn(begun.status, left.notices + begun.notices)


def _not_undoable(world: World, revision: str) -> str:
    """Why nobody can go back to the revision now; empty where it is possible."""
    assert world.spec
    status, wanted = world.status, wanted_revision(world)
    if refused := _refusal(status, revision):
        return f"it was rejected ({refused.reason}); penstock.dev/retry={revision} first"
    if not status.stable or revision not in world.snapshots:
        return f"unknown; kept are {_kept(world)}"
    if status.candidate:
        return "it is being tried already" if status.candidate.revision == revision else ""
    decided = wanted == status.stable.revision or _refusal(status, wanted)
    return f"it is stable already; kept are {_kept(world)}" if revision == status.stable.revision and decided else ""


def _dropped(world: World, order: Order, version: str) -> Turn:
    """What is tried, or wanted, instead of the revision that a person goes back to is put aside."""
    assert world.spec
    status, wanted = world.status, wanted_revision(world)
    why = Refusal(Reason.UNDONE, f"undone by {order.by}", order.by)
    if status.candidate:
        wished = status.candidate.revision == wanted
        return moves.reject(world, why) if wished else moves.supersede(world, order.revision, order.by)
    if wanted == order.revision or _refusal(status, wanted):  # why it was refused is not written over
        return Turn(status)
    text = f"{order.by} goes back to {order.revision} (version {version})"
    notice = Notice(False, Reason.UNDONE, text, order.revision, order.by)
    return Turn(moves.refuse(world, status, (wanted, world.spec.model.version), why), (notice,))


def _retry(world: World, order: Order) -> Turn:
    if not _refusal(world.status, order.revision):
        return _ignored(world, order, "it is not among the rejected")
    rest = [r for r in world.status.rejected if r.revision != order.revision]
    text = f"{order.by} lets {order.revision} be tried again"
    notice = Notice(False, Reason.RETRIED, text, order.revision, order.by)
    return Turn(world.status.model_copy(update={"rejected": rest}), (notice,))


def _pause(world: World, order: Order) -> Turn:
    if order.revision != "true":
        return _ignored(world, order, 'only "true" pauses; remove the annotation to go on')
    return Turn(world.status, (Notice(False, Reason.PAUSED, f"paused by {order.by}", "", order.by),))


def _approve(world: World, order: Order) -> Turn:
    candidate = world.status.candidate
    if not candidate or candidate.revision != order.revision:
        return _ignored(world, order, f"it is not being tried{_candidate(world.status)}")
    number = candidate.step if order.step is None else order.step
    asked = candidate.steps[number].approval if 0 <= number < len(candidate.steps) else None
    if not asked:
        return _ignored(world, order, f"step {number + 1} of {len(candidate.steps)} asks nobody")
    groups = [g for g in world.annotations.get("requested-groups", "").split(",") if g and len(g) <= 256][:16]
    if asked.groups and not set(asked.groups) & set(groups):
        how = "name yours in the annotation penstock.dev/requested-groups"
        return _ignored(world, order, f"{order.by} is in none of the groups {', '.join(asked.groups)}; {how}")
    agreed = Approved(step=number + 1, by=order.by, groups=groups, at=spell(world.now))
    others = [a for a in candidate.approvals if (a.step, a.by) != (agreed.step, agreed.by)]
    change = candidate.model_copy(update={"approvals": [*others, agreed][-64:]})
    told = _taken(world, order, (change, f"approved step {number + 1} of version {candidate.version}"))
    return replace(told, notices=tuple(replace(n, reason=Reason.APPROVED) for n in told.notices))


def _skip(world: World, order: Order) -> Turn:
    candidate = world.status.candidate
    if not candidate or candidate.revision != order.revision:
        return _ignored(world, order, f"it is not being tried{_candidate(world.status)}")
    number = candidate.step if order.step is None else order.step
    if not candidate.step <= number < len(candidate.steps):
        return _ignored(world, order, f"step {number + 1} is none of the steps that are still to come")
    if candidate.steps[number].kind is StepKind.FULL:
        return _ignored(
            world, order, f"step {number + 1} gives it everything and cannot be skipped; abort takes it off"
        )
    waived = {"waived": number} if number == candidate.step else {}
    change = candidate.model_copy(update={"skipped": sorted({*candidate.skipped, number}), **waived})
    told = _taken(world, order, (change, f"skips step {number + 1} of version {candidate.version}"))
    return replace(told, notices=tuple(replace(n, reason=Reason.STEP_SKIPPED) for n in told.notices))


def _promote(world: World, order: Order) -> Turn:
    candidate = world.status.candidate
    if not candidate or candidate.revision != order.revision:
        return _ignored(world, order, f"it is not being tried{_candidate(world.status)}")
    if order.step not in (None, candidate.step):
        return _ignored(world, order, f"it is in step {candidate.step + 1}")
    change = candidate.model_copy(update={"waived": candidate.step})
    return _taken(world, order, (change, f"lets version {candidate.version} pass step {candidate.step + 1}"))


def _promote_full(world: World, order: Order) -> Turn:
    """Straight to the step that gives it everything; where it is there already, its bake is over."""
    candidate = world.status.candidate
    if not candidate or candidate.revision != order.revision:
        return _ignored(world, order, f"it is not being tried{_candidate(world.status)}")
    full = strategy.full_step(candidate)
    if candidate.step >= full:
        return _promote(world, order)
    between = [n for n in range(candidate.step, full) if n not in candidate.skipped]
    update = {"waived": candidate.step, "forced_by": order.by, "skipped": sorted([*candidate.skipped, *between])}
    change = candidate.model_copy(update=update)
    return _taken(world, order, (change, f"sends version {candidate.version} to 100% past its steps"))


ACTS: dict[Action, Callable[[World, Order], Turn]] = {
    Action.ABORT: _abort,
    Action.UNDO: _undo,
    Action.RETRY: _retry,
    Action.PAUSE: _pause,
    Action.APPROVE: _approve,
    Action.SKIP: _skip,
    Action.PROMOTE: _promote,
    Action.PROMOTE_FULL: _promote_full,
}
