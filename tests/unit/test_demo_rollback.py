"""How long a bad version stood although it was proven bad, and how old what the operator had not weighed was."""

from dataclasses import replace

import pytest

from examples.demo.records import Answer
from examples.demo.rollback import rollback, sufficed, unweighed
from examples.demo.sightings import Glance, Rejection
from examples.demo.story import STORY
from examples.demo.tale import Chapter, Tale
from penstock.api.analysis import Analysis
from penstock.api.status import Evidence, Side
from penstock.core.needs import explain
from tests.unit.demo_tales import ANALYSIS, good_tale, looked

OFF = 100.0


def told(*answers: tuple[float, bool], looks: tuple[tuple[float, int, int], ...] = ()) -> tuple[Tale, Chapter]:
    """A chapter in which v3 gave these answers: when each came, and whether it failed."""
    chapter = Chapter(STORY[2], [5], 0.0, ANALYSIS)
    tale = Tale(chapters=[chapter])
    tale.answers = [Answer(at, 0.0, 500 if bad else 200, "" if bad else "v3", True) for at, bad in answers]
    tale.answers += [Answer(float(second), 0.0, 200, "v2", True) for second in range(100)]
    tale.glances = [(at, Glance(candidate="v3", evidence=(looked(bad, total),))) for at, bad, total in looks]
    return tale, chapter


def good(*times: float) -> list[tuple[float, bool]]:
    return [(at, False) for at in times]


def bad(*times: float) -> list[tuple[float, bool]]:
    return [(at, True) for at in times]


def test_the_moments_of_a_rollback() -> None:
    tale = good_tale()
    seen = rollback(tale, tale.chapters[2])
    assert (seen.first_bad, seen.last_bad, seen.off, seen.settled) == (220.0, 225.0, 230.0, 260.0)
    assert (seen.sufficed, seen.unweighed) == pytest.approx((4.99, 4.99))


def test_evidence_stands_from_the_answer_that_made_it_suffice_until_weight_0() -> None:
    assert sufficed(*told(*good(80), *bad(90, 93)), OFF) == pytest.approx(7.0)
    assert sufficed(*told(*good(80), *bad(90)), OFF) == 0.0


def test_what_good_answers_refuted_counts_only_while_it_stood() -> None:
    """Two of three prove it, two of thirty do not; three of thirty-three neither."""
    refuted = good(*(93 + n / 10 for n in range(1, 28)))
    assert sufficed(*told(*good(80), *bad(90, 93), *refuted), OFF) == pytest.approx(0.3)
    assert sufficed(*told(*good(80), *bad(90, 93), *refuted, *bad(98, 99)), OFF) == pytest.approx(1.0)


def test_how_many_requests_the_home_version_answers_changes_nothing() -> None:
    """A minute of traffic before the version got any must not make its failures look rarer than they are."""
    tale, chapter = told(*good(80), *bad(90, 93))
    before = sufficed(tale, chapter, OFF)
    tale.answers += [Answer(n / 100, 0.0, 200, "v2", True) for n in range(6000)]
    assert sufficed(tale, chapter, OFF) == before


def test_answers_after_weight_0_are_none_of_the_evidence() -> None:
    assert sufficed(*told(*good(80), *bad(90, OFF + 1)), OFF) == 0.0
    assert unweighed(*told(*bad(OFF + 1)), OFF) == 0.0


def test_a_plan_without_an_objective_is_judged_by_age_alone() -> None:
    tale, chapter = told(*bad(90, 91, 92))
    compared = Analysis.model_validate({"metrics": [{"name": "errorRate", "compare": "Stable"}]})
    assert sufficed(tale, replace(chapter, analysis=compared), OFF) == 0.0
    assert unweighed(tale, chapter, OFF) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("looks", "age"),
    [
        ((), 20.0),
        (((85.0, 0, 1),), 15.0),
        (((85.0, 0, 1), (93.0, 1, 2)), 10.0),
        (((85.0, 0, 1), (93.0, 0, 2)), 15.0),
        (((93.0, 1, 3),), 10.0),
        (((93.0, 2, 3),), 0.0),
        (((85.0, 0, 1), (101.0, 2, 3)), 15.0),
    ],
)
def test_the_age_of_what_no_look_had_weighed(looks: tuple[tuple[float, int, int], ...], age: float) -> None:
    """The look that decides shows no counts in status: what it alone has weighed counts as waiting until weight 0."""
    tale, chapter = told(*good(80), *bad(85, 90), looks=looks)
    assert unweighed(tale, chapter, OFF) == pytest.approx(age)


def test_the_slowest_of_several_metrics_counts() -> None:
    tale, chapter = told(*good(80), *bad(85, 90))
    late, slow = replace(looked(0, 1), metric="errorRate vs stable"), replace(looked(0, 0), metric="slowRate over 1s")
    tale.glances = [(95.0, Glance(candidate="v3", evidence=(looked(2, 3), late, slow)))]
    assert unweighed(tale, chapter, OFF) == pytest.approx(15.0)


def test_the_numbers_of_a_verdict_are_read_as_the_operator_writes_them() -> None:
    known = Evidence(metric="x", candidate=Side(bad=3, total=24), stable=Side(bad=1, total=400), odds="70", limit="60")
    for metric in ANALYSIS.metrics:
        assert Rejection("v3", "", explain(metric, known)).counts == (3, 24)
    assert Rejection("v3", "NeverReady", "0 of 1 pods ready").counts is None
