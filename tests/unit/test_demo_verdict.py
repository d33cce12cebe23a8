"""A run passes only when every part of the story happened: each way in which it may not have is tried."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from examples.demo.records import Answer
from examples.demo.sightings import Glance, Rejection
from examples.demo.story import STORY
from examples.demo.tale import Tale
from examples.demo.verdict import ALLOWANCE, judge, passed
from tests.unit.demo_tales import ERRORS, good_tale, looked


def untrue(tale: Tale) -> list[str]:
    """The findings that do not hold."""
    return [each.text for each in judge(tale, len(STORY)) if not each.true]


def test_the_story_as_it_should_be_passes() -> None:
    assert untrue(good_tale()) == []


def lose_last_part(tale: Tale) -> None:
    tale.chapters.pop()


def never_rest(tale: Tale) -> None:
    tale.chapters[1].settled = None


def skip_a_step(tale: Tale) -> None:
    tale.routes = [(at, route) for at, route in tale.routes if route.get("digits-v2") != 25]


def keep_v1(tale: Tale) -> None:
    tale.glances[1] = (160.0, replace(tale.glances[0][1]))


def fail_in_calm(tale: Tale) -> None:
    tale.answers.append(Answer(150.0, 5.0, 0, "", False))


def fail_under_v4(tale: Tale) -> None:
    tale.answers.append(Answer(350.0, 0.1, 503, "", False))


def fail_after_the_route(tale: Tale) -> None:
    tale.answers.append(Answer(230.0 + ALLOWANCE + 0.1, 0.1, 500, "", False))


def break_nothing(tale: Tale) -> None:
    tale.answers = [each for each in tale.answers if not each.failed]


def never_take_v3_off(tale: Tale) -> None:
    tale.routes = [each for each in tale.routes if each[0] != 230.0]


def take_v3_off_late(tale: Tale) -> None:
    tale.routes = [(at if at != 230.0 else 240.0, route) for at, route in tale.routes]


def reject_on_what_nobody_sent(tale: Tale) -> None:
    tale.answers = [each for each in tale.answers if each.sent != 225.0]


def count_a_failure_twice(tale: Tale) -> None:
    rejected(tale, replace(ERRORS, message=ERRORS.message.replace("2 of 3", "3 of 3")))


def count_requests_of_others(tale: Tale) -> None:
    rejected(tale, replace(ERRORS, message=ERRORS.message.replace("2 of 3", "2 of 9")))


def reject_without_numbers(tale: Tale) -> None:
    rejected(tale, replace(ERRORS, message="it looked bad"))


def look_late(tale: Tale) -> None:
    tale.glances[2] = (223.0, replace(tale.glances[2][1], evidence=(looked(0, 0),)))


def never_try_v3(tale: Tale) -> None:
    tale.routes = [each for each in tale.routes if "digits-v3" not in each[1]]


def give_v3_all(tale: Tale) -> None:
    tale.routes.insert(-1, (228.0, {"digits-v3": 100}))


def rejected(tale: Tale, why: Rejection) -> None:
    at, seen = tale.glances[-2]
    tale.glances[-2] = (at, replace(seen, rejected=(why,)))


def reject_for_slowness(tale: Tale) -> None:
    rejected(tale, replace(ERRORS, reason="SlowRateAboveStable"))


def not_reject_v4(tale: Tale) -> None:
    tale.glances[-1] = tale.glances[-2]


def give_v4_traffic(tale: Tale) -> None:
    tale.routes.append((340.0, {"digits-v2": 95, "digits-v4": 5}))


def no_traffic(tale: Tale) -> None:
    tale.answers = [each for each in tale.answers if not 100 <= each.sent < 200]


def no_better(tale: Tale) -> None:
    tale.answers = [replace(each, right=each.version == "v1") for each in tale.answers]


def unready_home(tale: Tale) -> None:
    tale.glances[0] = (30.0, Glance(current=True, ready=False, stable="v1", reason="WaitingForPods"))


SPOILS: list[tuple[Callable[[Tale], None], str]] = [
    (lose_last_part, "3 of 4 parts"),
    (never_rest, "part 2: did not come to rest"),
    (skip_a_step, "part 2: v2 walked 5 -> 50 -> 100"),
    (keep_v1, "part 2: v1 serves at its end"),
    (fail_in_calm, "part 2: 1 of"),
    (fail_under_v4, "part 4: 1 of"),
    (fail_after_the_route, "after its weight was 0"),
    (break_nothing, "v3 failed no request"),
    (never_take_v3_off, "v3 still has 5 %"),
    (never_try_v3, "v3 got no traffic"),
    (take_v3_off_late, "the evidence sufficed for 15.0 s before weight 0 (allowed: 10 s)"),
    (look_late, "at weight 0 the oldest answer not yet weighed was 15.0 s old (allowed: 10 s)"),
    (reject_on_what_nobody_sent, "rejected on 2 failures in 3 requests, clients had seen 1 in 2"),
    (count_a_failure_twice, "rejected on 3 failures in 3 requests, clients had seen 2 in 3"),
    (count_requests_of_others, "rejected on 2 failures in 9 requests, clients had seen 2 in 3"),
    (reject_without_numbers, "rejected on 0 failures in 0 requests"),
    (give_v3_all, "v3 never had more than 100 %"),
    (reject_for_slowness, "v3 rejected: SlowRateAboveStable"),
    (not_reject_v4, "v4 rejected: not rejected"),
    (give_v4_traffic, "v4 got traffic"),
    (no_traffic, "part 2: 0 of 0 requests"),
    (no_better, "right answers"),
    (unready_home, "part 1: Ready is False, reason WaitingForPods"),
]


@pytest.mark.parametrize(("spoil", "text"), SPOILS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_did_not_happen_is_found(spoil: Callable[[Tale], None], text: str) -> None:
    tale = good_tale()
    spoil(tale)
    assert any(text in each for each in untrue(tale)), untrue(tale)
    assert not passed(judge(tale, len(STORY)))
