"""Every kind of answer, the order of verdicts, budgets and policies: what a metric says after these looks."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.api.status import Evidence, VerdictName
from penstock.checks.judged import judged
from penstock.core import evidence, judge, strategy
from penstock.core.decide import advance
from penstock.core.needs import explain, why
from penstock.model.measure import Answer, Counts, Groups, Histogram, Levels, Query, Rate, Shapes, Silence
from penstock.model.reasons import Reason
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Outcome, RouteSeen, Workload, World
from tests.unit.test_evidence import NOW, world

SERIES = {"name": "predictions_total"}
OBJECTIVE = {"name": "errorRate", "max": "1%"}
COMPARED = {"name": "errorRate", "compare": "Stable"}
OWN = {"name": "refusals", "ratio": {"bad": SERIES, "total": SERIES}, "max": "1%"}
FAIR = {"name": "refusals", "ratio": {"bad": SERIES, "total": SERIES, "by": "age"}, "maxDisparity": "1.25"}
SHIFT = {"name": "scores", "shift": {"histogram": {"name": "score"}}, "max": "0.1"}
VALUE = {"name": "accuracy", "value": {"query": "min(accuracy)"}, "min": "0.9"}
KINDS: dict[str, tuple[dict[str, Any], Answer]] = {
    "share": (OBJECTIVE, Counts(0, 0)),
    "compared share": (COMPARED, Counts(0, 0, 3, 500)),
    "share of one's own": (OWN, Counts(0, 0)),
    "groups": (FAIR, Groups({})),
    "shift": (SHIFT, Shapes(("1", "+Inf"), (0, 0), (50, 50))),
    "value": (VALUE, Levels(())),
}


def tell(seen: World, *looks: Answer, seconds: float = 10.0) -> World:
    """The world after these answers to the first metric, so many seconds apart; no step is entered in between."""
    for answer in looks:
        assert seen.status.candidate
        candidate = evidence.look(replace(seen, answers={0: answer}), seen.status.candidate)
        status = seen.status.model_copy(update={"candidate": candidate})
        seen = replace(seen, status=status, now=seen.now + timedelta(seconds=seconds))
    return seen


def known(seen: World) -> Evidence:
    assert seen.status.candidate
    return seen.status.candidate.evidence[0]


def reason(seen: World) -> Reason:
    assert seen.spec and seen.spec.analysis
    return why(seen.spec.analysis.metrics[0], known(seen))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_no_pass(kind: str) -> None:
    metric, nothing = KINDS[kind]
    assert known(tell(world(metric), *[nothing] * 50)).verdict is VerdictName.WAIT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["Hold", "Fail", "Inconclusive", "Pass"])
def test_nothing_for_long_follows_the_policy(kind: str, policy: str) -> None:
    metric, nothing = KINDS[kind]
    metric = metric | {"noData": policy} | ({} if policy == "Hold" else {"noDataFor": "2m"})
    early = tell(world(metric), *[nothing] * 3)
    assert known(early).verdict is VerdictName.WAIT
    late = known(tell(early, *[nothing] * 12))
    assert late.verdict.value == {"Hold": "Wait"}.get(policy, policy)
    assert late.why == ("NoData" if policy == "Fail" else None)


def test_something_ends_the_time_without() -> None:
    metric = OBJECTIVE | {"noData": "Fail", "noDataFor": "90s"}
    seen = tell(world(metric), *[Counts(0, 0)] * 3, Counts(0, 5), *[Counts(0, 0)] * 8)
    assert known(seen).verdict is VerdictName.WAIT
    assert known(tell(seen, Counts(0, 0))).verdict is VerdictName.FAIL


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_source_is_held_for_until_its_budget_ends(kind: str) -> None:
    metric, nothing = KINDS[kind]
    silence = Silence("dead")
    patient = tell(world(metric), nothing, *[silence] * 500)
    assert known(patient).verdict is VerdictName.WAIT
    seen = tell(world(metric | {"errorBudget": "2m"}), nothing, *[silence] * 11)
    assert known(seen).verdict is VerdictName.WAIT
    over = tell(seen, silence)
    assert (known(over).verdict, reason(over)) == (VerdictName.FAIL, Reason.METRICS_LOST)


def test_a_source_that_never_answered_is_over_its_budget_too() -> None:
    seen = tell(world(OBJECTIVE | {"errorBudget": "2m"}), *[Silence("dead")] * 5)
    assert seen.status.candidate and seen.status.candidate.evidence == []
    assert reason(tell(seen, *[Silence("dead")] * 10)) is Reason.METRICS_LOST


def test_what_is_proven_comes_before_any_policy() -> None:
    metric = OBJECTIVE | {"noData": "Pass", "noDataFor": "10s"}
    seen = tell(world(metric), Counts(30, 100), *[Counts(0, 0)] * 20)
    assert (known(seen).verdict, reason(seen)) == (VerdictName.FAIL, Reason.ERROR_RATE_ABOVE_LIMIT)


def test_groups_that_fare_alike_pass() -> None:
    look = Groups({"young": (2, 200), "old": (3, 200), "": (0, 40)})
    assert known(tell(world(FAIR), *[look] * 5)).verdict is VerdictName.PASS


def test_a_group_that_fares_worse_fails_and_is_named() -> None:
    seen = tell(world(FAIR), *[Groups({"young": (2, 200), "old": (20, 200)})] * 5)
    assert (known(seen).verdict, reason(seen)) == (VerdictName.FAIL, Reason.GROUPS_DIFFER)
    assert [(g.name, g.bad, g.total) for g in known(seen).groups] == [("old", 100, 1000), ("young", 10, 1000)]


def test_equal_groups_are_rejected_less_often_than_declared() -> None:
    """Thirty looks at eight groups whose true shares are equal, 300 times; alpha is 5 %."""
    rng = random.Random(11)
    metric = FAIR | {"maxDisparity": "1"}

    def look() -> Groups:
        return Groups({str(g): (sum(rng.random() < 0.05 for _ in range(20)), 20) for g in range(8)})

    failed = sum(
        known(tell(world(metric), *(look() for _ in range(30)))).verdict is VerdictName.FAIL for _ in range(300)
    )
    assert failed <= 15


def test_groups_beyond_the_slots_are_counted_and_not_tested() -> None:
    many = Groups({f"{n:03}": (0, 10) for n in range(50)})
    seen = known(tell(world(FAIR), many))
    assert len(seen.groups) == judge.SLOTS and seen.candidate.total == 500


def test_an_arm_that_is_scraped_at_other_times_is_judged_all_the_same() -> None:
    """Looks that are closer than scrapes hold one arm alone: together they are as good as shared ones."""
    apart = [Counts(2, 10, 0, 0), Counts(0, 0, 0, 90)] * 4
    shared = [Counts(2, 10, 0, 90)] * 4
    one, other = known(tell(world(COMPARED), *apart)), known(tell(world(COMPARED), *shared))
    assert (one.verdict, one.odds, one.sums) == (VerdictName.FAIL, other.odds, other.sums)
    waiting = known(tell(world(COMPARED), *apart[:3]))
    assert waiting.sums.endswith(";2 10 0 0") and known(tell(world(COMPARED), Counts(0, 0, 3, 90))).sums == ";0 0 3 90"


BOUNDS = ("0.1", "0.5", "+Inf")


def test_a_shift_is_seen_between_arms_that_are_scraped_at_other_times() -> None:
    mine, home, nothing = (10, 15, 25), (600, 300, 100), (0, 0, 0)
    apart = [Shapes(BOUNDS, mine, nothing), Shapes(BOUNDS, nothing, home)] * 10
    one = known(tell(world(SHIFT), *apart))
    other = known(tell(world(SHIFT), *[Shapes(BOUNDS, mine, home)] * 10))
    assert (one.verdict, one.odds, one.value, one.sums) == (VerdictName.FAIL, other.odds, other.value, other.sums)


def test_one_distribution_passes() -> None:
    look = Shapes(BOUNDS, (30, 15, 5), (600, 300, 100))
    assert known(tell(world(SHIFT), *[look] * 10)).verdict is VerdictName.PASS


def test_a_large_shift_fails_when_it_is_proven() -> None:
    seen = tell(world(SHIFT), *[Shapes(BOUNDS, (10, 15, 25), (600, 300, 100))] * 10)
    assert (known(seen).verdict, reason(seen)) == (VerdictName.FAIL, Reason.DISTRIBUTION_SHIFTED)


def test_a_shift_that_is_proven_and_small_is_none() -> None:
    seen = known(tell(world(SHIFT), *[Shapes(BOUNDS, (5500, 3300, 1200), (6000, 3000, 1000))] * 10))
    assert seen.verdict is VerdictName.PASS
    assert float(seen.odds) > float(seen.limit)


def test_a_shift_by_chance_is_none() -> None:
    few = Shapes(BOUNDS, (1, 2, 1), (60, 30, 10))
    assert known(tell(world(SHIFT), few)).verdict is VerdictName.WAIT


def test_other_buckets_begin_anew() -> None:
    seen = known(tell(world(SHIFT), Shapes(BOUNDS, (5, 5, 40), (60, 30, 10)), Shapes(("1", "+Inf"), (5, 5), (9, 9))))
    assert seen.sums.split(";")[:2] == ["5 5", "9 9"] and len(seen.sums.split(";")) == 3


LIMITS = {
    "good for long enough": ({}, [0.95, 0.93, 0.91], VerdictName.PASS, None),
    "good once": ({}, [0.95], VerdictName.WAIT, None),
    "good once, which is enough here": ({"minSamples": 1}, [0.95], VerdictName.PASS, None),
    "just the limit": ({"minSamples": 1}, [0.9], VerdictName.PASS, None),
    "below it": ({}, [0.95, 0.95, 0.89], VerdictName.FAIL, Reason.METRIC_BELOW_LIMIT),
    "below it, within the budget": ({"failureBudget": 1}, [0.95, 0.89, 0.95], VerdictName.WAIT, None),
    "within the budget, and good for long enough": (
        {"failureBudget": 1},
        [0.89, 0.95, 0.95, 0.95],
        VerdictName.PASS,
        None,
    ),
    "over the budget": ({"failureBudget": 1}, [0.89, 0.95, 0.89], VerdictName.FAIL, Reason.METRIC_BELOW_LIMIT),
    "above the other limit": ({"max": "0.99"}, [0.95, 0.995], VerdictName.FAIL, Reason.METRIC_ABOVE_LIMIT),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_value_is(name: str) -> None:
    more, values, verdict, failed = LIMITS[name]
    seen = tell(world(VALUE | more), *(Levels((v,)) for v in values))
    assert known(seen).verdict is verdict
    assert failed is None or reason(seen) is failed


def test_of_several_series_the_worst_counts() -> None:
    seen = tell(world(VALUE), Levels((0.99, 0.95, 0.42)))
    assert known(seen).verdict is VerdictName.FAIL and known(seen).value == "0.42 (worst of 3 series)"


def test_a_sparse_value_stays_good_between_its_points_and_not_for_ever() -> None:
    metric = VALUE | {"minSamples": 1, "noData": "Fail", "noDataFor": "2m"}
    good = tell(world(metric), Levels((0.95,)))
    assert known(tell(good, *[Levels(())] * 11)).verdict is VerdictName.PASS
    assert known(tell(good, *[Levels(())] * 12)).verdict is VerdictName.FAIL
    held = tell(world(VALUE | {"minSamples": 1}), Levels((0.95,)), *[Levels(())] * 31)
    assert known(held).verdict is VerdictName.WAIT


def test_a_dry_run_is_told_and_never_decides() -> None:
    seen = tell(world(OBJECTIVE | {"dryRun": True}, COMPARED), Counts(60, 100))
    assert known(seen).verdict is VerdictName.FAIL and known(seen).dry_run
    assert not advance(seen).status.rejected
    passing = replace(seen, answers={0: Silence("dead"), 1: Counts(0, 500, 0, 9000)})
    turn = advance(passing)
    assert turn.status.candidate and turn.waits and turn.waits.reason is not Reason.METRICS_UNAVAILABLE


def arrived(seen: World) -> dict[str, Any]:
    """Pods and route as the present step wants them."""
    assert seen.status.candidate and seen.status.stable
    mine, home = seen.status.candidate.revision, seen.status.stable.revision
    weight = seen.status.candidate.steps[0].weight
    pods = {name: Workload(desired=2, ready=2) for name in (mine, home)}
    return {"workloads": pods, "route": RouteSeen({mine: weight, home: 100 - weight}, programmed=True)}


def test_what_is_inconclusive_waits_for_a_person_however_long() -> None:
    metric = OBJECTIVE | {"noData": "Inconclusive", "noDataFor": "10s"}
    seen = tell(world(metric), *[Counts(0, 0)] * 30)
    assert seen.status.candidate
    step = strategy.present_step(seen, seen.status.candidate)
    found = judged(seen, step)
    assert (found.outcome, found.reason) == (Outcome.WAIT, Reason.INCONCLUSIVE)
    assert "penstock.dev/promote" in found.message and "errorRate" in found.message
    late = seen.status.candidate.model_copy(update={"deadline_at": spell(seen.now - timedelta(minutes=1))})
    asked = replace(seen, status=seen.status.model_copy(update={"candidate": late}), **arrived(seen))
    turn = advance(asked)
    assert turn.waits and turn.waits.reason is Reason.INCONCLUSIVE and not turn.status.rejected
    assert turn.status.candidate and turn.status.candidate.deadline_at is None


def test_alpha_is_shared_by_those_that_test_and_decide() -> None:
    seen = world(COMPARED, VALUE, OBJECTIVE | {"dryRun": True}, SHIFT)
    assert seen.spec and seen.spec.analysis
    assert judge.rejection_odds(seen.spec.analysis) == pytest.approx(40.0)


def test_a_warm_up_is_counted_by_nobody() -> None:
    seen = world(COMPARED, warmup="40s")
    (question,) = evidence.questions(seen).values()
    assert seen.status.candidate and seen.status.candidate.exposed_at
    assert question.start == read(seen.status.candidate.exposed_at) + timedelta(seconds=40)
    assert question.end == NOW - LAG and not question.candidate.born
    assert evidence.questions(replace(seen, now=NOW - timedelta(seconds=30))) == {}


def test_each_kind_asks_for_what_it_needs() -> None:
    latency = {"name": "latencyShift", "max": "0.2"}
    seen = world(OWN, SHIFT, VALUE | {"source": "lake"}, latency, {"name": "requestsPerSecond", "min": "1"})
    asked = evidence.questions(seen)
    assert [asked[n].stable is not None for n in sorted(asked)] == [False, True, False, True, False]
    assert [asked[n].source for n in sorted(asked)] == ["default", "default", "lake", "default", "default"]
    query = asked[2].candidate.measure
    assert isinstance(query, Query) and query.fills["revision"] == asked[2].candidate.revision
    assert isinstance(asked[3].candidate.measure, Histogram) and isinstance(asked[4].candidate.measure, Rate)


def test_what_is_still_needed_is_said_in_requests_and_time() -> None:
    seen = known(tell(world(OBJECTIVE), Counts(0, 59)))
    assert seen.needs == "about 41 more requests, 41 s at today's rate"
    assert known(tell(world(OBJECTIVE), Counts(0, 100))).needs is None
    assert known(tell(world(OBJECTIVE), Counts(0, 0))).needs == "100 more requests; none has come yet"


def test_one_pod_alone_is_said_to_be_weak() -> None:
    seen = tell(world(COMPARED), Counts(12, 100, 0, 1900))
    assert known(seen).weak and seen.status.candidate and seen.spec and seen.spec.analysis
    assert "(weak: one pod answered" in explain(seen.spec.analysis.metrics[0], known(seen))
    two = replace(world(COMPARED), workloads={seen.status.candidate.revision: Workload(desired=2, ready=2)})
    assert known(tell(two, Counts(12, 100, 0, 1900))).weak is None
    assert known(tell(world(VALUE), Levels((0.95,)))).weak is None


def test_people_see_where_the_truth_lies() -> None:
    alone, both = known(tell(world(OBJECTIVE), Counts(5, 500))), known(tell(world(COMPARED), Counts(1, 100, 9, 900)))
    low, high = (float(part.rstrip("%")) for part in (alone.range or "").split(" to "))
    assert 0 < low < 1 < high < 10
    assert both.range and both.range.endswith("points against stable") and both.range.startswith("-")
