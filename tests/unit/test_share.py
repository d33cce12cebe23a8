"""The share that is seen: when it is right, wrong or unknown, and from when on requests count."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.api.condition import ConditionStatus, SeenShare
from penstock.api.status import StepKind, Trying
from penstock.core import share
from penstock.core.moves import enter
from penstock.core.plan import decide
from penstock.model.measure import Answer, Counts, Ratio, Selector, Silence
from penstock.model.reasons import Reason
from penstock.model.schedule import LAG, read, spell
from penstock.model.values import Notice, RouteSeen, World
from penstock.stats import interval
from tests.unit.test_evidence import COMPARED, NOW, OBJECTIVE, world

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
VALUE = {"name": "accuracy", "value": {"query": "accuracy"}, "min": "0.9"}


def routed(*metrics: dict[str, Any], weight: int = 5, **seen: Any) -> World:
    """v2 has its 5 %, or whatever the route gives it, confirmed a minute ago."""
    found = world(*(metrics or (OBJECTIVE,)))
    candidate, stable = found.status.candidate, found.status.stable
    assert candidate and stable
    route = RouteSeen({stable.revision: 100 - weight, candidate.revision: weight}, True)
    counted = SeenShare.model_validate({"since": spell(NOW - timedelta(seconds=50))} | seen)
    candidate = candidate.model_copy(update={"seen": counted, "version": "v2"})
    return replace(found, route=route, status=found.status.model_copy(update={"candidate": candidate}))


def candidate_of(found: World) -> Trying:
    assert found.status.candidate
    return found.status.candidate


def after(found: World, *answers: Answer) -> World:
    """The world after these looks, ten seconds apart."""
    for answer in answers:
        candidate = share.look(replace(found, counted=answer), candidate_of(found))
        status = found.status.model_copy(update={"candidate": candidate})
        found = replace(found, status=status, now=found.now + timedelta(seconds=10))
    return found


def counts(mine: int, home: int) -> Counts:
    return Counts(mine, mine, home, home)


CASES: dict[str, tuple[list[Answer], ConditionStatus, Reason, str | None]] = {
    "nothing yet": ([], UNKNOWN, Reason.TOO_FEW_REQUESTS, None),
    "silence": ([Silence("dead")] * 9, UNKNOWN, Reason.TOO_FEW_REQUESTS, None),
    "no requests": ([counts(0, 0)] * 9, UNKNOWN, Reason.TOO_FEW_REQUESTS, None),
    "few": ([counts(1, 9), counts(0, 10), counts(1, 9)], UNKNOWN, Reason.TOO_FEW_REQUESTS, "6.7%"),
    "one look, which any scrape may explain": ([counts(0, 9000)], UNKNOWN, Reason.TOO_FEW_REQUESTS, "0.0%"),
    "as asked": ([counts(5, 95)] * 10, TRUE, Reason.SHARE_SEEN, "5.0%"),
    "nobody": ([counts(0, 100)] * 10, FALSE, Reason.SHARE_MISMATCH, "0.0%"),
    "half": ([counts(50, 50)] * 4, FALSE, Reason.SHARE_MISMATCH, "50.0%"),
    "off by less than a point": ([counts(58, 942)] * 100, TRUE, Reason.SHARE_SEEN, "5.8%"),
    "off by two points": ([counts(70, 930)] * 100, FALSE, Reason.SHARE_MISMATCH, "7.0%"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_count_ends_in(name: str) -> None:
    answers, status, reason, told = CASES[name]
    found = after(routed(), *answers)
    fact = share.fact(found, found.status)
    assert fact and fact[:2] == (status, reason), fact
    shown = candidate_of(found).observed_share
    assert shown is None if told is None else abs(float(shown.rstrip("%")) - float(told.rstrip("%"))) < 3  # type: ignore[union-attr]
    assert share.beside(found.status) == (None if shown is None else f"{100 - float(shown.rstrip('%')):.1f}%")
    assert fact[2].startswith("asked 5%, seen ")


def test_what_is_wrong_is_counted_anew_and_stays_wrong_until_it_is_seen_right() -> None:
    found = after(routed(), *[counts(50, 50)] * 4)
    said = share.fact(found, found.status)
    few = after(found, counts(0, 3))
    assert share.fact(few, few.status) == said, "a few requests prove nothing"
    seen = candidate_of(found).seen
    assert seen and (seen.candidate, seen.stable) == (0, 0)
    right = after(found, *[counts(5, 95)] * 12)
    assert (share.fact(right, right.status) or ())[:2] == (TRUE, Reason.SHARE_SEEN)


def test_the_question_is_about_all_requests_of_both_since_the_share_was_confirmed() -> None:
    found = routed()
    asked = share.question(found)
    stable = found.status.stable
    assert asked and asked.stable and stable
    everything = Selector("requests_total")
    assert asked.candidate.measure == asked.stable.measure == Ratio(everything, everything)
    assert (asked.candidate.revision, asked.stable.revision) == (candidate_of(found).revision, stable.revision)
    assert asked.since == asked.start == NOW - timedelta(seconds=50) and asked.end == NOW - LAG
    assert not asked.candidate.born
    later = share.question(after(found, counts(5, 95)))
    assert later and later.since == asked.since and later.start == NOW - LAG


def test_nothing_is_asked_where_the_route_says_something_else() -> None:
    found = routed()
    for route in (None, RouteSeen({}, True), replace(found.route or RouteSeen({}, True), programmed=False)):
        assert share.question(replace(found, route=route)) is None


def test_counting_begins_after_the_gateway_has_confirmed_and_anew_when_it_no_longer_does() -> None:
    found = routed()
    fresh = candidate_of(found).model_copy(update={"seen": None})
    begun = share.follow(replace(found, status=found.status.model_copy(update={"candidate": fresh}))).seen
    assert begun and begun.since and read(begun.since) == NOW + share.SETTLING
    assert share.follow(found) == candidate_of(found), "it goes on"
    away = replace(found, route=RouteSeen({"churn-x": 100}, True))
    assert share.follow(away).seen is None
    wrong = after(found, *[counts(50, 50)] * 4)
    kept = share.follow(replace(wrong, route=away.route)).seen
    assert kept and kept.verified is FALSE and kept.since is None, "what was proven is not forgotten by a flicker"
    again = replace(wrong, status=wrong.status.model_copy(update={"candidate": share.follow(wrong)}))
    assert (share.fact(again, again.status) or ())[:1] == (FALSE,)


def test_a_new_step_knows_nothing_of_the_share_of_the_last() -> None:
    found = after(routed(), *[counts(5, 95)] * 10)
    turn = enter(found, 1, Notice(False, Reason.STEP_ENTERED, ""))
    assert turn.status.candidate and turn.status.candidate.seen is None is turn.status.candidate.observed_share


def test_what_nothing_counts_is_unknown() -> None:
    for found, words in ((routed(VALUE), "no metric of spec.analysis counts anything"), (bare(), "names no counter")):
        fact = share.fact(found, found.status)
        assert fact and fact[:2] == (UNKNOWN, Reason.NO_COUNTERS) and words in fact[2]
        assert share.question(found) is None
        assert share.follow(found).seen is None
    copies = routed()
    shadow = {"weight": 0, "kind": StepKind.SHADOW, "mirror": 50}
    steps = [each.model_copy(update=shadow) for each in candidate_of(copies).steps]
    status = copies.status.model_copy(update={"candidate": candidate_of(copies).model_copy(update={"steps": steps})})
    assert (share.fact(copies, status) or ())[:2] == (UNKNOWN, Reason.NOT_A_SHARE)
    assert share.fact(copies, copies.status.model_copy(update={"candidate": None})) is None


def bare() -> World:
    """Counters are there for v1 only."""
    found = routed()
    mine = candidate_of(found).revision
    known = {name: replace(s, profile={}) if name == mine else s for name, s in found.snapshots.items()}
    return replace(found, snapshots=known)


def test_a_source_is_that_of_a_metric_that_counts() -> None:
    asked = share.question(routed(VALUE | {"source": "lake"}, OBJECTIVE | {"source": "near"}, COMPARED))
    assert asked and asked.source == "near"


def test_latencies_count_requests_where_nothing_else_does() -> None:
    found = routed()
    lean = {n: replace(s, profile={"latency": s.profile["latency"]}) for n, s in found.snapshots.items()}
    asked = share.question(replace(found, snapshots=lean))
    assert asked and asked.candidate.measure == Ratio(Selector("seconds_count"), Selector("seconds_count"))


def test_status_shows_both_shares() -> None:
    found = after(routed(), *[counts(5, 95)] * 10)
    plan = decide(found)
    assert plan.status.stable and plan.status.candidate
    mine, home = plan.status.candidate.observed_share, plan.status.stable.observed_share
    assert (mine, home) == ("5.0%", "95.0%")
    said = {c.type: c for c in plan.status.conditions}["TrafficVerified"]
    assert (said.status, said.reason) == (TRUE, "ShareSeen")


def test_the_interval_is_never_wrong_more_often_than_declared_however_the_scrapes_fall() -> None:
    """Looks of 15 s at counters of any age up to a scrape: 1,000 counts, each looked at 40 times."""
    dice, wrong = random.Random(3), 0
    for _ in range(1000):
        wanted, lag = dice.choice((0.01, 0.05, 0.2, 0.5, 0.8)), dice.uniform(1.0, 15.0)
        phases = (dice.uniform(0, lag), dice.uniform(0, lag))
        wrong += any(not low - 1e-9 <= wanted <= high + 1e-9 for low, high in looked(dice, wanted, (lag, phases)))
    assert wrong <= 15, "1 % of 1,000 and three times its spread"


def looked(dice: random.Random, wanted: float, scraped: tuple[float, tuple[float, float]]) -> list[interval.Interval]:
    """What 40 looks show of two counters, of which each grows at its own requests and is scraped at its own times."""
    lag, phases = scraped
    grown = [[0], [0]]  # by tenth of a second
    for _ in range(6100):
        mine = sum(dice.random() < wanted for _ in range(3))
        grown[0].append(grown[0][-1] + mine)
        grown[1].append(grown[1][-1] + 3 - mine)

    def at(arm: int, time: float) -> int:
        """As the last scrape before a time says; before the first of all, as that one."""
        scrape = max(0.0, (time - phases[arm]) // lag) * lag + phases[arm]
        return grown[arm][int(min(scrape, 600.0) * 10)]

    found, edges = [], [0, 0]
    for look in range(1, 41):
        times = 15.0 * (look - 1), 15.0 * look
        edges = [max(edges[arm], at(arm, times[1]) - at(arm, times[0])) for arm in (0, 1)]
        mine, home = (at(arm, times[1]) - at(arm, 0.0) for arm in (0, 1))
        found.append(interval.part(mine, home, (edges[0], edges[1]), share.ALPHA))
    return found
