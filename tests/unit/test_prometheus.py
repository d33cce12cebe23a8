"""The Prometheus adapter over a real socket: exact counts from what a source says, by exact queries."""

import asyncio
import re
import time
from dataclasses import replace

import aiohttp
import pytest

from penstock.metrics import SOURCES
from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Answer, Counts, Ratio, Selector
from tests.unit.prometheus_source import (
    END,
    GOOD,
    ROUTINE,
    Store,
    ask,
    asked,
    counter,
    counts,
    question,
    serving,
)


def test_errors_and_requests_of_the_window_are_counted() -> None:
    assert counts(*ROUTINE) == Counts(5, 35)


def test_samples_outside_the_window_are_not() -> None:
    wide = counter("requests_total", (-100, 10), (-5, 100), (14, 130), (15, 131), (16, 900), code="200")
    assert counts(wide) == Counts(0, 31)


def test_a_restart_counts_from_zero() -> None:
    reset = counter("requests_total", (-5, 1000), (2, 1010), (7, 4), (14, 9), code="200")
    assert counts(reset) == Counts(0, 10 + 4 + 5)


def test_a_series_born_in_the_window_counts_from_its_first_event() -> None:
    """The first 500 shows as a series that begins at 3; increase() would call that nothing."""
    late = counter("requests_total", (9, 3), (14, 4), code="500")
    assert counts(ROUTINE[0], late) == Counts(4, 34)


def test_a_pod_of_unknown_past_counts_only_what_it_grew() -> None:
    """Here the source may have lost its memory: a first sample of 5,000 is no 5,000 requests of this window."""
    unknown = counter("requests_total", (3, 5000), (14, 5012), pod="b", code="200")
    assert counts(*ROUTINE, unknown) == Counts(5, 35 + 12)
    failing = counter("requests_total", (3, 500), (14, 501), pod="b", code="500")
    assert counts(*ROUTINE, unknown, failing) == Counts(5 + 1, 35 + 12 + 1)


def test_a_revision_that_is_looked_at_for_the_first_time_counts_from_zero() -> None:
    fresh = [counter("requests_total", (3, 20), (14, 32), code=code) for code in ("200", "500")]
    assert counts(*fresh, about=question(born=True)) == Counts(32, 64)
    assert counts(*fresh) == Counts(12, 24)


def test_a_new_revision_also_has_what_came_just_before_its_route_was_seen() -> None:
    """A gateway serves by a route before it has said so; a scrape in between must not swallow those requests."""
    early = counter("requests_total", (-3, 2), (14, 12), code="500")
    assert counts(early, about=question(born=True)) == Counts(12, 12)
    served_before = counter("requests_total", (-30, 700), (-6, 700), (-3, 702), (14, 712), code="500")
    assert counts(served_before, about=question(born=True)) == Counts(12, 12)
    assert counts(served_before) == Counts(10, 10), "whoever was counted before goes on where the last window ended"


def test_pods_are_added_up() -> None:
    other = counter("requests_total", (-5, 7), (14, 8), pod="b", code="503")
    assert counts(*ROUTINE, other) == Counts(6, 36)


def test_where_only_good_ones_are_counted_the_rest_is_bad() -> None:
    total = counter("requests_total", (-5, 100), (14, 160))
    good = counter("answered_total", (-5, 90), (14, 135))
    assert counts(total, good, about=question(GOOD)) == Counts(60 - 45, 60)
    assert counts(total, about=question(GOOD)) == Counts(60, 60), "no success yet: the series is not there"


def test_a_part_is_never_more_than_the_whole() -> None:
    """The two are read one after the other, so that a scrape can fall in between."""
    total = counter("requests_total", (-5, 100), (14, 110))
    good = counter("answered_total", (-5, 100), (14, 112))
    assert counts(total, good, about=question(GOOD)) == Counts(0, 10)


def test_both_arms_are_counted_apart() -> None:
    home = [
        counter("requests_total", (-5, 0), (14, 900), code="200", penstock_dev_revision="churn-old"),
        counter("requests_total", (-5, 0), (14, 9), code="500", penstock_dev_revision="churn-old"),
    ]
    assert ask(Store([*ROUTINE, *home]), question(compared=True)) == Counts(5, 35, 9, 909)


def test_no_requests_are_zero_and_no_silence() -> None:
    assert counts() == Counts(0, 0)
    assert counts(counter("requests_total", (-5, 9), (14, 9), code="200")) == Counts(0, 0)


def test_the_queries_are_exactly_these() -> None:
    store = Store()
    ask(store, question(compared=True))
    assert [each["query"] for each in store.asked] == [
        'requests_total{namespace="ml",penstock_dev_revision=~"churn-new|churn-old"}[136s]',
        'requests_total{namespace="ml",penstock_dev_revision=~"churn-new|churn-old",code=~"5.."}[136s]',
    ]
    assert {(each["path"], each["time"], each["timeout"]) for each in store.asked} == {
        ("/api/v1/query", f"{END.timestamp():.3f}", "5000ms")
    }


@pytest.mark.parametrize("where", ["", 'code="500"', 'code="500", ', 'code="500",'])
def test_every_query_is_held_to_namespace_and_revision(where: str) -> None:
    """Whatever a runtime's matchers look like, they come after ours and leave no empty matcher behind."""
    store = Store()
    ask(store, question(Ratio(Selector("bad_total", where), Selector("requests_total", where))))
    for each in store.asked:
        assert re.fullmatch(
            r'\w+\{namespace="ml",penstock_dev_revision="churn-new"(,code="500")?\}\[136s\]', each["query"]
        )


def test_a_short_patience_is_told_as_it_is() -> None:
    """Rounded to whole seconds it would be 0, which a Prometheus takes for no time at all."""
    store = Store()
    ask(store, timeout=0.4)
    assert {each["timeout"] for each in store.asked} == {"400ms"}


def test_an_address_with_a_path_is_kept() -> None:
    async def story() -> Store:
        store = Store()
        async with serving(store) as url, aiohttp.ClientSession() as session:
            await asked(Prometheus("main", Http(f"{url}/tenant/7/", session)))
        return store

    assert asyncio.run(story()).asked[0]["path"] == "/tenant/7/api/v1/query"


def test_the_configuration_makes_one() -> None:
    async def story() -> Answer:
        store = Store(ROUTINE)
        async with serving(store) as url, aiohttp.ClientSession() as session:
            source = SOURCES["prometheus"]("main", {"url": url, "timeout": "3s"}, session, time.time)
            return await asked(source, replace(question(), source="main"))

    assert asyncio.run(story()) == Counts(5, 35)
