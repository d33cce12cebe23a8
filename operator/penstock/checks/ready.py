"""The candidate has the ready pods that its next share needs."""

from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Step, Verdict, Workload, World


def ready(world: World, step: Step) -> Verdict:
    """Counts ready pods of this very revision, never those of another."""
    assert world.status.candidate
    seen = world.workloads.get(world.status.candidate.revision, Workload())
    message = f"{min(seen.ready, step.replicas)} of {step.replicas} pods ready" + (
        f": {seen.trouble}" if seen.trouble else ""
    )
    outcome = Outcome.PASS if seen.ready >= step.replicas else Outcome.WAIT
    return Verdict(outcome, Reason.WAITING_FOR_PODS, message)
