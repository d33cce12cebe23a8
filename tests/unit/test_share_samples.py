"""Counting all requests from raw samples: what a scrape brought before a moment belongs to the time before it."""

from dataclasses import replace
from datetime import timedelta

from penstock.model.measure import Arm, Counts, Question, Ratio, Selector
from tests.unit.prometheus_source import END, START, counter, counts

REQUESTS = Selector("requests_total")
ALL = Ratio(REQUESTS, REQUESTS)
HOME = {"penstock_dev_revision": "churn-old"}
MINE = [counter("requests_total", (-5, 100), (5, 110), (14, 130), code="200")]
OTHERS = [counter("requests_total", (-8, 1000), (2, 2000), (12, 2100), **HOME)]


def about(since: float | None) -> Question:
    moment = None if since is None else START + timedelta(seconds=since)
    return Question("main", "ml", Arm("churn-new", ALL), Arm("churn-old", ALL), START, END, moment)


def test_nothing_of_the_time_before_is_counted() -> None:
    """900 of the old share came in with the scrape at 2 s; from it on there are 100."""
    assert counts(*MINE, *OTHERS, about=about(None)) == Counts(30, 30, 1100, 1100)
    assert counts(*MINE, *OTHERS, about=about(0)) == Counts(20, 20, 100, 100)
    assert counts(*MINE, *OTHERS, about=about(3)) == Counts(20, 20, 0, 0), "one scrape is no growth"


def test_a_later_window_goes_on_where_the_last_one_ended() -> None:
    """The last scrape before it is after the moment, so what grew since then counts."""
    moment = START - timedelta(seconds=6)
    assert counts(*MINE, *OTHERS, about=replace(about(None), since=moment)) == Counts(30, 30, 100, 100)


def test_a_pod_that_is_new_counts_from_its_first_scrape() -> None:
    young = counter("requests_total", (9, 40), (14, 50), pod="young")
    assert counts(*MINE, young, *OTHERS, about=about(0)) == Counts(30, 30, 100, 100)
