"""Every metric says pass, on requests of this step, in a window that reaches past the step's duration."""

from datetime import datetime, timedelta

from penstock.api.status import Evidence, VerdictName
from penstock.model.measure import Silence
from penstock.model.reasons import Reason
from penstock.model.schedule import read
from penstock.model.values import Outcome, Step, Verdict, World


def judged(world: World, step: Step) -> Verdict:
    """Silence waits; a pass needs evidence."""
    candidate = world.status.candidate
    assert candidate
    if not (world.spec and world.spec.analysis):
        return Verdict(
            Outcome.WAIT, Reason.NOT_ENOUGH_EVIDENCE, "this step is judged, but spec.analysis is gone: bring it back"
        )
    silent = [a.message for a in world.answers.values() if isinstance(a, Silence)]
    if silent:
        return Verdict(Outcome.WAIT, Reason.METRICS_UNAVAILABLE, silent[0])
    until = read(candidate.shifted_at) + timedelta(seconds=step.seconds) if candidate.shifted_at else world.now
    missing = [e for e in candidate.evidence if e.verdict is not VerdictName.PASS or not _reaches(e, until)]
    if missing or len(candidate.evidence) < len(world.spec.analysis.metrics):
        return Verdict(Outcome.WAIT, Reason.NOT_ENOUGH_EVIDENCE, _lacks(missing))
    return Verdict(Outcome.PASS, Reason.STEP_ENTERED, "every metric passed")


def _reaches(known: Evidence, until: datetime) -> bool:
    return known.looked_at is not None and read(known.looked_at) >= until


def _lacks(missing: list[Evidence]) -> str:
    if not missing:
        return "not every metric has been read yet"
    first = missing[0]
    seen = f"{first.step_requests} requests in this step, odds against it {first.odds} to 1"
    return f"{first.metric}: {seen}" + (f" (rejected at {first.limit})" if first.limit else "")
