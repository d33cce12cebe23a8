"""The arithmetic of bench/traffic on requests that were made up, so that the answer is known beforehand."""

from typing import Any

import pytest

from bench.breach.clients import Told
from bench.traffic import report
from bench.traffic.cases import enough
from bench.traffic.facts import Case, Window, count, wilson


def told(at: float, version: str = "v1", status: int = 200, why: str = "", seconds: float = 0.01) -> Told:
    return Told(at, at, at + seconds, status, version, why)


def split(of: int, candidate: int) -> list[Told]:
    return [told(n / 100, "v2" if n < candidate else "v1") for n in range(of)]


@pytest.mark.parametrize(
    ("candidate", "right"), [(2000, True), (2060, True), (1940, True), (2160, False), (1840, False), (0, False)]
)
def test_a_share_is_wrong_where_chance_does_not_explain_it(candidate: int, right: bool) -> None:
    row = count(Window("share", 0, 1000, "v2", 20), split(10_000, candidate))
    assert row.share == pytest.approx(candidate / 100) and row.holds == right


def test_the_interval_is_wilsons() -> None:
    """By hand, for 10 of 100 and z = 3.29: the middle (0.1 + z2/200) and the reach, both over 1 + z2/100."""
    assert wilson(10, 100) == pytest.approx((0.0375, 0.2406), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0) and wilson(7, 7)[1] == 1.0 and wilson(0, 7)[0] == 0.0


def test_of_a_whole_share_not_one_answer_may_be_anothers() -> None:
    assert count(Window("mirror", 0, 100, "v1", 100), split(1000, 0)).holds
    assert not count(Window("mirror", 0, 100, "v1", 100), split(1000, 1)).holds


def test_a_window_counts_what_was_sent_in_it_and_a_failure_needs_an_excuse() -> None:
    seen = [told(0.5), told(1.0), told(1.5, status=503, why="no upstream"), told(2.0)]
    row = count(Window("middle", 1.0, 2.0), seen)
    assert (row.requests, dict(row.failed), row.holds) == (2, {"503 no upstream": 1}, False)
    assert count(Window("middle", 1.0, 2.0, excuse="a server was killed"), seen).holds


@pytest.mark.parametrize(("weight", "wanted"), [(1, 10_000), (5, 10_000), (20, 17_319), (50, 27_061)])
def test_a_step_gets_so_many_requests_that_a_point_is_seen(weight: int, wanted: int) -> None:
    assert enough(weight, 10_000) == wanted


def case(*windows: Window, trouble: str = "", **more: Any) -> dict[str, Any]:
    seen = [told(n / 100, seconds=0.02 if n >= 100 else 0.01) for n in range(200)]
    conditions = {"date": "2026-01-01", "machine": "2 cores", "load": [1.0, 2.0], "rate": 100.0}
    return report.results(Case(windows, seen, more, trouble), conditions)


def test_a_case_that_did_not_come_to_its_end_does_not_hold() -> None:
    assert report.holds(case(Window("all", 0, 2)))
    assert not report.holds(case(Window("all", 0, 2), trouble="never came"))
    assert not report.holds(case())


def test_what_copies_add_is_the_ratio_of_the_two_sides() -> None:
    sides = [Window("mirror A: without", 0, 1, "v1", 100), Window("mirror B: with", 1, 2, "v1", 100)]
    assert report.added(case(*sides)["windows"]) == pytest.approx(2.0)


def test_the_page_says_shares_losses_copies_and_trouble() -> None:
    page = report.page(
        {
            "rollout": case(Window("share of 5 %", 0, 2, "v2", 5), Window("promotion", 0, 2)),
            "mirror": case(Window("mirror A: without", 0, 1, "v1", 100), Window("mirror B: with", 1, 2, "v1", 100)),
            "gateway": case(trouble="Traceback\nAssertionError: never came"),
        }
    )
    assert "| 5 % | 0.00 % | 200 |" in page and "| NO |" in page
    assert "| promotion | 200 | 0 | 20 ms |  |" in page
    assert "p99 with copies over p99 without: 2.00" in page
    assert "**gateway did not come to its end**: `AssertionError: never came`" in page
