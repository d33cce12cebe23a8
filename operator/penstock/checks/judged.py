"""Every metric says pass, on requests of this step, in a window that reaches past the step's duration."""

from datetime import datetime, timedelta

from penstock.api.analysis import Metric
from penstock.api.status import Evidence, Trying, VerdictName
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
    silence = silent(world)
    if silence:
        return Verdict(Outcome.WAIT, Reason.METRICS_UNAVAILABLE, silence)
    until = read(candidate.shifted_at) + timedelta(seconds=step.seconds) if candidate.shifted_at else world.now
    known = deciding(candidate)
    missing = [e for e in known if e.verdict is not VerdictName.PASS or not _reaches(e, until)]
    if missing and all(e.verdict is VerdictName.INCONCLUSIVE for e in missing):
        return Verdict(Outcome.WAIT, Reason.INCONCLUSIVE, _undecided(candidate, missing))
    if missing or len(known) < sum(not metric.dry_run for metric in world.spec.analysis.metrics):
        return Verdict(Outcome.WAIT, Reason.NOT_ENOUGH_EVIDENCE, _lacks(missing))
    return Verdict(Outcome.PASS, Reason.STEP_ENTERED, "every metric passed")


def silent(world: World) -> str:
    """What the first silent source says about a metric that has a say; empty where none is silent."""
    metrics = world.spec.analysis.metrics if world.spec and world.spec.analysis else []
    found = (a.message for n, a in world.answers.items() if isinstance(a, Silence) and not _is_dry(metrics, n))
    return next(found, "")


def _is_dry(metrics: list[Metric], number: int) -> bool:
    return number < len(metrics) and metrics[number].dry_run


def deciding(candidate: Trying) -> list[Evidence]:
    """The evidence that has a say: all but that of dry runs."""
    return [e for e in candidate.evidence if not e.dry_run]


def _undecided(candidate: Trying, missing: list[Evidence]) -> str:
    """Only a person can go on: said with what the person may write."""
    names = ", ".join(e.metric for e in missing)
    return f"nothing to judge by in {names}: annotate penstock.dev/promote or penstock.dev/abort={candidate.revision}"


def _reaches(known: Evidence, until: datetime) -> bool:
    return known.looked_at is not None and read(known.looked_at) >= until


def _lacks(missing: list[Evidence]) -> str:
    if not missing:
        return "not every metric has been read yet"
    first = missing[0]
    if first.samples is not None or first.failures is not None:
        return f"{first.metric}: {first.value}"
    seen = f"{first.step_requests} requests in this step, odds against it {first.odds} to 1"
    return f"{first.metric}: {seen}" + (f" (rejected at {first.limit})" if first.limit else "")
