"""The bench of speed: the page says of each goal whether it is held."""

import json
from typing import Any

from bench.drawing import curve
from bench.speed import report
from bench.speed.__main__ import OUT, PAGE, PLOTS

ABOUT = {"date": "2026-01-01", "machine": "2 cores", "load": [0.1, 2.0], "jobs": 10}


def run(who: str, seconds: float) -> dict[str, Any]:
    cost = {"cpu": 1.0, "machine": 2.0 * seconds, "children": 50}
    return {"who": who, "jobs": 10, "seconds": seconds, "finished": True, **cost}


def converge(*rows: dict[str, Any]) -> str:
    return report.page({"converge": {"about": ABOUT, "rows": list(rows)}})


def test_the_median_is_held_against_the_wall_and_the_faster_rival() -> None:
    rivals = [run("Argo Rollouts, its defaults", 30.0), run("Flagger, its defaults", 50.0)]
    told = converge(run("raw client", 6.0), run("Penstock", 9.0), run("Penstock", 10.0), run("Penstock", 40.0), *rivals)
    assert "Of the wall: 0.60: held" in told
    assert "its defaults: 3.00 times as fast: held" in told
    assert "| Penstock | 3 | 10.0 (9.0 to 40.0) | 5 | 5 | 100.0 | 2000 | 1.00 |" in told


def test_a_rival_that_was_given_up_is_said_to_be_slower_and_no_more() -> None:
    late = run("Flagger, best flags", 90.0) | {"finished": False}
    told = converge(run("raw client", 4.0), run("Penstock", 10.0), late, run("Argo Rollouts, best flags", 20.0))
    assert "| Flagger, best flags | 1 | not within 90 | 5 |  |  |  |  |" in told
    assert "of all, best flags: 2.00 times as fast: held" in told


def test_whoever_took_more_than_twice_our_time_is_slow() -> None:
    rows = [run("Penstock", 10.0), run("A", 20.0), run("B", 20.1)]
    assert [report.is_slow(who, rows) for who in ("A", "B", "C", "Penstock")] == [False, True, False, False]
    assert not report.is_slow("B", rows[1:])


def test_a_missed_goal_is_said() -> None:
    told = converge(run("raw client", 4.0), run("Penstock", 10.0), run("Flagger, best flags", 5.0))
    assert "Of the wall: 0.40: **missed**" in told
    assert "best flags: 0.50 times as fast: **missed**" in told


def test_watches_that_open_again_are_no_requests_and_everything_else_is() -> None:
    row = {"who": "Penstock", "seconds": 600.0, "leases": 120, "cpu": 1.0, "rss": 80.0}
    quiet, busy = ({"watch pods": 20}, {"watch pods": 20, "get services": 1})
    pages = [report.page({"idle": {"about": ABOUT, "rows": [row | {"requests": each}]}}) for each in (quiet, busy)]
    assert ["besides watches and leases: held" in page for page in pages] == [True, False]


def test_goals_of_rollback_are_ours_alone() -> None:
    row = {"jobs": 1, "interval": 10, "steady": 20, "whole": [9.0], "cpu": 0.1}
    took = (("Penstock", 0.2), ("raw client", 0.1), ("Flagger", 10.0))
    told = report.page({"rollback": {"about": ABOUT, "rows": [row | {"who": who, "own": [own]} for who, own in took]}})
    assert "1 at once: 0.200 s: held (at most 0.3); 2.0 times the raw client's" in told
    assert "| 1 | Flagger | 1 | 10.000 |" in told
    assert told.count("Own part, p95") == 1


def test_a_restart_is_told_by_the_median_of_what_it_is_to_the_reader_before_it() -> None:
    pairs = ((2.0, 1.0), (9.0, 2.0), (10.0, 4.0))
    again = [{"restart": restart, "listing": reader, "writes": {}, "after": 90.0} for restart, reader in pairs]
    row = {"made": run("Penstock", 5.0) | {"rss_before": 80.0}, "settled": 95.0, "restarts": again}
    other = {"made": row["made"] | {"jobs": 1010, "cpu": 101.0}, "settled": 110.0, "restarts": again[:1]}
    told = report.page({"life": {"about": ABOUT, "rows": [row, other]}})
    assert "Restart in times of the bare reader, the worst: 2.5: held" in told
    assert "MiB for 1,000 models: 15.0: held" in told and "most by least: 1.00: held" in told


def test_a_rival_that_makes_one_object_is_told_apart() -> None:
    alone, alike = (run(f"Argo Rollouts{more}, best flags", s) for more, s in (("", 4.0), (" and the rest", 20.0)))
    told = converge(run("raw client", 4.0), run("Penstock", 10.0), alone, alike)
    assert "whose job leaves the like, best flags: 2.00 times as fast: held" in told
    assert "of all, best flags: 0.40 times as fast: **missed**" in told
    assert "jobs take 8 s of the machine, and 40 s with two" in told and "80 % is what" in told


def test_the_page_and_its_plots_are_made_of_the_results() -> None:
    known = json.loads(OUT.read_text())
    assert set(known) == set(report.SECTIONS), "every question has an answer"
    assert PAGE.read_text() == report.page(known), "run: python -m bench.speed --report"
    for name, shown in report.curves(known).items():
        assert (PLOTS / f"{name}.svg").read_text() == curve(*shown)
