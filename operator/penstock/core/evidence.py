"""What to ask of the metrics, and what the answers add up to. Pure: the asking itself is an adapter's.

Each metric keeps its own window end, so that a silent one never hides what another says. A look covers (last look,
now - LAG]: each request is counted once, whatever the rhythm of turns; after an outage the next look covers the gap.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from penstock.api.analysis import Analysis, Metric
from penstock.api.fields import fraction, span
from penstock.api.status import Evidence, Side, Trying, VerdictName
from penstock.core.measures import TOLERANCE, measure, title
from penstock.model.measure import Arm, Counts, Question
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Problem, World
from penstock.stats.sequential import odds, one_arm_sums, two_arm_sums

EFFECT = 0.005  # a share of bad requests that is higher by less than this is no reason to wait


def known(candidate: Trying, metric: Metric) -> Evidence:
    """What the metric has shown so far; empty before its first look."""
    name = title(metric)
    return next((e for e in candidate.evidence if e.metric == name), Evidence(metric=name))


def next_look(world: World) -> datetime | None:
    """When the next window is due; None where nothing is judged now."""
    found = _judging(world)
    if not found:
        return None
    candidate, analysis = found
    return min(_due(candidate, metric, span(analysis.interval)) for metric in analysis.metrics)


def _judging(world: World) -> tuple[Trying, Analysis] | None:
    candidate = world.status.candidate
    if not (world.spec and world.spec.analysis and world.status.stable and candidate and candidate.exposed_at):
        return None
    return candidate, world.spec.analysis


def _start(candidate: Trying, metric: Metric) -> datetime:
    assert candidate.exposed_at
    return read(known(candidate, metric).looked_at or candidate.exposed_at)


def _due(candidate: Trying, metric: Metric, interval: timedelta) -> datetime:
    """An interval after the last look; also right after the step's duration, since its verdict needs that look."""
    start = _start(candidate, metric)
    step = candidate.steps[candidate.step]
    until = read(candidate.shifted_at) + span(step.duration) if candidate.shifted_at else start
    return min(start + interval, until + LAG) if start < until else start + interval


def questions(world: World) -> dict[int, Question]:
    """The windows that are due, by index of the metric in the spec."""
    found = _judging(world)
    if not found:
        return {}
    candidate, analysis = found
    end = world.now - LAG
    made: dict[int, Question] = {}
    for index, metric in enumerate(analysis.metrics):
        start = _start(candidate, metric)
        if _due(candidate, metric, span(analysis.interval)) <= world.now and start < end:
            question = _question(world, (candidate, metric), analysis.source)
            if question:
                made[index] = replace(question, start=start, end=end)
    return made


def _question(world: World, subject: tuple[Trying, Metric], source: str) -> Question | None:
    candidate, metric = subject
    fresh = not known(candidate, metric).candidate.total  # a look may come before the first scrape that shows a request
    mine = _arm(world, metric, candidate.revision)
    assert world.status.stable
    home = _arm(world, metric, world.status.stable.revision) if metric.compare else None
    if not mine or (metric.compare and not home):
        return None
    return Question(source, world.namespace, replace(mine, born=fresh), home, world.now, world.now)


def _arm(world: World, metric: Metric, revision: str) -> Arm | None:
    snapshot = world.snapshots.get(revision)
    found = measure(metric, snapshot.profile) if snapshot else None
    return None if found is None or isinstance(found, Problem) else Arm(revision, found)


def look(world: World, candidate: Trying) -> Trying:
    """The candidate with the answers of this turn added to its evidence."""
    assert world.spec
    if not world.spec.analysis or not world.status.stable:
        return candidate
    added = [_add(world, candidate, index) for index in range(len(world.spec.analysis.metrics))]
    return candidate.model_copy(update={"evidence": [e for e in added if e.looked_at]})


def _add(world: World, candidate: Trying, index: int) -> Evidence:
    assert world.spec and world.spec.analysis
    analysis = world.spec.analysis
    metric, answer = analysis.metrics[index], world.answers.get(index)
    before = known(candidate, metric)
    if not isinstance(answer, Counts):
        return before
    home = _plus(before.stable or Side(), answer.stable_bad, answer.stable_total)
    after = before.model_copy(
        update={
            "candidate": _plus(before.candidate, answer.candidate_bad, answer.candidate_total),
            "stable": home if metric.compare else None,
            "step_requests": before.step_requests + answer.candidate_total,
            "looked_at": spell(world.now - LAG),
        }
    )
    return _judge(analysis, metric, (after, answer))


def _plus(side: Side, bad: int, total: int) -> Side:
    return Side(bad=side.bad + bad, total=side.total + total)


def _judge(analysis: Analysis, metric: Metric, subject: tuple[Evidence, Counts]) -> Evidence:
    known, answer = subject
    sums = _sums(metric, known, answer)
    value, limit = odds(sums), rejection_odds(analysis)
    enough = known.step_requests >= analysis.min_requests and _acceptable(metric, known)
    failed = value >= limit or known.verdict is VerdictName.FAIL  # once proven stays proven
    verdict = VerdictName.FAIL if failed else VerdictName.PASS if enough else VerdictName.WAIT
    kept = " ".join(f"{s:.9g}" for s in sums) if metric.compare else ""
    return known.model_copy(update={"verdict": verdict, "odds": _short(value), "limit": _short(limit), "sums": kept})


def _acceptable(metric: Metric, known: Evidence) -> bool:
    """What was seen is good in itself: not being rejected is no pass."""
    mine = _share(known.candidate)
    if metric.max is not None:
        return mine <= fraction(metric.max)
    return mine <= float(metric.tolerance or TOLERANCE) * _share(known.stable or Side()) + EFFECT


def _share(side: Side) -> float:
    return side.bad / side.total if side.total else 0.0


def _sums(metric: Metric, known: Evidence, answer: Counts) -> list[float]:
    if metric.max is not None:
        return one_arm_sums(known.candidate.bad, known.candidate.total, fraction(metric.max))
    before = [float(s) for s in known.sums.split()]
    mine, home = (answer.candidate_bad, answer.candidate_total), (answer.stable_bad, answer.stable_total)
    return two_arm_sums(before, mine, home, float(metric.tolerance or TOLERANCE))


def rejection_odds(analysis: Analysis) -> float:
    """Odds at which a metric rejects: alpha is shared evenly over the metrics (union bound)."""
    alpha = fraction(analysis.alpha)
    return len(analysis.metrics) / alpha if alpha else float("inf")


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 1e6 else f"{value:.1e}"


def enter_step(evidence: list[Evidence]) -> list[Evidence]:
    """Evidence goes on over the steps; only the requests of the step begin anew, and with them the verdict."""
    return [e.model_copy(update={"step_requests": 0, "verdict": VerdictName.WAIT}) for e in evidence]


def explain(metric: Metric, known: Evidence) -> str:
    """The numbers behind a verdict, in one sentence."""
    mine = _rate(known.candidate)
    home = f", stable {_rate(known.stable)}" if known.stable else ""
    return f"{title(metric)}: candidate {mine}{home}; odds against it {known.odds} to 1, rejected at {known.limit}"


def _rate(side: Side) -> str:
    return f"{100 * _share(side):.2f}% ({side.bad} of {side.total})" if side.total else "no requests"
