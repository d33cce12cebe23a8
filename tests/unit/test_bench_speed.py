"""The bench of speed: the page says of each goal whether it is held."""

from typing import Any

from bench.speed import report

ABOUT = {"date": "2026-01-01", "machine": "2 cores", "load": [0.1, 2.0], "jobs": 10}


def run(who: str, seconds: float) -> dict[str, Any]:
    return {"who": who, "jobs": 10, "seconds": seconds, "cpu": 1.0, "children": 50}


def converge(*rows: dict[str, Any]) -> str:
    return report.page({"converge": {"about": ABOUT, "rows": list(rows)}})


def test_the_median_is_held_against_the_wall_and_the_faster_rival() -> None:
    rivals = [run("Argo Rollouts, its defaults", 30.0), run("Flagger, its defaults", 50.0)]
    told = converge(run("raw client", 6.0), run("Penstock", 9.0), run("Penstock", 10.0), run("Penstock", 40.0), *rivals)
    assert "Of the wall: 0.60: held" in told
    assert "its defaults: 3.00 times as fast: held" in told
    assert "10.0 (9.0 to 40.0)" in told


def test_a_missed_goal_is_said() -> None:
    told = converge(run("raw client", 4.0), run("Penstock", 10.0), run("Flagger, best flags", 5.0))
    assert "Of the wall: 0.40: **missed**" in told
    assert "best flags: 0.50 times as fast: **missed**" in told


def test_watches_that_open_again_are_no_requests_and_everything_else_is() -> None:
    row = {"who": "Penstock", "seconds": 600.0, "leases": 120, "cpu": 1.0, "rss": 80.0}
    quiet, busy = ({"watch pods": 20}, {"watch pods": 20, "get services": 1})
    pages = [report.page({"idle": {"about": ABOUT, "rows": [row | {"requests": each}]}}) for each in (quiet, busy)]
    assert ["besides watches and leases: held" in page for page in pages] == [True, False]
