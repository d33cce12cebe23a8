"""After 100 %: the metrics have been read to the end of the bake. A breach ends it earlier, by the machine itself."""

from datetime import timedelta

from penstock.checks.judged import deciding, silent
from penstock.model.reasons import Reason
from penstock.model.schedule import read
from penstock.model.values import Outcome, Step, Verdict, World


def baked(world: World, step: Step) -> Verdict:
    """No new evidence for a comparison is possible, as the old revision gets nothing; but silence ends no bake."""
    candidate = world.status.candidate
    assert candidate and world.spec
    silence = silent(world)
    if silence:
        return Verdict(Outcome.WAIT, Reason.METRICS_UNAVAILABLE, f"the bake goes on: {silence}")
    until = read(candidate.shifted_at) + timedelta(seconds=step.seconds) if candidate.shifted_at else world.now
    wanted = sum(not metric.dry_run for metric in world.spec.analysis.metrics) if world.spec.analysis else 0
    if sum(e.looked_at is not None and read(e.looked_at) >= until for e in deciding(candidate)) < wanted:
        return Verdict(Outcome.WAIT, Reason.METRICS_UNAVAILABLE, "the metrics have not been read to its end yet")
    return Verdict(Outcome.PASS, Reason.PROMOTED, "nothing spoke against it")
