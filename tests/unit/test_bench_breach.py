"""The arithmetic of bench/breach on rollouts that were made up, so that the answer is known beforehand."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bench.breach import failures, parts, report
from bench.breach.clients import Told
from bench.breach.facts import Facts, Look, Record, Scraped
from penstock.api.analysis import Analysis

OBJECTIVE = {"interval": "2s", "minRequests": 15, "metrics": [{"name": "errorRate", "max": "2%"}]}
BOTH = OBJECTIVE | {"metrics": [{"name": "errorRate", "max": "2%"}, {"name": "errorRate", "compare": "Stable"}]}
AUDIT = {"asked_at": 106.0, "answered_at": 106.01, "decided_at": 106.02, "recorded_at": 106.05, "acted_at": 106.1}


def told(at: float, status: int = 200, version: str = "v1") -> Told:
    return Told(at - 0.1, at - 0.1, at, status, version if status == 200 else "")


def scraped(*samples: tuple[float, int, int]) -> Scraped:
    """Samples as (time, bad, good), as two series."""
    bad = tuple((at, float(count)) for at, count, _ in samples)
    return Scraped(((True, bad), (False, tuple((at, float(count)) for at, _, count in samples))))


def facts(answers: list[Told], candidate: Scraped, analysis: Any = OBJECTIVE, **more: Any) -> Facts:
    made: dict[str, Any] = {
        "home": scraped((99.0, 0, 100)),
        "looks": (),
        "audit": AUDIT,
        "seen_off": 106.15,
        "confirmed": 106.2,
        "reason": "ErrorRateAboveLimit",
        "message": "",
        "load": 1.0,
    }
    judged = Analysis.model_validate(analysis)
    return Facts("bad-00", judged, tuple(answers), "v3", "v1", candidate, **made | more)


# Two of two prove an error rate above 2 %: one metric rejects at odds of 20 to 1. One of one does not.
BAD = [told(at, 500) for at in (100.0, 101.0, 102.0)]


def test_the_parts_follow_each_other_from_the_deciding_answer_to_the_last_bad_one() -> None:
    late = Told(106.25, 106.25, 106.35, 500)
    row = parts.add_up(facts([*BAD, late], scraped((100.5, 1, 0), (102.5, 3, 0), (104.5, 3, 0))))
    one = row.parts
    found = [one.scrape, one.evidence, one.look, one.ask, one.decision, one.write, one.route, one.gateway]
    assert found == pytest.approx([1.5, 0.0, 3.5, 0.01, 0.01, 0.03, 0.05, 0.15])
    assert row.gathering == pytest.approx(1.0), "from the first bad answer to the second"
    assert one.own == pytest.approx(0.09) and one.whole == pytest.approx(5.1) and row.hurt == pytest.approx(6.1)
    assert (row.bad, row.bad_before, row.requests) == (4, 2, 4)
    assert row.confirmed == pytest.approx(0.1)


def test_evidence_that_good_answers_took_back_counts_from_when_it_came_to_stay() -> None:
    good = [told(101.2 + n / 100, version="v3") for n in range(40)]
    more = [told(at, 500) for at in (103.0, 103.1, 103.2)]
    samples = scraped((102.5, 3, 40), (104.5, 6, 40))
    row = parts.add_up(facts([*BAD, *good, *more], samples))
    assert row.parts.scrape == pytest.approx(1.5), "a sample holds the two that could have sufficed"
    assert row.parts.evidence == pytest.approx(2.0), "and does not suffice itself"
    assert row.parts.look == pytest.approx(1.5)


def test_a_sample_that_no_look_could_trust_yet_is_not_what_it_looked_at() -> None:
    """Asked at 106: what is younger than a second is left for the next look."""
    row = parts.add_up(facts(BAD, scraped((103.5, 3, 0), (105.5, 3, 400))))
    assert row.parts.look == pytest.approx(2.5)


def test_a_strange_failure_is_nobodys_answer() -> None:
    strange = [Told(90.0, 90.0, 95.0, 0), Told(107.0, 107.0, 107.1, 503)]
    row = parts.add_up(facts([*strange, *BAD], scraped((102.5, 3, 0))))
    assert row.gathering == pytest.approx(1.0) and row.bad == 3 and row.requests == 5 and row.parts.gateway == 0


def test_what_only_the_comparison_knows_counts_from_the_look_before() -> None:
    """Five failures of fifty are no proof of more than 20 %, and a proof against a stable version that fails never."""
    loose = BOTH | {"metrics": [{"name": "errorRate", "max": "20%"}, {"name": "errorRate", "compare": "Stable"}]}
    mine = [told(100 + n / 10, 500 if n % 10 == 0 else 200, "v3") for n in range(50)]
    home = [told(100 + n / 100) for n in range(500)]
    after = scraped((99.0, 0, 100), (104.9, 0, 590))
    plain = facts([*mine, *home], scraped((104.9, 5, 44)), loose, home=after)
    alone = replace(plain, analysis=Analysis.model_validate(loose | {"metrics": loose["metrics"][:1]}))
    assert math.isinf(parts.knowable(alone, parts.own(alone)))
    known = parts.knowable(plain, parts.own(plain))
    assert 101.0 < known < 105.0
    looked = replace(plain, looks=(Look(100.05, (0.0,) * 8, (5, 50)),))
    assert math.isinf(parts.knowable(looked, parts.own(looked))), "what a look has weighed is not weighed again"


def test_a_series_that_begins_later_counts_from_zero() -> None:
    found = Scraped(((False, ((10.0, 4.0), (12.0, 9.0))), (True, ((12.0, 2.0),))))
    assert [found.at(at) for at in (9.0, 10.0, 11.9, 12.0)] == [(0, 0), (0, 4), (0, 4), (2, 11)]
    assert found.times() == [10.0, 12.0]


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([3.0], 0.95, 3.0), ([1.0, 2.0], 0.5, 1.0), (list(range(1, 31)), 0.95, 29), (list(range(1, 21)), 0.95, 19)],
)
def test_a_quantile_is_of_nearest_rank(values: list[float], share: float, wanted: float) -> None:
    assert report.quantile(values, share) == wanted


LINE = {
    "start_time": "1970-01-01T00:01:42.100Z",
    "x-envoy-origin-path": "/v2/models/bad-00/infer",
    "response_code": 503,
    "response_flags": "UC",
    "upstream_host": "10.0.0.7:8080",
    "upstream_local_address": "10.0.0.1:5000",
}
ITS_500 = LINE | {"start_time": "1970-01-01T00:01:41.900Z", "response_code": 500, "response_flags": "-"}

EARLY = LINE | {"start_time": "1970-01-01T00:01:37.000Z", "response_flags": "NR"}


def record(*answers: Told, logged: tuple[dict[str, Any], ...] = (LINE,)) -> Record:
    known = facts([told(98.0), *BAD, *answers], scraped((102.5, 3, 0)))
    conditions = dict.fromkeys(("command", "machine", "cluster", "steps", "interval", "scrape", "date"), "so")
    numbers = {"wished": 1, "together": 1, "rate": 20.0}
    told_by = {"bad-00": list(known.told)}
    return Record({"bad-00": known}, told_by, {"10.0.0.7": "bad-00-abc"}, logged, (1.0, 2.0), conditions | numbers)


def odd(found: Record) -> list[dict[str, Any]]:
    return [row for row in failures.failures(found) if row["status"] != 500]


def test_a_failed_answer_is_told_with_the_gateways_own_line_about_it() -> None:
    (row,) = odd(record(Told(102.1, 102.12, 102.15, 503, why="no upstream")))
    assert row["gateway"] == {key: LINE[key] for key in failures.KEPT if key in LINE}
    assert (row["revision"], row["why"], row["after_weight_0"]) == ("bad-00-abc", "no upstream", -3.98)


def test_a_line_is_one_answers_only_and_must_be_near() -> None:
    rows = odd(record(Told(102.1, 102.1, 102.2, 503), Told(102.3, 102.3, 102.4, 503)))
    assert [bool(row["gateway"]) for row in rows] == [True, False]
    assert not odd(record(Told(104.0, 104.0, 104.1, 503)))[0]["gateway"]
    assert odd(record(Told(102.1, 102.1, 107.0, 0)))[0]["gateway"], "0 fits any"


@pytest.mark.parametrize(
    ("what", "at", "lines", "cause"),
    [
        ("cut on the connection on which it had answered 500", 102.1, (LINE, ITS_500), failures.CLOSED),
        ("cut on a fresh connection", 102.1, (LINE,), failures.UNKNOWN),
        (
            "cut on another connection",
            102.1,
            (LINE, ITS_500 | {"upstream_local_address": "10.0.0.1:6000"}),
            failures.UNKNOWN,
        ),
        ("no upstream after a 500", 102.1, (LINE | {"response_flags": "UF"}, ITS_500), failures.UNKNOWN),
        ("no route before the first answer", 97.0, (EARLY,), failures.EARLY),
        ("no route later on", 102.1, (LINE | {"response_flags": "NR"},), failures.UNKNOWN),
    ],
)
def test_why_an_answer_failed(what: str, at: float, lines: tuple[dict[str, Any], ...], cause: str) -> None:
    (row,) = odd(record(Told(at, at, at + 0.1, 503), logged=lines))
    assert row["cause"] == cause, what
    assert bool(failures.strange([row])) == (cause == failures.UNKNOWN)


def test_the_page_and_its_plot_say_what_was_measured() -> None:
    found = report.results(record(Told(102.1, 102.1, 102.2, 503)))
    text = report.page(found)
    assert "own part, p95 at most 0.3 s, holds: 0.090 s" in text and "| 1 | 503 | unknown |" in text
    assert "| load average | 1.0 to 2.0" in text
    slow = {"seconds": found["seconds"] | {"own": {"p50": 0.1, "p95": 0.31, "max": 0.4}}}
    assert "DOES NOT HOLD" in report.page(found | slow)
    drawn = report.picture(found)
    assert drawn.count("<rect") == 1 + 2 * (len(report.SHOWN) + 2) and "nan" not in drawn
    assert all(a < b for a, b in pairwise(report._x(s) for s in (0.001, 0.01, 0.1, 1, 10)))
