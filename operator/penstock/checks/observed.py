"""Requests arrive as the route says: a gateway that has taken a route may still not follow it.

Only a share that is surely another waits. Few requests, or no counters, are no mismatch: what else is asked of the step
needs its own evidence.
"""

from penstock.api.condition import ConditionStatus, SeenShare
from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Step, Verdict, World


def observed(world: World, step: Step) -> Verdict:
    """By the servers' counters since the share was confirmed; see `core.share`."""
    candidate = world.status.candidate
    assert candidate
    if candidate.seen and candidate.seen.verified is ConditionStatus.FALSE:
        return Verdict(Outcome.WAIT, Reason.SHARE_MISMATCH, mismatch(world, step.weight, candidate.seen))
    return Verdict(Outcome.PASS, Reason.SHARE_SEEN, "no other share was seen")


def mismatch(world: World, weight: int, seen: SeenShare) -> str:
    """Both shares, and who may be the cause."""
    gateway = world.spec.traffic.gateway if world.spec else None
    where = f"Gateway {gateway.namespace or world.namespace}/{gateway.name}" if gateway else f"Service {world.name}"
    causes = f"{where} does not follow the route, clients go past it, or the counters mislead"
    return f"asked {weight}%, seen {seen.range}: {causes}"
