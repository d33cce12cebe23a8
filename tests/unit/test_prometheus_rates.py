"""How many requests a second a revision has, over pods that come and go between their scrapes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from penstock.model.measure import Answer, Arm, Levels, Question, Rate, Selector
from tests.unit.prometheus_source import END, START, Store, ask, counter

RATE = Rate(Selector("requests_total"))


def about(born: bool = False) -> Question:
    return Question("main", "ml", Arm("churn-new", RATE, born), None, START, END)


def answer(*series: dict[str, Any], born: bool = False) -> Answer:
    return ask(Store(list(series)), about(born))


def test_a_rate_is_the_growth_of_all_pods_a_second() -> None:
    pods = [
        counter("requests_total", (-5, 100), (14, 130)),
        counter("requests_total", (-5, 50), (9, 4), (14, 15), pod="b"),
    ]
    assert answer(*pods) == Levels(((30 + 15) / 19,))


def test_a_rate_is_measured_between_samples_and_not_between_the_ends_of_a_window() -> None:
    """A window of a second between two scrapes saw an idle server; one with a scrape in it, a busy one."""
    steady = counter("requests_total", *((at, 20 * (at + 41)) for at in range(-40, 20, 5)))
    for begin in (8.5, 9.5, 10.5):
        window = {"start": START + timedelta(seconds=begin), "end": START + timedelta(seconds=begin + 2)}
        found = replace(about(), **window)
        told = ask(Store([steady]), found)
        assert told == Levels((20.0,)) or (begin == 10.5 and told == Levels(()))


def test_a_rate_does_not_reach_back_further_than_the_scrape_before_its_window() -> None:
    """What was two minutes ago says nothing about now: an autoscaler would be late by as much."""
    idle_then_busy = counter("requests_total", (-110, 5), (-50, 5), (-5, 5), (5, 105), (14, 195))
    assert answer(idle_then_busy) == Levels((10.0,))
    two = [idle_then_busy, counter("requests_total", (-110, 7), (3, 7), (14, 18), pod="b")]
    assert answer(*two) == Levels((10.0 + 11 / 124,)), "each pod has its own time"


def test_a_series_that_begins_late_counts_from_zero_where_its_pod_was_known() -> None:
    late = counter("requests_total", (4, 12), (14, 20), code="503")
    assert answer(counter("requests_total", (-6, 5), (14, 45)), late) == Levels(((40 + 20) / 20,))
    assert answer(counter("requests_total", (3, 40), (14, 70)), born=True) == Levels((30 / 11,))
    assert answer(counter("requests_total", (14, 70))) == Levels(()), "one sample is no rate"


def test_a_pod_that_takes_half_of_anothers_requests_makes_them_no_more() -> None:
    """30 a second all the time; from 5 on a second pod has half. Each over its own time they would be 38."""
    old = counter("requests_total", (-5, 0), (5, 300), (14, 435))
    new = counter("requests_total", (6, 15), (14, 135), pod="b")
    assert answer(old, new) == Levels((435 / 19 + 120 / 14,))
    assert answer(new) == Levels((120 / 8,)), "alone it has its own time"


def test_a_pod_that_has_gone_leaves_its_requests_to_the_others_and_makes_them_no_more() -> None:
    """20 a second all the time; at 3 one of two pods goes. Over its own time it would have 10 of them for ever."""
    gone = counter("requests_total", (-4, 0), (1, 50), (3, 70), pod="b")
    rest = counter("requests_total", (-4, 0), (3, 70), (14, 290))
    told = answer(gone, rest)
    assert told == Levels((20.0,)) and isinstance(told, Levels)
    assert (told.pods, told.average) == (1, 1 + 7 / 18)
    told = answer(counter("requests_total", (-4, 0), (5, 90), pod="b"), rest)
    assert told == Levels((10 + 290 / 18,)) and isinstance(told, Levels), "one that missed a scrape has not gone"
    assert (told.pods, told.average) == (2, 2)


def test_a_rate_of_nothing_is_nothing_and_of_an_idle_server_is_zero() -> None:
    assert answer() == Levels(())
    assert answer(counter("requests_total", (-5, 9), (14, 9))) == Levels((0.0,))
    assert answer(counter("requests_total", (-90, 1), (-5, 9))) == Levels(()), "older samples are no sign of life"
