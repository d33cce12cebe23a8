"""The moves that the machine can make: World -> Turn. Each changes the status once and says so once.

Which move is made is decided in `decide` and, where a person asks, in `actions`.
"""

from dataclasses import dataclass
from datetime import timedelta

from penstock.api.fields import seconds, span
from penstock.api.rollout import CapacityPolicy
from penstock.api.status import Evidence, Leaving, PlannedStep, Refused, Serving, Status, StepKind, Trying
from penstock.api.traffic import OnShareUnreachable
from penstock.core import drawing, evidence, preflight, strategy
from penstock.core.history import ended, may_return
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Notice, Outcome, Verdict, World


@dataclass(frozen=True)
class Turn:
    """The status to come, what to tell, and what is waited for."""

    status: Status
    notices: tuple[Notice, ...] = ()
    waits: Verdict | None = None
    overdue: bool = False
    looked: Trying | None = None  # the candidate as it was judged, before any move


@dataclass(frozen=True)
class Aim:
    """A revision that is to be tried: as the spec wants it, or as a person does who goes back to it."""

    revision: str
    version: str
    undo_by: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why a revision is refused, and by whom where it was a person."""

    reason: Reason
    message: str
    by: str = ""


def start(world: World, aim: Aim) -> Turn:
    """Begin to try a revision: the plan is pinned, the first step is entered."""
    assert world.spec
    status, rollout = world.status, world.spec.rollout
    steps = strategy.pin(world, direct=may_return(world, aim.revision))
    candidate = Trying(
        revision=aim.revision,
        version=aim.version,
        undo_by=aim.undo_by,
        steps=steps,
        sticky=drawing.pin(world, aim.revision, steps),
        stable_replicas=strategy.running(world),
        preflight=preflight.lacks(world, aim.revision)[:1024],
        replaces=status.stable is not None and rollout.capacity_policy is CapacityPolicy.REPLACE,
        started_at=spell(world.now),
        step_started_at=spell(world.now),
        deadline_at=deadline(world),
    )
    lacking = strategy.unreachable(world, candidate.steps)
    if lacking and world.spec.traffic.on_share_unreachable is OnShareUnreachable.REFUSE and not aim.undo_by:
        return Turn(status, waits=Verdict(Outcome.WAIT, Reason.SHARE_UNREACHABLE, lacking), overdue=True)
    if candidate.preflight and rollout.capacity_policy is not CapacityPolicy.SURGE and status.stable:
        return _not_begun(world, candidate)
    leaving = [gone for gone in status.leaving if gone.revision != aim.revision]
    status = status.model_copy(update={"candidate": candidate, "leaving": leaving})
    plan = " -> ".join(map(spoken, candidate.steps))
    unseen = f"; {world.room.unseen}" if world.room and world.room.unseen else ""
    text = f"version {candidate.version} is tried: {plan}{unseen}"
    return Turn(status, (Notice(False, Reason.ROLLOUT_STARTED, text, aim.revision, aim.undo_by),))


def _not_begun(world: World, candidate: Trying) -> Turn:
    """Refused before any pod was made or gave way."""
    assert world.spec
    policy, what = world.spec.rollout.capacity_policy, (candidate.revision, candidate.version)
    text = f"not begun (capacityPolicy: {policy.value}): {candidate.preflight}"
    why = Refusal(Reason.INSUFFICIENT_CAPACITY, text)
    notice = Notice(True, why.reason, f"version {candidate.version}: {text}", candidate.revision)
    return Turn(ended(world, refuse(world, world.status, what, why), candidate, notice), (notice,))


def spoken(step: PlannedStep) -> str:
    """A planned step in a word or two."""
    words = {
        StepKind.SHADOW: f"copies of {step.mirror}%",
        StepKind.COHORT: "cohort",
        StepKind.PREVIEW: "preview",
        StepKind.BAKE: f"bake {step.duration}",
    }
    asked = f" (nearest to {step.asked}%)" if step.asked is not None else ""
    return words.get(step.kind, f"{step.weight}%{asked}")


def deadline(world: World, held: float = 0.0) -> str:
    """From now: so many seconds of holding, and then the longest time without progress."""
    assert world.spec
    return spell(world.now + timedelta(seconds=held) + span(world.spec.rollout.deadline))


def enter(world: World, number: int, notice: Notice) -> Turn:
    """The candidate enters the step with this number, counted from 0."""
    assert world.status.candidate
    candidate = world.status.candidate
    entered = candidate.model_copy(
        update={
            "step": number,
            "step_started_at": spell(world.now),
            "shifted_at": None,
            "observed_share": None,
            "seen": None,
            "cleared_at": None,
            "waived": None,
            "deadline_at": deadline(world, seconds(candidate.steps[number].duration)),
            "evidence": evidence.enter_step(candidate.evidence),
        }
    )
    return Turn(world.status.model_copy(update={"candidate": entered}), (notice,))


def advance_step(world: World) -> Turn:
    """The next step; after the last one the pointer moves."""
    candidate = world.status.candidate
    assert candidate
    number = strategy.step_after(candidate)
    if number is None:
        return promote(world)
    before, after = spoken(candidate.steps[candidate.step]), spoken(candidate.steps[number])
    message = f"version {candidate.version} passed {before}, goes to {after}{proof(candidate.evidence)}"
    return enter(world, number, Notice(False, Reason.STEP_ENTERED, message, candidate.revision))


def proof(known: list[Evidence]) -> str:
    """The counts behind a move, in brackets; empty where nothing was counted."""
    counts = "; ".join(f"{e.metric}: {e.candidate.bad} of {e.candidate.total}" for e in known)
    return f" ({counts})" if counts else ""


def promote(world: World) -> Turn:
    """stable := candidate. The pods that passed are the pods that serve."""
    status, candidate = world.status, world.status.candidate
    assert candidate
    stable = Serving(revision=candidate.revision, version=candidate.version, weight=candidate.weight)
    by = candidate.forced_by or candidate.undo_by
    text = f"version {candidate.version} is stable{proof(candidate.evidence)}"
    notice = Notice(False, Reason.PROMOTED, text, candidate.revision, by)
    if status.stable:
        status = leave(world, status, (status.stable.revision, candidate.replaces))
    status = ended(world, status, candidate, notice)
    return Turn(status.model_copy(update={"stable": stable, "candidate": None}), (notice,))


def reject(world: World, why: Refusal) -> Turn:
    """The candidate is taken off and stays off: its traffic goes back before any pod is touched."""
    candidate, status = world.status.candidate, world.status
    assert candidate and status.stable
    text = f"version {candidate.version} is taken off, {status.stable.version} serves: {why.message}"
    notice = Notice(True, why.reason, text, candidate.revision, why.by)
    status = leave(world, status, (candidate.revision, candidate.replaces))
    told = Notice(True, why.reason, why.message, candidate.revision, why.by)
    status = ended(world, refuse(world, status, (candidate.revision, candidate.version), why), candidate, told)
    return Turn(status.model_copy(update={"candidate": None}), (notice,))


def refuse(world: World, status: Status, what: tuple[str, str], why: Refusal) -> Status:
    """The status that remembers not to try a revision, given as (name, version)."""
    entry = Refused(
        revision=what[0],
        version=what[1],
        reason=why.reason.value,
        at=spell(world.now),
        message=why.message[:1024],
        by=why.by,
    )
    others = [r for r in status.rejected if r.revision != what[0]]
    return status.model_copy(update={"rejected": [*others, entry][-20:]})


def supersede(world: World, wanted: str, by: str = "") -> Turn:
    """The candidate leaves without a verdict, because another revision is wanted."""
    status, gone = world.status, world.status.candidate
    assert gone
    text = f"version {gone.version} leaves without a verdict: {wanted} is wanted"
    notice = Notice(False, Reason.SUPERSEDED, text, gone.revision, by)
    status = leave(world, status, (gone.revision, gone.replaces))
    status = ended(world, status, gone, notice)
    return Turn(status.model_copy(update={"candidate": None}), (notice,))


def leave(world: World, status: Status, what: tuple[str, bool]) -> Status:
    """The status in which a revision has lost its traffic, given as (name, whether its pods give way at once)."""
    assert world.spec
    revision, replaced = what
    after = world.now + span(world.spec.rollout.scale_down_delay)
    gone = Leaving(revision=revision, since=spell(world.now), after=spell(after), replaced=replaced)
    others = [g for g in status.leaving if g.revision != revision]
    return status.model_copy(update={"leaving": [*others, gone][-32:]})  # the CRD's bound
