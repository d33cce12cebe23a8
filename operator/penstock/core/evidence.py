"""What to ask of the metrics, and what the answers add up to. Pure: the asking itself is an adapter's.

Each metric keeps its own window end, so that a silent one never hides what another says. A look covers (last look,
now - LAG]: each request is counted once, whatever the rhythm of turns; after an outage the next look covers the gap.
"""

from datetime import datetime, timedelta
from zlib import crc32

from penstock.api.analysis import SHIFT, SLOW, Analysis, Metric
from penstock.api.fields import seconds, span
from penstock.api.status import Evidence, Trying, VerdictName
from penstock.core.judge import Trial, judge
from penstock.core.measures import filled, measure, title
from penstock.core.needs import needs, weakness
from penstock.model.copying import replace
from penstock.model.measure import Answer, Arm, Counts, Histogram, Question, Shapes, Silence
from penstock.model.schedule import LAG, LONG_AGO, read, spell
from penstock.model.values import Problem, Workload, World

TIMED = (*SLOW, SHIFT)  # what judges how long requests take


def known(candidate: Trying, metric: Metric) -> Evidence:
    """What the metric has shown so far; empty before its first look."""
    name = title(metric)
    fresh = Evidence(metric=name, dry_run=metric.dry_run or None)
    return next((e for e in candidate.evidence if e.metric == name), fresh)


def next_look(world: World) -> datetime | None:
    """When the next window is due; None where nothing is judged now."""
    found = _judging(world)
    if not found:
        return None
    candidate, analysis = found
    return min(_due(candidate, analysis, metric, world.uid) for metric in analysis.metrics)


def _judging(world: World) -> tuple[Trying, Analysis] | None:
    candidate = world.status.candidate
    if not (world.spec and world.spec.analysis and world.status.stable and candidate and candidate.exposed_at):
        return None
    return candidate, world.spec.analysis


def _first(candidate: Trying, analysis: Analysis) -> datetime:
    """From when on requests count: the first one, or the end of the warm-up."""
    assert candidate.exposed_at
    return read(candidate.exposed_at) + span(analysis.warmup)


def _start(candidate: Trying, analysis: Analysis, metric: Metric) -> datetime:
    looked = known(candidate, metric).looked_at
    return read(looked) if looked else _first(candidate, analysis)


def _due(candidate: Trying, analysis: Analysis, metric: Metric, uid: str) -> datetime:
    """The object's next beat; also right after the step's duration, since its verdict needs that look."""
    start, interval = _start(candidate, analysis, metric), span(analysis.interval)
    looked = start + LAG if known(candidate, metric).looked_at else start
    step = candidate.steps[candidate.step]
    until = read(candidate.shifted_at) + span(step.duration) if candidate.shifted_at else start
    beat = looked + _until_beat(looked, interval, uid)
    return min(beat, until + LAG) if start < until else beat


def _until_beat(looked: datetime, interval: timedelta, uid: str) -> timedelta:
    """From one look to the next: an interval at most and half of it at least, so that the second is on the beat.

    Each object has a beat of its own, once an interval: canaries that were exposed together, or looked at late
    together, are not looked at together for ever, and a late look delays none after it.
    """
    own = timedelta(seconds=crc32(uid.encode()) / 2**32 * interval.total_seconds())
    left = interval - (looked - LONG_AGO - own) % interval
    return left if left >= interval / 2 else (interval + left) / 2


def questions(world: World) -> dict[int, Question]:
    """The windows that are due, by index of the metric in the spec."""
    found = _judging(world)
    if not found:
        return {}
    candidate, analysis = found
    made: dict[int, Question] = {}
    for index, metric in enumerate(analysis.metrics):
        window = _start(candidate, analysis, metric), world.now - LAG
        if _due(candidate, analysis, metric, world.uid) <= world.now and window[0] < window[1]:
            question = _question(world, metric, window)
            if question:
                made[index] = question
    return made


def _question(world: World, metric: Metric, window: tuple[datetime, datetime]) -> Question | None:
    candidate, stable, spec = world.status.candidate, world.status.stable, world.spec
    assert candidate and stable and spec and spec.analysis
    mine = _arm(world, metric, (candidate.revision, candidate.version))
    compared = mine and (metric.compare or isinstance(mine.measure, Histogram))
    home = _arm(world, metric, (stable.revision, stable.version)) if compared else None
    if not mine or (compared and not home):
        return None
    # A look may come before the first scrape that shows a request. After a warm-up the counters are known already.
    fresh = not known(candidate, metric).candidate.total and not seconds(spec.analysis.warmup)
    return Question(metric.source or spec.analysis.source, world.namespace, replace(mine, born=fresh), home, *window)


def _arm(world: World, metric: Metric, side: tuple[str, str]) -> Arm | None:
    """One side, given as (revision, version)."""
    snapshot = world.snapshots.get(side[0])
    found = measure(metric, snapshot.profile) if snapshot else None
    return (
        None
        if found is None or isinstance(found, Problem)
        else Arm(side[0], filled(found, (world.namespace, world.name), side))
    )


def fair(world: World, answers: dict[int, Answer]) -> dict[int, Answer]:
    """The answers that say something about the version.

    How slow a candidate is that has fewer pods than its own autoscaler wants says nothing of the model: requests of
    such a window are not counted by what judges time. Errors are.
    """
    candidate, analysis = world.status.candidate, world.spec.analysis if world.spec else None
    if not candidate or not analysis or not _lacks_pods(world, candidate):
        return answers
    timed = {number for number, metric in enumerate(analysis.metrics) if metric.name in TIMED}
    return {number: _nothing(answer) if number in timed else answer for number, answer in answers.items()}


def _lacks_pods(world: World, candidate: Trying) -> str:
    """In words, that its autoscaler wants more pods than are ready; empty where it does not."""
    told, ready = world.scalers.get(candidate.revision), world.workloads.get(candidate.revision, Workload()).ready
    if not told or not told.active or told.wanted <= ready:
        return ""
    return f"not counted while its autoscaler wants {told.wanted} pods and {ready} are ready"


def _nothing(answer: Answer) -> Answer:
    """The same answer of a window without a request."""
    match answer:
        case Counts():
            return Counts(0, 0)
        case Shapes(bounds=bounds):
            return Shapes(bounds, (0,) * len(bounds), (0,) * len(bounds))
        case _:
            return answer


def look(world: World, candidate: Trying) -> Trying:
    """The candidate with the answers of this turn added to its evidence."""
    assert world.spec
    if not world.spec.analysis or not world.status.stable or not candidate.exposed_at:
        return candidate
    added = [_add(world, candidate, index) for index in range(len(world.spec.analysis.metrics))]
    kept = [e for e in added if e.looked_at or e.verdict is VerdictName.FAIL]
    return candidate.model_copy(update={"evidence": kept})


def _add(world: World, candidate: Trying, index: int) -> Evidence:
    assert world.spec and world.spec.analysis
    analysis = world.spec.analysis
    metric, answer = analysis.metrics[index], world.answers.get(index)
    before = known(candidate, metric)
    if answer is None:
        return before
    trial = Trial(analysis, metric, _first(candidate, analysis), world.now - LAG)
    if isinstance(answer, Silence):
        return judge(trial, before, answer)
    after = judge(trial, before.model_copy(update={"looked_at": spell(trial.now)}), answer)
    pods = world.workloads.get(candidate.revision, Workload()).ready
    said: dict[str, object] = {"needs": needs(trial, after, candidate), "weak": weakness(metric, pods)}
    if metric.name in TIMED and (lacks := _lacks_pods(world, candidate)):
        said["weak"] = lacks
    return after.model_copy(update=said)


def enter_step(evidence: list[Evidence]) -> list[Evidence]:
    """Evidence goes on over the steps; only the requests of the step begin anew, and with them the verdict."""
    anew: dict[str, object] = {"step_requests": 0, "verdict": VerdictName.WAIT, "needs": None}
    return [e.model_copy(update=anew | ({"samples": 0} if e.samples is not None else {})) for e in evidence]


def deciding(analysis: Analysis) -> list[Metric]:
    """The metrics that have a say: all but those in a dry run."""
    return [metric for metric in analysis.metrics if not metric.dry_run]
