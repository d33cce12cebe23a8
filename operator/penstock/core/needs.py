"""What is still needed before a metric can pass, and the numbers behind a verdict, in words for a person. Pure."""

from penstock.api.analysis import Metric
from penstock.api.status import Evidence, GroupSide, Side, Trying, VerdictName
from penstock.core.judge import Trial, is_level, share
from penstock.core.measures import title
from penstock.model.reasons import Reason
from penstock.model.schedule import read

_ON_FAIL = {
    ("errorRate", False): Reason.ERROR_RATE_ABOVE_LIMIT,
    ("errorRate", True): Reason.ERROR_RATE_ABOVE_STABLE,
    ("slowRate", False): Reason.SLOW_RATE_ABOVE_LIMIT,
    ("slowRate", True): Reason.SLOW_RATE_ABOVE_STABLE,
}
# Why a candidate may be taken off by its metrics.
FAILURES = (
    *_ON_FAIL.values(),
    Reason.METRIC_ABOVE_LIMIT,
    Reason.METRIC_BELOW_LIMIT,
    Reason.METRIC_ABOVE_STABLE,
    Reason.GROUPS_DIFFER,
    Reason.DISTRIBUTION_SHIFTED,
    Reason.METRICS_LOST,
    Reason.NO_DATA,
)


def why(metric: Metric, known: Evidence) -> Reason:
    """The reason of a failure."""
    stated = next((reason for reason in FAILURES if reason.value == known.why), None)
    if stated:
        return stated
    if metric.max_disparity:
        return Reason.GROUPS_DIFFER
    if metric.shift or metric.name == "latencyShift":
        return Reason.DISTRIBUTION_SHIFTED
    general = Reason.METRIC_ABOVE_STABLE if metric.compare else Reason.METRIC_ABOVE_LIMIT
    return _ON_FAIL.get((metric.name, metric.compare is not None), general)


def needs(trial: Trial, known: Evidence, candidate: Trying) -> str | None:
    """How many requests, and how long at today's rate; None where nothing more is needed."""
    if known.verdict is not VerdictName.WAIT:
        return None
    if is_level(trial.metric):
        missing = trial.metric.min_samples - (known.samples or 0)
        return f"{missing} more good looks" if missing > 0 else "a good look"
    missing = trial.analysis.min_requests - known.step_requests
    if missing <= 0:
        return "a share that is acceptable, or odds that reject it"
    began = candidate.shifted_at or candidate.exposed_at
    past = (trial.now - max(read(began), trial.since)).total_seconds() if began else 0.0
    if not known.step_requests or past <= 0:
        return f"{missing} more requests; none has come yet"
    return f"about {missing} more requests, {_spoken(missing * past / known.step_requests)} at today's rate"


def weakness(metric: Metric, pods: int) -> str | None:
    """Requests of one pod are not independent: its bad minute looks like a bad version. Values have no odds."""
    return None if is_level(metric) or pods > 1 else "one pod answered: a burst of its own looks like a bad version"


def _spoken(wait: float) -> str:
    """A duration that does not change from look to look more than it must."""
    if wait < 60:
        return f"{max(1, round(wait))} s"
    return f"{round(wait / 60)} min" if wait < 5400 else f"{wait / 3600:.1f} h"


def explain(metric: Metric, known: Evidence) -> str:
    """The numbers behind a verdict, in one sentence."""
    if known.why in (Reason.METRICS_LOST, Reason.NO_DATA):
        budget = metric.error_budget if known.why == Reason.METRICS_LOST else metric.no_data_for
        return f"{title(metric)}: nothing usable for more than {budget}"
    if is_level(metric):
        return f"{title(metric)}: {known.value}; looks outside: {known.failures or 0}, allowed {metric.failure_budget}"
    weak = f" (weak: {known.weak})" if known.weak else ""
    return f"{title(metric)}: {_told(known)}; odds against it {known.odds} to 1, rejected at {known.limit}{weak}"


def _told(known: Evidence) -> str:
    if known.value is not None:
        return f"{known.value}, {known.candidate.total} events"
    if known.groups:
        worst = max(known.groups, key=share)
        return f"worst group {worst.name or 'without a name'} {_rate(worst)}"
    home = f", stable {_rate(known.stable)}" if known.stable else ""
    return f"candidate {_rate(known.candidate)}{home}"


def _rate(side: Side | GroupSide) -> str:
    return f"{100 * share(side):.2f}% ({side.bad} of {side.total})" if side.total else "no requests"
