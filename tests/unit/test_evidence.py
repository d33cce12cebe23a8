"""What the answers of the metrics add up to: when a metric fails, when it passes a step, that it waits otherwise."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Evidence, Serving, Status, Trying, VerdictName
from penstock.core import evidence, judge, needs, strategy
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.measure import Counts, Shapes, Silence
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Following, Snapshot, Workload, World
from tests.sim.machine import RUNTIME, model

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = RuntimeSpec.model_validate(RUNTIME["spec"])
OBJECTIVE = {"name": "errorRate", "max": "1%"}
COMPARED = {"name": "errorRate", "compare": "Stable"}


def world(*metrics: dict[str, Any], **analysis: Any) -> World:
    """v2 has 5 % since a minute, judged by these metrics alone."""
    wish = {"interval": "10s", "minRequests": 100, "metrics": list(metrics)} | analysis
    old, new = (Spec.model_validate(model(version, analysis=wish)["spec"]) for version in ("v1", "v2"))
    before = World(NOW, "ml", "churn", "uid-1", 1, old, Status(), runtime=("mlserver", RULES))
    seen = replace(before, spec=new)
    began = spell(NOW - timedelta(seconds=60))
    stable = Serving(revision=wanted_revision(before), version="v1", weight=95)
    candidate = Trying(
        revision=wanted_revision(seen),
        steps=strategy.pin(replace(seen, status=Status(stable=stable)), direct=False),
        started_at=began,
        step_started_at=began,
        exposed_at=began,
        shifted_at=began,
        deadline_at=spell(NOW + timedelta(hours=1)),
    )
    snapshots = {
        wanted_revision(each): made for each in (before, seen) if isinstance(made := make_snapshot(each), Snapshot)
    }
    return replace(seen, status=Status(stable=stable, candidate=candidate), snapshots=snapshots)


def after(seen: World, *looks: Counts | Silence) -> Evidence:
    """The first metric's evidence after these answers, one interval apart."""
    assert seen.status.candidate
    for answer in looks:
        candidate = evidence.look(replace(seen, answers={0: answer}), seen.status.candidate)
        status = seen.status.model_copy(update={"candidate": candidate})
        seen = replace(seen, status=status, now=seen.now + timedelta(seconds=10))
    assert seen.status.candidate
    return seen.status.candidate.evidence[0]


# candidate bad and all, stable bad and all
PASSES = {
    "no failures": (COMPARED, Counts(0, 100, 0, 1900)),
    "as many as stable": (COMPARED, Counts(5, 100, 95, 1900)),
    "within the tolerance": (COMPARED, Counts(6, 100, 95, 1900)),
    "half a point above a stable one that fails nothing": (COMPARED, Counts(1, 200, 0, 3800)),
    "better than stable": (COMPARED, Counts(1, 100, 380, 1900)),
    "just the objective": (OBJECTIVE, Counts(1, 100)),
}
WAITS = {
    "too few requests": (COMPARED, Counts(0, 99, 0, 1900)),
    "one failure in twelve is neither": (COMPARED, Counts(1, 12, 0, 1000)),
    "one failure in a hundred against none": (COMPARED, Counts(1, 100, 0, 1900)),
    "above the objective, not proven": (OBJECTIVE, Counts(2, 100)),
    "no requests at all": (COMPARED, Counts(0, 0, 0, 2000)),
}
FAILS = {
    "many against none": (COMPARED, Counts(10, 100, 0, 1900)),
    "twice as many, with numbers that prove it": (COMPARED, Counts(400, 2000, 3800, 38000)),
    "far above the objective": (OBJECTIVE, Counts(10, 100)),
    "proven before there were enough to pass": (COMPARED, Counts(9, 20, 0, 380)),
}
EXPECTED = {VerdictName.PASS: PASSES, VerdictName.WAIT: WAITS, VerdictName.FAIL: FAILS}
CASES = [pytest.param(*case, verdict, id=name) for verdict, group in EXPECTED.items() for name, case in group.items()]


@pytest.mark.parametrize(("metric", "counts", "verdict"), CASES)
def test_a_look_ends_in(metric: dict[str, Any], counts: Counts, verdict: VerdictName) -> None:
    assert after(world(metric), counts).verdict is verdict


def test_silence_moves_nothing() -> None:
    seen = world(COMPARED)
    once = after(seen, Counts(1, 50, 0, 950))
    assert after(seen, Counts(1, 50, 0, 950), Silence("dead"), Silence("dead")) == once
    candidate = seen.status.candidate
    assert candidate and evidence.look(replace(seen, answers={0: Silence("dead")}), candidate).evidence == []


def test_evidence_adds_up_over_looks() -> None:
    found = after(world(COMPARED), Counts(1, 50, 2, 950), Counts(0, 60, 1, 940))
    assert (found.candidate.bad, found.candidate.total) == (1, 110)
    assert found.stable and (found.stable.bad, found.stable.total) == (3, 1890)
    assert found.step_requests == 110


def test_what_was_proven_stays_proven() -> None:
    healthy = [Counts(0, 100, 50, 1900)] * 30
    assert after(world(COMPARED), Counts(12, 100, 0, 1900), *healthy).verdict is VerdictName.FAIL


def test_a_new_step_needs_requests_of_its_own_and_keeps_the_evidence() -> None:
    known = after(world(COMPARED), Counts(2, 200, 30, 3800))
    assert known.verdict is VerdictName.PASS
    (kept,) = evidence.enter_step([known])
    assert (kept.step_requests, kept.verdict) == (0, VerdictName.WAIT)
    assert (kept.candidate, kept.odds, kept.sums) == (known.candidate, known.odds, known.sums)


def test_a_fault_of_both_blames_nobody() -> None:
    """A store that both need is down: half of all requests fail, on either side."""
    rng = random.Random(3)
    verdicts = [after(world(COMPARED), *both(rng)).verdict for _ in range(100)]
    assert verdicts.count(VerdictName.FAIL) <= 5


def both(rng: random.Random) -> list[Counts]:
    """Ten looks with a share of 5 % and an outage in the middle."""

    def failed(total: int, rate: float) -> int:
        return sum(rng.random() < rate for _ in range(total))

    rates = [0.01] * 3 + [0.5] * 4 + [0.01] * 3
    return [Counts(failed(25, rate), 25, failed(475, rate), 475) for rate in rates]


def test_the_share_that_was_counted_decides_and_not_the_one_that_was_asked_for() -> None:
    """5 % were asked for and a third came: twenty failures of sixty are then just what falls on it."""
    assert after(world(COMPARED), Counts(20, 1000, 40, 2000)).verdict is VerdictName.PASS
    assert after(world(COMPARED), Counts(20, 1000, 40, 19000)).verdict is VerdictName.FAIL


def test_alpha_is_shared_by_the_metrics() -> None:
    assert judge.rejection_odds(one := world(COMPARED).spec.analysis) == 20.0  # type: ignore[union-attr]
    several = world(COMPARED, OBJECTIVE, {"name": "slowRate", "threshold": "500ms", "max": "5%"}, alpha="1%").spec
    assert one and several and several.analysis
    assert judge.rejection_odds(several.analysis) == pytest.approx(300.0)


def test_windows_meet_and_end_a_little_in_the_past() -> None:
    seen = world(COMPARED)
    first = evidence.questions(seen)[0]
    assert seen.status.candidate and seen.status.candidate.exposed_at
    assert first.start == read(seen.status.candidate.exposed_at) and first.end == NOW - LAG and first.candidate.born
    looked = evidence.look(replace(seen, answers={0: Counts(0, 1, 0, 1)}), seen.status.candidate)
    later = replace(seen, status=seen.status.model_copy(update={"candidate": looked}), now=NOW + timedelta(seconds=40))
    second = evidence.questions(later)[0]
    assert (second.start, second.candidate.born) == (first.end, False)


def test_counters_are_new_until_something_was_counted() -> None:
    """A first look may fall before the first scrape and see nothing; all that the scrape then shows is new."""
    seen = world(COMPARED)
    assert seen.status.candidate
    looked = evidence.look(replace(seen, answers={0: Counts(0, 0, 0, 100)}), seen.status.candidate)
    later = replace(seen, status=seen.status.model_copy(update={"candidate": looked}), now=NOW + timedelta(seconds=40))
    assert evidence.questions(later)[0].candidate.born


def test_a_silent_metric_is_asked_for_the_whole_gap() -> None:
    seen = world(COMPARED)
    later = replace(seen, now=NOW + timedelta(minutes=20))
    assert evidence.questions(later)[0].start == evidence.questions(seen)[0].start


def test_the_same_numbers_are_explained_in_words() -> None:
    seen = world(COMPARED)
    assert seen.spec and seen.spec.analysis
    text = needs.explain(seen.spec.analysis.metrics[0], after(seen, Counts(12, 100, 0, 1900)))
    assert text.startswith(
        "errorRate vs stable, tolerance 1.25: candidate 12.00% (12 of 100), stable 0.00% (0 of 1900)"
    )
    assert "rejected at 20.0" in text


@pytest.mark.parametrize(("wanted", "active", "counts"), [(4, True, False), (2, True, True), (4, False, True)])
def test_how_slow_a_candidate_with_too_few_pods_is_says_nothing_of_the_version(
    wanted: int, active: bool, counts: bool
) -> None:
    slow = {"name": "slowRate", "threshold": "500ms", "compare": "Stable"}
    seen = world(slow, OBJECTIVE, {"name": "latencyShift", "max": "0.2"})
    assert seen.status.candidate
    name = seen.status.candidate.revision
    seen = replace(seen, scalers={name: Following(active, wanted=wanted)}, workloads={name: Workload(2, 2)})
    heard = {0: Counts(90, 100, 1, 1000), 1: Counts(9, 100), 2: Shapes(("0.1", "+Inf"), (1, 99), (900, 100))}
    nothing = {0: Counts(0, 0), 1: heard[1], 2: Shapes(("0.1", "+Inf"), (0, 0), (0, 0))}
    assert evidence.fair(seen, heard) == (heard if counts else nothing)
    after_it = evidence.look(replace(seen, answers=evidence.fair(seen, heard)), seen.status.candidate).evidence
    verdicts = [each.verdict for each in after_it]
    assert verdicts[:2] == ([VerdictName.FAIL] * 2 if counts else [VerdictName.WAIT, VerdictName.FAIL])
    assert ("wants 4 pods and 2 are ready" in str(after_it[0].weak)) is not counts
