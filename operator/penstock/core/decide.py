"""World -> Plan: the machine. Pure; every rule that moves a revision is in this file or in the checks it calls.

Theory of operation. Status holds at most one *stable* revision, which is trusted with the traffic, and at most one
*candidate*, which walks the pinned steps. A turn looks at what is, never at what changed:

    spec asks for             stable   candidate   then
    the stable revision       yes      -           Settled
    the stable revision       yes      other       the candidate leaves, superseded, without a verdict
    a rejected revision       yes      -           RolledBack: hold, until the spec changes
    anything else             -        -           Starting: first revision, no analysis, never rejected
    anything else             yes      -           Stepping from step 0, judged against this stable one
    anything else             yes      other       the candidate leaves; the new one starts at step 0

A candidate's turn: first its evidence (a failed metric rejects it in any step, at any time), then the step's checks in
order. The first check that does not pass decides: wait, until the deadline; then it is rejected with that check's
reason. When all pass, the next step is entered; after the last one the pointer moves: stable := candidate. The pods
that passed are the pods that serve. A rejection or a promotion first moves traffic; the revision that lost it is
*leaving*: listed at weight 0, unlisted once the gateway confirmed that, and only then are its pods removed.

    v1 100 ──► v1 95 v2 5 ──► v1 75 v2 25 ──► v1 50 v2 50 ──► v2 100 (v1 leaving) ──► v2
                   └──────────────┴───────────────┴── a metric fails, a deadline passes ──► v1 100 (v2 leaving) ──► v1

EDGES says which states may follow which; a test explores small worlds and fails on any other.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from penstock.api.fields import seconds, span
from penstock.api.status import Leaving, Refused, Serving, Status, Trying, VerdictName
from penstock.checks import CHECKS
from penstock.core import evidence, strategy
from penstock.core.template import wanted_revision
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Notice, Outcome, Step, Verdict, Workload, World


class State(StrEnum):
    """Where a ModelDeployment is, derived from status alone."""

    EMPTY = "Empty"
    STARTING = "Starting"
    SETTLED = "Settled"
    STEPPING = "Stepping"
    PROMOTING = "Promoting"
    ROLLED_BACK = "RolledBack"


EDGES: dict[State, frozenset[State]] = {
    State.EMPTY: frozenset({State.EMPTY, State.STARTING}),
    State.STARTING: frozenset({State.STARTING, State.SETTLED}),
    State.SETTLED: frozenset({State.SETTLED, State.STEPPING, State.PROMOTING, State.ROLLED_BACK}),
    State.STEPPING: frozenset({State.STEPPING, State.PROMOTING, State.SETTLED, State.ROLLED_BACK}),
    State.PROMOTING: frozenset({State.PROMOTING, State.STEPPING, State.SETTLED, State.ROLLED_BACK}),
    State.ROLLED_BACK: frozenset({State.ROLLED_BACK, State.STEPPING, State.PROMOTING, State.SETTLED}),
}

AT_DEADLINE = {
    Reason.WAITING_FOR_PODS: Reason.NEVER_READY,
    Reason.WAITING_FOR_ROUTE: Reason.ROUTE_NOT_PROGRAMMED,
}
ON_FAIL = {
    ("errorRate", False): Reason.ERROR_RATE_ABOVE_LIMIT,
    ("errorRate", True): Reason.ERROR_RATE_ABOVE_STABLE,
    ("slowRate", False): Reason.SLOW_RATE_ABOVE_LIMIT,
    ("slowRate", True): Reason.SLOW_RATE_ABOVE_STABLE,
}


@dataclass(frozen=True)
class Turn:
    """The status to come, what to tell, and what the candidate waits for."""

    status: Status
    notices: tuple[Notice, ...] = ()
    waits: Verdict | None = None
    overdue: bool = False


def state_of(world: World, status: Status) -> State:
    """The closed state that a status is in."""
    candidate = status.candidate
    if candidate and not status.stable:
        return State.STARTING
    if candidate:
        return State.PROMOTING if candidate.step == len(candidate.steps) - 1 else State.STEPPING
    if not status.stable:
        return State.EMPTY
    wanted = wanted_revision(world) if world.spec else status.stable.revision
    return State.SETTLED if wanted == status.stable.revision else State.ROLLED_BACK


def advance(world: World) -> Turn:
    """One move of the machine: at most one candidate dropped, started, stepped, promoted or rejected."""
    if not world.spec:
        return Turn(world.status)
    if world.problem:  # nothing new can start; what is being tried is still judged
        return _walk(world) if world.status.candidate else Turn(world.status)
    status, wanted = world.status, wanted_revision(world)
    notices: tuple[Notice, ...] = ()
    if status.candidate and status.candidate.revision != wanted:
        status, notices = _supersede(world, status, wanted)
    if status.candidate:
        return _walk(replace(world, status=status))
    if _is_decided(status, wanted):
        return Turn(status, notices)
    started = _start(world, status, wanted)
    return replace(started, notices=notices + started.notices)


def _is_decided(status: Status, wanted: str) -> bool:
    serves = status.stable is not None and status.stable.revision == wanted
    return serves or (status.stable is not None and any(r.revision == wanted for r in status.rejected))


def _start(world: World, status: Status, wanted: str) -> Turn:
    assert world.spec
    first = status.stable is None
    running = world.workloads.get(status.stable.revision, Workload()).desired if status.stable else 0
    plan = strategy.pin(world.spec, first)
    candidate = Trying(
        revision=wanted,
        version=world.spec.model.version,
        steps=plan,
        stable_replicas=running,
        step_started_at=spell(world.now),
        deadline_at=_deadline(world),
    )
    shares = " -> ".join(f"{s.weight}%" for s in plan)
    notice = Notice(False, Reason.ROLLOUT_STARTED, f"version {candidate.version} is tried: {shares}", wanted)
    leaving = [gone for gone in status.leaving if gone.revision != wanted]
    return _entered(world, status.model_copy(update={"candidate": candidate, "leaving": leaving}), notice)


def _deadline(world: World, held: float = 0.0) -> str:
    """From now: so many seconds of holding, and then the longest time without progress."""
    assert world.spec
    return spell(world.now + timedelta(seconds=held) + span(world.spec.rollout.deadline))


def _entered(world: World, status: Status, notice: Notice) -> Turn:
    """The turn that enters a step says at once what the step waits for."""
    assert status.candidate
    step = strategy.present_step(world, status.candidate)
    return Turn(status, (notice,), _waits(replace(world, status=status), step))


def _walk(world: World) -> Turn:
    assert world.status.candidate
    candidate = evidence.look(world, world.status.candidate)
    candidate = _exposed(world, candidate)
    world = replace(world, status=world.status.model_copy(update={"candidate": candidate}))
    if failed := _failed_metric(world, candidate):
        return _reject(world, *failed)
    waits = _waits(world, strategy.present_step(world, candidate))
    if waits is None:
        return _next(world, candidate)
    if world.now < read(candidate.deadline_at):
        return Turn(world.status, waits=waits)
    if world.status.stable is None:  # nothing to go back to: say so, and keep trying
        return Turn(world.status, waits=waits, overdue=True)
    return _reject(world, AT_DEADLINE.get(waits.reason, Reason.EVIDENCE_MISSING), waits.message)


def _waits(world: World, step: Step) -> Verdict | None:
    """The first check that does not pass; None when all do."""
    if world.problem:
        return Verdict(Outcome.WAIT, world.problem.reason, world.problem.message)
    verdicts = (CHECKS[name](world, step) for name in step.checks)
    return next((v for v in verdicts if v.outcome is not Outcome.PASS), None)


def _exposed(world: World, candidate: Trying) -> Trying:
    """Note when the route was first seen to carry traffic for it, and the step's share."""
    assert world.spec
    step = strategy.present_step(world, candidate)
    now = spell(world.now)
    update: dict[str, str] = {}
    seen = world.route.weights if world.route and world.route.programmed else {}
    if seen.get(candidate.revision) and not candidate.exposed_at:
        update["exposed_at"] = now
    if not candidate.shifted_at and all(CHECKS[n](world, step).outcome is Outcome.PASS for n in ("ready", "routed")):
        update |= {"shifted_at": now, "deadline_at": _deadline(world, step.seconds)}
    return candidate.model_copy(update=update)


def _failed_metric(world: World, candidate: Trying) -> tuple[Reason, str] | None:
    assert world.spec
    for metric in world.spec.analysis.metrics if world.spec.analysis else []:
        known = evidence.known(candidate, metric)
        if known.verdict is VerdictName.FAIL:
            return ON_FAIL[metric.name.value, metric.compare is not None], evidence.explain(metric, known)
    return None


def _next(world: World, candidate: Trying) -> Turn:
    assert world.spec
    if candidate.step == len(candidate.steps) - 1:
        return _promote(world, candidate)
    step = candidate.steps[candidate.step + 1]
    entered = candidate.model_copy(
        update={
            "step": candidate.step + 1,
            "step_started_at": spell(world.now),
            "shifted_at": None,
            "deadline_at": _deadline(world, seconds(step.duration)),
            "evidence": evidence.enter_step(candidate.evidence),
        }
    )
    proof = "; ".join(f"{e.metric}: {e.candidate.bad} of {e.candidate.total}" for e in candidate.evidence)
    message = f"version {candidate.version} passed {candidate.steps[candidate.step].weight}%, goes to {step.weight}%"
    notice = Notice(False, Reason.STEP_ENTERED, f"{message} ({proof})" if proof else message, candidate.revision)
    return _entered(world, world.status.model_copy(update={"candidate": entered}), notice)


def _promote(world: World, candidate: Trying) -> Turn:
    status = world.status
    stable = Serving(
        revision=candidate.revision, version=candidate.version, weight=status.stable.weight if status.stable else 0
    )
    if status.stable:
        status = _leave(world, status, status.stable.revision)
    notice = Notice(False, Reason.PROMOTED, f"version {candidate.version} is stable", candidate.revision)
    return Turn(status.model_copy(update={"stable": stable, "candidate": None}), (notice,))


def _reject(world: World, reason: Reason, message: str) -> Turn:
    candidate, status = world.status.candidate, world.status
    assert candidate and status.stable
    home = status.stable
    refused = Refused(
        revision=candidate.revision,
        version=candidate.version,
        reason=reason.value,
        at=spell(world.now),
        message=message[:1024],
    )
    others = [r for r in status.rejected if r.revision != refused.revision]
    status = _leave(world, status, candidate.revision)
    text = f"version {candidate.version} is taken off, {home.version} serves: {message}"
    notice = Notice(True, reason, text, candidate.revision)
    return Turn(status.model_copy(update={"candidate": None, "rejected": [*others, refused][-20:]}), (notice,))


def _supersede(world: World, status: Status, wanted: str) -> tuple[Status, tuple[Notice, ...]]:
    assert status.candidate
    gone = status.candidate
    if status.stable:
        status = _leave(world, status, gone.revision)
    notice = Notice(
        False, Reason.SUPERSEDED, f"version {gone.version} leaves without a verdict: {wanted} is wanted", gone.revision
    )
    return status.model_copy(update={"candidate": None}), (notice,)


def _leave(world: World, status: Status, revision: str) -> Status:
    assert world.spec
    after = world.now + span(world.spec.rollout.scale_down_delay)
    gone = Leaving(revision=revision, since=spell(world.now), after=spell(after))
    others = [g for g in status.leaving if g.revision != revision]
    return status.model_copy(update={"leaving": [*others, gone][-32:]})  # the CRD's bound
