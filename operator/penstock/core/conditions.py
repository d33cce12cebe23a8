"""Verdicts -> conditions, as kstatus reads them: Ready always there, Reconciling and Stalled only while true.

TrafficVerified, which kstatus does not know, stands only while a revision is tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.api.condition import Condition, ConditionStatus
from penstock.api.status import Status
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Following, World


@dataclass(frozen=True)
class Claim:
    """What is to be said: is it ready, is it available, is it stuck, and why."""

    ready: bool
    available: bool
    stalled: bool
    reason: Reason
    message: str
    outage: str = ""
    answers: str = ""
    following: Following | None = None
    objective: tuple[bool, Reason, str] | None = None  # whether it can be kept
    budget: tuple[ConditionStatus, Reason, str] | None = None  # whether it holds
    traffic: tuple[ConditionStatus, Reason, str] | None = None  # whether the share was seen; None where none is tried


def conditions(world: World, before: Status, claim: Claim) -> list[Condition]:
    """The full list; `lastTransitionTime` moves only when a status flips."""
    return [_condition(world, before, fact) for fact in _facts(claim)]


def _facts(claim: Claim) -> Iterable[tuple[str, ConditionStatus, Reason, str]]:
    yield "Ready", _truth(claim.ready), claim.reason, claim.message
    yield (
        "Available",
        _truth(claim.available),
        Reason.AVAILABLE if claim.available else Reason.UNAVAILABLE,
        (claim.answers or "the stable revision answers") if claim.available else claim.outage,
    )
    if claim.following:
        told = claim.following
        reason = Reason.FOLLOWING_METRICS if told.active else Reason.METRICS_MISSING
        yield "ScalingActive", _truth(told.active), reason, told.message or "the autoscaler has numbers to follow"
    if claim.objective:
        kept, reason, message = claim.objective
        yield "ObjectiveReachable", _truth(kept), reason, message
    if claim.budget:
        yield "WithinBudget", *claim.budget
    if claim.stalled:
        yield "Stalled", ConditionStatus.TRUE, claim.reason, claim.message
    elif not claim.ready:
        yield "Reconciling", ConditionStatus.TRUE, claim.reason, claim.message
    if claim.traffic:
        yield "TrafficVerified", *claim.traffic


def _truth(value: bool) -> ConditionStatus:
    return ConditionStatus.TRUE if value else ConditionStatus.FALSE


def _condition(world: World, before: Status, fact: tuple[str, ConditionStatus, Reason, str]) -> Condition:
    kind, status, reason, message = fact
    old = next((c for c in before.conditions if c.type == kind), None)
    since = old.last_transition_time if old and old.status == status else spell(world.now)
    return Condition(
        type=kind,
        status=status,
        reason=reason.value,
        message=message[:1024],
        observed_generation=world.generation,
        last_transition_time=since,
    )
