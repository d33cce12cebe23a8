"""What a rollout's evidence will cost before it starts: requests, time and bad answers, by step and by metric.

Expectations for people, from the steps as a rollout would pin them and the tests as they would judge. Nothing here
decides, and nothing is asked of anybody. How far from the truth it may be: `stats.needs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil

from penstock.api.analysis import SHIFT, Analysis, Metric
from penstock.api.fields import limit, seconds
from penstock.api.spec import Spec
from penstock.api.status import PlannedStep, Serving, Status, StepKind
from penstock.api.traffic import OnShareUnreachable
from penstock.core import strategy
from penstock.core.judge import EFFECT, is_level, rejection_odds
from penstock.core.measures import TOLERANCE, title
from penstock.core.moves import spoken
from penstock.model.values import World
from penstock.stats.needs import NEVER, requests_to_reject, requests_to_reject_against

WORSE = (2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Traffic:
    """Requests per second of all clients, the stable revision's share of bad ones, and the cohort's share of all."""

    rate: float | None = None
    bad: float = 0.01
    cohort: float | None = None


@dataclass(frozen=True)
class StepCost:
    """One step. Times in seconds; None where they depend on what is not known."""

    number: int
    words: str
    kind: StepKind
    approved: bool
    judged: bool
    duration: float
    given_up: float | None
    """From its share on, when the deadline takes the candidate off."""
    share: float | None
    """Of all requests, those that the candidate answers."""
    home: float | None
    """Requests that the stable revision answers for each of the candidate's."""
    rate: float | None = None
    """Requests per second of the candidate."""
    evidence: float | None = None
    """Until there are minRequests; only where the step is judged."""
    takes: float | None = None


class End(StrEnum):
    """How a step ends for such a candidate."""

    REJECTED = "Rejected"
    DEADLINE = "Deadline"
    PASSES = "Passes"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Detection:
    """A candidate with this share of bad answers: requests, failed ones and seconds until the metric rejects it.

    None: never, or unknown.
    """

    worse: float
    bad: float
    requests: int | None
    failed: int | None
    time: float | None
    end: End


@dataclass(frozen=True)
class MetricCost:
    """One metric: detections by number of the step, or a note where no test gives figures."""

    title: str
    note: str
    found: dict[int, tuple[Detection, ...]]


@dataclass(frozen=True)
class Budget:
    """The whole rollout."""

    traffic: Traffic
    analysis: Analysis | None
    odds: float
    steps: tuple[StepCost, ...]
    metrics: tuple[MetricCost, ...]
    advice: tuple[str, ...]
    best: float | None


def make_budget(name: str, spec: Spec, traffic: Traffic) -> Budget:
    """What the next rollout of this spec will cost, against a stable revision that has the least replicas."""
    status = Status(stable=Serving(revision="stable"))
    world = World(datetime.fromtimestamp(0, UTC), "", name, "", 1, spec, status)
    plan = strategy.pin(world, direct=False)
    steps = tuple(_cost(spec, traffic, n, step) for n, step in enumerate(plan))
    judging = [step for step in steps if step.kind is not StepKind.FULL]
    metrics = spec.analysis.metrics if spec.analysis else []
    times = [step.takes for step in steps]
    return Budget(
        traffic,
        spec.analysis,
        rejection_odds(spec.analysis) if spec.analysis else 0.0,
        steps,
        tuple(_metric(spec.analysis, metric, traffic, judging) for metric in metrics if spec.analysis),
        tuple(_advice(spec, traffic, steps, strategy.unreachable(world, plan))),
        None if None in times else sum(time or 0.0 for time in times),
    )


def _cost(spec: Spec, traffic: Traffic, number: int, step: PlannedStep) -> StepCost:
    share, duration = _share(step, traffic), seconds(step.duration)
    judged = step.judged and spec.analysis is not None and step.kind not in (StepKind.FULL, StepKind.BAKE)
    held = step.kind not in (StepKind.FULL, StepKind.BAKE)
    rate = traffic.rate * share if traffic.rate is not None and share is not None else None
    evidence = _evidence(spec.analysis, rate, number) if judged and spec.analysis else None
    return StepCost(
        number=number,
        words=spoken(step),
        kind=step.kind,
        approved=step.approval is not None,
        judged=judged,
        duration=duration,
        given_up=duration + seconds(spec.rollout.deadline) if held else None,
        share=share,
        home=_home(step, share),
        rate=rate,
        evidence=evidence,
        takes=max(duration, evidence or 0.0) if not judged or evidence is not None else None,
    )


def _share(step: PlannedStep, traffic: Traffic) -> float | None:
    """Of all requests, what the candidate answers; nobody knows how many come to a preview."""
    if step.kind is StepKind.SHADOW:
        return step.mirror / 100
    if step.kind is StepKind.COHORT:
        return traffic.cohort
    return None if step.kind is StepKind.PREVIEW else step.weight / 100


def _home(step: PlannedStep, share: float | None) -> float | None:
    if not share:
        return None
    return 1 / share if step.kind is StepKind.SHADOW else (1 - share) / share


def _evidence(analysis: Analysis, rate: float | None, number: int) -> float | None:
    """Seconds until a healthy candidate can have passed every metric that has a say."""
    warm = seconds(analysis.warmup) if number == 0 else 0.0
    metrics = [metric for metric in analysis.metrics if not metric.dry_run]
    looks = max((m.min_samples for m in metrics if is_level(m)), default=1) * seconds(analysis.interval)
    if all(map(is_level, metrics)):
        return warm + looks
    return None if not rate else warm + max(looks, analysis.min_requests / rate)


def _metric(analysis: Analysis, metric: Metric, traffic: Traffic, steps: list[StepCost]) -> MetricCost:
    note = _note(analysis, metric)
    figures = not note and (metric.max is not None or metric.compare is not None)
    found = {step.number: tuple(_detections(analysis, metric, traffic, step)) for step in steps if figures}
    return MetricCost(title(metric).strip(), note, found)


def _note(analysis: Analysis, metric: Metric) -> str:
    """Why there are no figures; empty where there are some."""
    if metric.dry_run:
        return "in a dry run: it is judged and shown, and never takes the candidate off"
    if is_level(metric):
        late = spelled((metric.failure_budget + 1) * seconds(analysis.interval))
        return (
            f"a value, no test stands behind it: one look more than {metric.failure_budget} outside of the limit takes"
            f" the candidate off, {late} after it went wrong at the soonest; {metric.min_samples} good ones pass a step"
        )
    if metric.max_disparity:
        return "no figures: it depends on how many requests each group sends"
    if metric.shift or metric.name == SHIFT:
        return "no figures: it depends on how the values move; larger shifts than max are taken off once proven"
    if metric.max is None and metric.compare is None:
        return "neither max nor compare is given: the API server will refuse it"
    return "a limit of 0: the first bad answer takes the candidate off" if _no_room(metric) else ""


def _no_room(metric: Metric) -> bool:
    return metric.max is not None and limit(metric.max) <= 0.0


def _detections(analysis: Analysis, metric: Metric, traffic: Traffic, step: StepCost) -> Iterator[Detection]:
    usual = limit(metric.max) if metric.max is not None else traffic.bad
    for worse in WORSE:
        bad = usual * worse
        if bad <= 1.0:
            needed = _needed(analysis, metric, (bad, usual), step.home)
            time = _until_seen(analysis, needed, step.rate)
            failed = ceil(needed * bad) if needed is not None else None
            end = _end(step, time, needed is None and step.home is not None, _looks_good(metric, bad, usual))
            yield Detection(worse, bad, needed, failed, time, end)


def _looks_good(metric: Metric, bad: float, usual: float) -> bool:
    """Whether such a candidate passes by its share, as long as nothing is proven against it."""
    return metric.max is None and bad <= float(metric.tolerance or TOLERANCE) * usual + EFFECT


def _end(step: StepCost, time: float | None, never: bool, good: bool) -> End:
    """Which comes first: the rejection, the step's own end where it can pass, or the deadline."""
    if time is None and not never:
        return End.UNKNOWN
    if step.takes is None:
        return End.UNKNOWN
    leaves = step.takes if good or not step.judged else None
    times = ((time, End.REJECTED), (leaves, End.PASSES), (step.given_up, End.DEADLINE))
    known = [(at, end) for at, end in times if at is not None]
    return min(known, key=lambda one: one[0])[1]  # the first of equal ones


def _needed(analysis: Analysis, metric: Metric, rates: tuple[float, float], home: float | None) -> int | None:
    odds = rejection_odds(analysis)
    if metric.max is not None:
        needed = requests_to_reject(limit(metric.max), rates[0], odds)
    elif not home:  # unknown, or a stable revision without requests: nothing to compare with
        return None
    else:
        needed = requests_to_reject_against(rates, home, float(metric.tolerance or TOLERANCE), odds)
    return needed if needed < NEVER else None


def _until_seen(analysis: Analysis, needed: int | None, rate: float | None) -> float | None:
    """Seconds until the look that sees so many requests."""
    if needed is None or not rate:
        return None
    interval = seconds(analysis.interval)
    return max(1, ceil(needed / rate / interval)) * interval


def _advice(spec: Spec, traffic: Traffic, steps: tuple[StepCost, ...], lacking: str) -> Iterator[str]:
    """What will not go as written, and what to change."""
    if lacking and spec.traffic.on_share_unreachable is OnShareUnreachable.REFUSE:
        yield f"it is not begun: {lacking}"
    for step in steps:
        if step.evidence is None or not spec.analysis or step.evidence <= step.duration:
            continue
        late = step.given_up is not None and step.evidence > step.given_up
        if late or step.duration:
            what = "the deadline comes first and takes the candidate off" if late else "it is that long"
            yield (
                f"step {step.number + 1} ({step.words}) is to last {spelled(step.duration)}, and enough evidence takes"
                f" {spelled(step.evidence)}: {what}. To mend it: {', or '.join(_ways(spec.analysis, traffic, step))}."
            )


def _ways(analysis: Analysis, traffic: Traffic, step: StepCost) -> Iterator[str]:
    """What to write instead; each alone is enough."""
    assert step.evidence is not None
    counted = step.duration - (seconds(analysis.warmup) if step.number == 0 else 0.0)
    if step.rate and counted > 0 and analysis.min_requests > step.rate * counted:
        yield f"analysis.minRequests: {max(1, int(step.rate * counted))}"
        weight = ceil(100 * analysis.min_requests / ((traffic.rate or step.rate) * counted))
        if step.kind is StepKind.CANARY and weight < 100:
            yield f"weight: {weight}"
    yield f"duration: {spelled(step.evidence)}"


def spelled(length: float) -> str:
    """Seconds as a manifest spells them, whole ones, rounded up: 90 is 1m30s."""
    whole = ceil(length - 1e-9)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
