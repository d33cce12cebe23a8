"""What an answer adds to a metric's evidence, and what the evidence then says. Pure arithmetic on frozen values.

One way to count for each kind of answer, and one order of verdicts for all of them:

    proven bad  >  failure budget  >  error budget  >  no-data policy  >  not enough evidence  >  pass

The first that applies decides. Only `stats` knows a test; only `evidence` knows when to look.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from penstock.api.analysis import LEVELS, Analysis, Metric, NoData
from penstock.api.fields import limit, span
from penstock.api.status import Evidence, GroupSide, Side, VerdictName
from penstock.core.carried import Shares, read_shape, read_shares
from penstock.core.measures import TOLERANCE
from penstock.model.measure import Answer, Counts, Groups, Levels, Shapes, Silence
from penstock.model.reasons import Reason
from penstock.model.schedule import read
from penstock.stats import interval, shift
from penstock.stats.sequential import odds, one_arm_sums, ratio_sums

EFFECT = 0.005  # a share of bad requests that is higher by less than this is no reason to wait
SLOTS = 32  # groups that the test of a disparity allows for, seen or not
GROUP_RATIOS = (1.5, 2.0, 4.0, 10.0)
SPREAD = 0.05  # the interval that is shown to people holds the truth in 95 % of all rollouts, at every look


@dataclass(frozen=True)
class Trial:
    """One metric of an analysis, and since when it has been asked about this candidate."""

    analysis: Analysis
    metric: Metric
    since: datetime
    now: datetime


def judge(trial: Trial, before: Evidence, answer: Answer) -> Evidence:
    """The evidence after one more answer."""
    match answer:
        case Silence():
            return _unanswered(trial, before)
        case Counts():
            known = _shares(trial, before, answer)
        case Groups():
            known = _groups(trial, before, answer)
        case Shapes():
            known = _shift(trial, before, answer)
        case Levels():
            known = _levels(trial, before, answer)
    policy = trial.metric.no_data
    if known.verdict is VerdictName.FAIL or policy is NoData.HOLD or not _is_empty(trial, known):
        return known
    why = Reason.NO_DATA.value if policy is NoData.FAIL else None
    return known.model_copy(update={"verdict": _BY_POLICY[policy], "why": why})


_BY_POLICY = {
    NoData.FAIL: VerdictName.FAIL,
    NoData.INCONCLUSIVE: VerdictName.INCONCLUSIVE,
    NoData.PASS: VerdictName.PASS,
}


def _is_empty(trial: Trial, known: Evidence) -> bool:
    """Whether there has been nothing to judge for `noDataFor`."""
    last = read(known.seen_at) if known.seen_at else trial.since
    return trial.now - last >= span(trial.metric.no_data_for)


def _unanswered(trial: Trial, before: Evidence) -> Evidence:
    """Silence adds nothing; it only ends what the error budget allows."""
    last = read(before.looked_at) if before.looked_at else trial.since
    budget = trial.metric.error_budget
    if before.verdict is VerdictName.FAIL or not budget or trial.now - last < span(budget):
        return before
    return before.model_copy(update={"verdict": VerdictName.FAIL, "why": Reason.METRICS_LOST.value})


def _shares(trial: Trial, before: Evidence, answer: Counts) -> Evidence:
    """Bad events out of all, against an objective or against the stable revision."""
    mine, home = (answer.candidate_bad, answer.candidate_total), (answer.stable_bad, answer.stable_total)
    known = before.model_copy(
        update={
            "candidate": _plus(before.candidate, mine),
            "stable": _plus(before.stable or Side(), home) if trial.metric.compare else None,
            "step_requests": before.step_requests + answer.candidate_total,
        }
    )
    tested = _tested(trial.metric, known, (mine, home))
    good = known.step_requests >= trial.analysis.min_requests and _is_acceptable(trial.metric, known)
    kept = tested.written() if trial.metric.compare else ""
    proof = _proof(trial, known, odds(tested.sums))
    known = known.model_copy(update={"sums": kept, "range": _range(known), **proof})
    return _leaning(known, good=good, seen=answer.candidate_total > 0)


def _tested(metric: Metric, known: Evidence, look: tuple[tuple[int, int], tuple[int, int]]) -> Shares:
    if metric.max is not None:
        return Shares(tuple(one_arm_sums(known.candidate.bad, known.candidate.total, limit(metric.max))))
    return read_shares(known.sums).add(*look, tolerance=float(metric.tolerance or TOLERANCE))


def _is_acceptable(metric: Metric, known: Evidence) -> bool:
    """What was seen is good in itself: not being rejected is no pass."""
    mine = share(known.candidate)
    if metric.max is not None:
        return mine <= limit(metric.max)
    return mine <= float(metric.tolerance or TOLERANCE) * share(known.stable or Side()) + EFFECT


def _range(known: Evidence) -> str:
    """Where the true share, or its difference to the stable one's, lies: a confidence sequence, valid at every look."""
    mine = (known.candidate.bad, known.candidate.total)
    if known.stable is None:
        low, high = interval.bounds(*mine, SPREAD)
        return f"{100 * low:.2f}% to {100 * high:.2f}%"
    low, high = interval.difference(mine, (known.stable.bad, known.stable.total), SPREAD)
    return f"{100 * low:+.2f} to {100 * high:+.2f} points against stable"


def _groups(trial: Trial, before: Evidence, answer: Groups) -> Evidence:
    """Each group of the candidate's events against all others: two-arm tests, averaged over a fixed number of slots."""
    disparity = float(trial.metric.max_disparity or 1)
    everything = [sum(counts[n] for counts in answer.counts.values()) for n in (0, 1)]
    found = {g.name: g for g in before.groups}
    for name, (bad, total) in sorted(answer.counts.items()):
        if name not in found and len(found) == SLOTS:
            continue  # never a new test beyond those that the odds are shared over
        was = found.get(name, GroupSide(name=name))
        rest = (everything[0] - bad, everything[1] - total)
        sums = ratio_sums(GROUP_RATIOS, _unpacked(was.sums), ((bad, total), rest), disparity)
        found[name] = GroupSide(name=name, bad=was.bad + bad, total=was.total + total, sums=_packed(sums))
    value = (SLOTS - len(found) + sum(odds(_unpacked(g.sums)) for g in found.values())) / SLOTS
    known = before.model_copy(
        update={
            "candidate": _plus(before.candidate, (everything[0], everything[1])),
            "step_requests": before.step_requests + everything[1],
            "groups": list(found.values()),
        }
    )
    fair = all(_is_fair(known, g, disparity) for g in known.groups)
    good = known.step_requests >= trial.analysis.min_requests and fair
    known = known.model_copy(update=_proof(trial, known, value))
    return _leaning(known, good=good, seen=everything[1] > 0)


def _is_fair(known: Evidence, group: GroupSide, disparity: float) -> bool:
    rest = Side(bad=known.candidate.bad - group.bad, total=known.candidate.total - group.total)
    return share(group) <= disparity * share(rest) + EFFECT


def _shift(trial: Trial, before: Evidence, answer: Shapes) -> Evidence:
    """A change of distribution is a failure when it is proven and larger than the limit."""
    shape = read_shape(before.sums, len(answer.bounds)).add((answer.candidate, answer.stable))
    (mine, home), events = shape.counted(), sum(answer.candidate)
    index = shift.psi(mine, home) if sum(mine) and sum(home) else 0.0
    noise = shift.psi_noise(sum(mine), sum(home), len(mine))[0] if sum(mine) and sum(home) else 0.0
    large = index - noise > limit(trial.metric.max or "0")
    known = before.model_copy(
        update={
            "candidate": _plus(before.candidate, (0, events)),
            "step_requests": before.step_requests + events,
            "sums": shape.written(),
            "value": f"{index:.3f} (chance alone: about {noise:.3f})",
        }
    )
    good = known.step_requests >= trial.analysis.min_requests and not large
    proof = _proof(trial, known, math.exp(min(shape.value, 700.0)))
    if not large and known.verdict is not VerdictName.FAIL:
        proof.pop("verdict", None)
    return _leaning(known.model_copy(update=proof), good=good, seen=events > 0)


def _levels(trial: Trial, before: Evidence, answer: Levels) -> Evidence:
    """Values against fixed limits; of several series the worst counts."""
    if not answer.values:  # a sparse value that was good a moment ago is not lost by a look between two of its points
        return _leaning(before, good=False, seen=False) if _is_empty(trial, before) else before
    low, high = min(answer.values), max(answer.values)
    metric = trial.metric
    below = metric.min is not None and low < limit(metric.min)
    above = metric.max is not None and high > limit(metric.max)
    worst = low if below or metric.max is None else high
    good = not below and not above
    failures, samples = (before.failures or 0) + (not good), (before.samples or 0) + good
    update: dict[str, object] = {
        "value": f"{worst:.6g}" + (f" (worst of {len(answer.values)} series)" if len(answer.values) > 1 else ""),
        "samples": samples,
        "failures": failures,
    }
    if failures > metric.failure_budget:
        why = Reason.METRIC_BELOW_LIMIT if below else Reason.METRIC_ABOVE_LIMIT
        update |= {"verdict": VerdictName.FAIL, "why": before.why or why.value}
    return _leaning(before.model_copy(update=update), good=good and samples >= metric.min_samples, seen=True)


def _leaning(known: Evidence, *, good: bool, seen: bool) -> Evidence:
    """What the numbers of this look say by themselves, before any policy."""
    update: dict[str, object] = {"seen_at": known.looked_at} if seen else {}
    if known.verdict is not VerdictName.FAIL:
        update["verdict"] = VerdictName.PASS if good else VerdictName.WAIT
    return known.model_copy(update=update)


def _proof(trial: Trial, known: Evidence, value: float) -> dict[str, object]:
    """The odds, their limit, and the failure where they have reached it."""
    bound = rejection_odds(trial.analysis)
    failed = {"verdict": VerdictName.FAIL} if value >= bound else {}
    return {"odds": _short(value), "limit": _short(bound), **failed}


def rejection_odds(analysis: Analysis) -> float:
    """Odds at which a metric rejects: alpha is shared evenly over the metrics that test and decide (union bound)."""
    alpha = limit(analysis.alpha)
    tests = sum(not m.dry_run and not is_level(m) for m in analysis.metrics)
    return max(1, tests) / alpha if alpha else float("inf")


def is_level(metric: Metric) -> bool:
    """Whether the metric is a value with limits, which no test stands behind."""
    return metric.value is not None or metric.name in LEVELS


def share(side: Side | GroupSide) -> float:
    """Bad events out of all; 0 where there are none."""
    return side.bad / side.total if side.total else 0.0


def _plus(side: Side, more: tuple[int, int]) -> Side:
    return Side(bad=side.bad + more[0], total=side.total + more[1])


def _packed(sums: list[float]) -> str:
    return " ".join(f"{s:.9g}" for s in sums)


def _unpacked(text: str) -> list[float]:
    return [float(s) for s in text.split()]


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 1e6 else f"{value:.1e}"
