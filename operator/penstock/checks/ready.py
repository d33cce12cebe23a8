"""The candidate has the ready pods that its next share needs, and its Service leads to them."""

from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Step, Verdict, Workload, World


def ready(world: World, step: Step) -> Verdict:
    """Counts ready pods of this very revision, never those of another."""
    candidate = world.status.candidate
    assert candidate
    seen = world.workloads.get(candidate.revision, Workload())
    cramped = candidate.preflight if not seen.trouble or seen.trouble.startswith("Unschedulable") else ""
    said = "; ".join(filter(None, (seen.trouble, cramped)))
    message = standing(seen, step.replicas) + (f": {said}" if said else "")
    outcome = Outcome.PASS if seen.ready >= step.replicas else Outcome.WAIT
    return Verdict(outcome, Reason.INSUFFICIENT_CAPACITY if cramped else Reason.WAITING_FOR_PODS, message)


def standing(seen: Workload, wanted: int) -> str:
    """How many of the wanted pods are ready, in words; also where their Service does not list them yet."""
    said = f"{min(max(seen.ready, seen.pods), wanted)} of {wanted} pods ready"
    late = min(seen.pods, wanted) > seen.ready
    return f"{said}, {seen.ready} of them endpoints of their Service" if late else said
