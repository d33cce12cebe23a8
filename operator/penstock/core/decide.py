"""World -> Turn: the machine. Pure; every rule that moves a revision is in this file or in the checks it calls.

Theory of operation. Status holds at most one *stable* revision, which is trusted with the traffic, and at most one
*candidate*, which walks the pinned steps. A turn looks at what is, never at what changed. First people are obeyed
(`actions`: abort, undo, retry, ...), then:

    spec asks for             stable   candidate   then
    the stable revision       yes      -           Settled
    the stable revision       yes      other       the candidate leaves, superseded, without a verdict
    a rejected revision       yes      -           RolledBack: hold, until the spec changes or a person retries
    a rejected revision       yes      an undo     the revision that a person goes back to walks on
    anything else             -        -           Starting: first revision, no analysis, never rejected
    anything else             -        serving     nothing else serves, so the first is stable; the new one starts
    anything else             yes      -           Held while paused or frozen; else from step 0
    anything else             yes      other       the candidate leaves; the new one starts at step 0

A candidate's turn: first its evidence (a failed metric rejects it in any step, at any time), then the step's checks,
then the gates of people and calendars. The first that does not pass decides: wait, until the deadline; then it is
rejected with that check's reason. The deadline stands still while only people and calendars are waited for. When all
pass, the next step is entered; after the last one the pointer moves: stable := candidate. The pods that passed are the
pods that serve. Until the pointer moves, in the bake too, the stable revision is warm and one write brings it back. A
rejection or a promotion first moves traffic; the revision that lost it is *leaving*: listed at weight 0, unlisted once
the gateway confirmed that, and only then are its pods removed.

    v1 100 ──► v1 95 v2 5 ──► v1 75 v2 25 ──► v1 50 v2 50 ──► v2 100, bake (v1 warm) ──► v2 (v1 leaving) ──► v2
                   └──────────────┴───────────────┴───────────────┴── a metric fails, a deadline passes, abort
                                                                       ──► v1 100 (v2 leaving) ──► v1

EDGES says which states may follow which; a test explores small worlds and fails on any other.
"""

from collections.abc import Iterable
from enum import StrEnum

from penstock.api.rollout import OnBreach
from penstock.api.status import Status, StepKind, Trying, VerdictName
from penstock.checks import CHECKS, GATES
from penstock.checks.free import holding
from penstock.core import actions, adoption, evidence, moves, share, strategy
from penstock.core.history import may_return
from penstock.core.moves import Aim, Refusal, Turn
from penstock.core.needs import explain, why
from penstock.core.template import wanted_revision
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Notice, Outcome, Step, Verdict, World


class State(StrEnum):
    """Where a ModelDeployment is, derived from spec and status alone."""

    EMPTY = "Empty"
    STARTING = "Starting"
    SETTLED = "Settled"
    HELD = "Held"
    STEPPING = "Stepping"
    PROMOTING = "Promoting"
    BAKING = "Baking"
    ROLLED_BACK = "RolledBack"


_WITH_STABLE = frozenset(State) - {State.EMPTY, State.STARTING, State.BAKING}
EDGES: dict[State, frozenset[State]] = {
    State.EMPTY: _WITH_STABLE | {State.EMPTY, State.STARTING},
    State.STARTING: _WITH_STABLE | {State.STARTING},
    State.SETTLED: _WITH_STABLE,
    State.HELD: _WITH_STABLE,
    State.STEPPING: _WITH_STABLE | {State.BAKING},
    State.PROMOTING: _WITH_STABLE | {State.BAKING},
    State.BAKING: _WITH_STABLE | {State.BAKING},
    State.ROLLED_BACK: _WITH_STABLE,
}

AT_DEADLINE = {
    Reason.WAITING_FOR_PODS: Reason.NEVER_READY,
    Reason.INSUFFICIENT_CAPACITY: Reason.INSUFFICIENT_CAPACITY,
    Reason.WAITING_FOR_ROUTE: Reason.ROUTE_NOT_PROGRAMMED,
    Reason.SHARE_MISMATCH: Reason.SHARE_MISMATCH,
}
HOLDS = (Reason.PAUSED, Reason.FROZEN)


def state_of(world: World, status: Status) -> State:
    """The closed state that a status is in."""
    if status.candidate:
        kind = status.candidate.steps[status.candidate.step].kind
        if not status.stable:
            return State.STARTING
        return {StepKind.FULL: State.PROMOTING, StepKind.BAKE: State.BAKING}.get(kind, State.STEPPING)
    if not status.stable:
        return State.EMPTY
    wanted = wanted_revision(world) if world.spec else status.stable.revision
    if wanted == status.stable.revision:
        return State.SETTLED
    return State.ROLLED_BACK if is_rejected(status, wanted) else State.HELD


def is_rejected(status: Status, revision: str) -> bool:
    """Whether the revision was taken off and is not to be tried again."""
    return any(r.revision == revision for r in status.rejected)


def is_unseen(before: Status, after: Status) -> bool:
    """Whether the candidate is given up for what was not seen of pods and route until its deadline."""
    if not before.candidate or after.candidate or not after.rejected:
        return False
    last = after.rejected[-1]
    return last.revision == before.candidate.revision and last.reason in {r.value for r in AT_DEADLINE.values()}


def advance(world: World) -> Turn:
    """What people ask for, then one move of the machine."""
    if not world.spec:
        return Turn(world.status)
    found = adoption.recognise(world)
    world = replace(world, status=found.status)
    obeyed = actions.obey(world)
    same = _candidate(obeyed.status) == _candidate(world.status)
    known = (world.answers, world.counted) if same else ({}, None)
    world = replace(world, status=obeyed.status, answers=known[0], counted=known[1])
    begun = not same and obeyed.status.candidate  # by a person: its first step is recorded before it is looked at
    moved = _say_what_for(world, Turn(world.status)) if begun else _move(world)
    return replace(moved, notices=found.notices + obeyed.notices + moved.notices)


def _candidate(status: Status) -> str:
    return status.candidate.revision if status.candidate else ""


def _move(world: World) -> Turn:
    """At most one candidate dropped, started, stepped, promoted or rejected."""
    status = world.status
    if world.problem:  # nothing new can start; what is being tried is still judged
        return _walk(world) if status.candidate else Turn(status)
    wanted = wanted_revision(world)
    if status.candidate:
        going_back = status.candidate.undo_by and is_rejected(status, wanted)
        if going_back or status.candidate.revision == wanted:
            return _walk(world)
        serves = not status.stable and strategy.serves(world, status.candidate.revision)
        left = moves.promote(world) if serves else moves.supersede(world, wanted)
        begun = _begin(replace(world, status=left.status), wanted)
        return replace(begun, notices=left.notices + begun.notices)
    return _begin(world, wanted)


def _begin(world: World, wanted: str) -> Turn:
    """Start what is wanted, unless it is decided already, or held: a first revision and a return never are.

    What cannot begin as it is written is said before what only has to be waited for.
    """
    assert world.spec
    stable = world.status.stable
    if stable and (stable.revision == wanted or is_rejected(world.status, wanted)):
        return Turn(world.status)
    begun, held = moves.start(world, Aim(wanted, world.spec.model.version)), holding(world)
    if stable and not begun.waits and held.outcome is not Outcome.PASS and not may_return(world, wanted):
        return Turn(world.status, waits=held)
    return _say_what_for(world, begun)


def _say_what_for(world: World, turn: Turn) -> Turn:
    """A turn that enters a step says at once what the step waits for."""
    if not turn.status.candidate:
        return turn
    world = replace(world, status=turn.status, answers={})
    step = strategy.present_step(world, turn.status.candidate)
    return replace(turn, waits=_first_wait(world, step, step.checks))


def _walk(world: World) -> Turn:
    """One look at the candidate, and what follows from it."""
    assert world.status.candidate
    looked = share.look(world, evidence.look(world, world.status.candidate))
    return replace(_follow(world, looked), looked=looked)


def _follow(world: World, looked: Trying) -> Turn:
    """The move that the candidate's evidence, its step's checks and its gates lead to."""
    before = world.status.candidate
    assert before
    world = _with(world, _exposed(_with(world, looked)))
    world = _with(world, share.follow(world))
    step = strategy.present_step(world, before)
    told: tuple[Notice, ...] = ()
    failed = _failed_metric(world) if world.status.stable else None  # nothing to go back to: nothing to judge
    if failed:
        if not _tolerates(world, step):
            return moves.reject(world, failed)
        told = _told_once(before, failed)
    own = _first_wait(world, step, (n for n in step.checks if n not in GATES))
    gate = _first_wait(world, step, (n for n in step.checks if n in GATES))
    late = () if own else _nobody_agreed(world, step)
    world = _with(world, _clocks(world, step, (own, gate)))
    turn = _verdict(world, (own, gate), failed)
    return replace(turn, notices=told + late + turn.notices)


def _nobody_agreed(world: World, step: Step) -> tuple[Notice, ...]:
    """An approval that has timed out without taking the candidate off is told once."""
    said = any(c.reason == Reason.APPROVAL_TIMED_OUT.value for c in world.status.conditions)
    found = CHECKS["approved"](world, step) if "approved" in step.checks else None
    if said or not found or found.reason is not Reason.APPROVAL_TIMED_OUT or found.outcome is Outcome.FAIL:
        return ()
    assert world.status.candidate
    return (Notice(True, found.reason, found.message, world.status.candidate.revision),)


def _with(world: World, candidate: Trying) -> World:
    return replace(world, status=world.status.model_copy(update={"candidate": candidate}))


def _verdict(world: World, found: tuple[Verdict | None, Verdict | None], breach: Refusal | None) -> Turn:
    """Go on, go back, or wait: from what the step's own checks and its gates say."""
    own, gate = found
    if not own and not gate:
        return _say_what_for(world, moves.advance_step(world))
    if not own and gate and gate.outcome is Outcome.FAIL:
        return moves.reject(world, Refusal(gate.reason, gate.message))
    candidate = world.status.candidate
    assert candidate
    waits = gate if gate and (not own or gate.reason in HOLDS) else own
    assert waits
    if candidate.deadline_at is None or world.now < read(candidate.deadline_at):
        if breach:
            waits = replace(waits, reason=Reason.BREACH_TOLERATED, message=f"{breach.message}; {waits.message}")
        return Turn(world.status, waits=waits)
    if world.status.stable is None:  # nothing to go back to: say so, and keep trying
        return Turn(world.status, waits=waits, overdue=True)
    kept = f"; {world.fault.message}" if world.fault else ""  # what could not be written may be why
    return moves.reject(world, Refusal(AT_DEADLINE.get(waits.reason, Reason.EVIDENCE_MISSING), waits.message + kept))


def _first_wait(world: World, step: Step, names: Iterable[str]) -> Verdict | None:
    """The first of these checks that does not pass; None when all do."""
    candidate = world.status.candidate
    if world.problem and world.spec and candidate and not candidate.undo_by:
        return Verdict(Outcome.WAIT, world.problem.reason, world.problem.message)
    verdicts = (CHECKS[name](world, step) for name in names)
    return next((v for v in verdicts if v.outcome is not Outcome.PASS), None)


def _exposed(world: World) -> Trying:
    """Note when the route was first seen to give the candidate anything, and when the step's share."""
    candidate = world.status.candidate
    assert candidate
    step = strategy.present_step(world, candidate)
    update: dict[str, str] = {}
    arrived = all(CHECKS[n](world, step).outcome is Outcome.PASS for n in ("ready", "routed"))
    if not candidate.shifted_at and arrived:
        update |= {"shifted_at": spell(world.now), "deadline_at": moves.deadline(world, step.seconds)}
    reached = world.route is not None and world.route.programmed and world.route.reaches(candidate.revision)
    previewed = arrived and step.kind is StepKind.PREVIEW
    if not candidate.exposed_at and (reached or previewed):
        update["exposed_at"] = spell(world.now)
    return candidate.model_copy(update=update)


def _clocks(world: World, step: Step, found: tuple[Verdict | None, Verdict | None]) -> Trying:
    """The deadline stands still while people or calendars are waited for, and in a bake without metrics.

    It begins anew where what no watch had told was there when it was over: what follows from that takes its time.
    """
    own, gate = found
    candidate = world.status.candidate
    assert candidate
    asked = own is None and gate is not None and gate.reason not in HOLDS
    blind = own is not None and own.reason is Reason.METRICS_UNAVAILABLE and step.kind is StepKind.BAKE
    asks = own is not None and own.reason is Reason.INCONCLUSIVE
    stands = own is None or blind or asks or (gate is not None and gate.reason in HOLDS)
    update: dict[str, str | None] = {"cleared_at": (candidate.cleared_at or spell(world.now)) if asked else None}
    if stands:
        update["deadline_at"] = None
    elif candidate.deadline_at is None or world.caught_up:
        update["deadline_at"] = moves.deadline(world, step.seconds)
    return candidate.model_copy(update=update)


def _failed_metric(world: World) -> Refusal | None:
    candidate = world.status.candidate
    assert world.spec and candidate
    for metric in evidence.deciding(world.spec.analysis) if world.spec.analysis else []:
        known = evidence.known(candidate, metric)
        if known.verdict is VerdictName.FAIL:
            return Refusal(why(metric, known), explain(metric, known))
    return None


def _tolerates(world: World, step: Step) -> bool:
    """After 100 % the policy decides; what a person has forced is not undone behind their back."""
    assert world.spec and world.status.candidate
    if step.kind not in (StepKind.FULL, StepKind.BAKE):
        return False
    policy = world.spec.rollout.bake.on_breach if world.spec.rollout.bake else None
    return policy is OnBreach.NOTIFY or (policy is None and bool(world.status.candidate.forced_by))


def _told_once(before: Trying, failed: Refusal) -> tuple[Notice, ...]:
    """A breach that is tolerated is told when it is first seen."""
    if any(e.verdict is VerdictName.FAIL and not e.dry_run for e in before.evidence):
        return ()
    text = f"version {before.version} would be taken off ({failed.reason}): {failed.message}"
    return (Notice(True, Reason.BREACH_TOLERATED, text, before.revision),)
