"""When each canary is looked at: on a beat of its own, so that a thousand exposed at once are not looked at at once."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from penstock.core import evidence
from penstock.model.measure import Counts
from penstock.model.schedule import spell
from penstock.model.values import World
from tests.unit.test_evidence import NOW, OBJECTIVE, world

INTERVAL = timedelta(seconds=10)
MANY = 400


def exposed(number: int) -> World:
    """One of many that got their first share in the same instant, in a step without an end."""
    seen = world(OBJECTIVE)
    assert seen.status.candidate
    update = {"exposed_at": spell(NOW), "shifted_at": None, "step_started_at": spell(NOW)}
    candidate = seen.status.candidate.model_copy(update=update)
    return replace(seen, uid=f"uid-{number}", status=seen.status.model_copy(update={"candidate": candidate}))


def looks(seen: World, count: int, late: dict[int, timedelta] | None = None) -> list[datetime]:
    """When it is looked at; some looks come late."""
    found: list[datetime] = []
    for number in range(count):
        due = evidence.next_look(seen)
        assert due
        now = due + (late or {}).get(number, timedelta())
        found.append(now)
        seen = replace(seen, now=now, answers={0: Counts(0, 10)})
        assert seen.status.candidate and evidence.questions(seen)
        status = seen.status.model_copy(update={"candidate": evidence.look(seen, seen.status.candidate)})
        seen = replace(seen, status=status)
    return found


@pytest.mark.parametrize("number", range(20))
def test_looks_are_an_interval_apart_and_the_first_ones_never_further(number: int) -> None:
    found = [NOW, *looks(exposed(number), 6)]
    gaps = [after - before for before, after in pairwise(found)]
    assert all(INTERVAL / 2 <= gap <= INTERVAL for gap in gaps), gaps
    assert set(gaps[2:]) == {INTERVAL}


def test_a_late_look_makes_no_later_one_late() -> None:
    on_time = looks(exposed(1), 8)
    behind = looks(exposed(1), 8, {3: timedelta(seconds=3)})
    assert behind[3] != on_time[3] and behind[4:] == on_time[4:]


def test_many_that_were_exposed_together_are_looked_at_evenly() -> None:
    found = [looks(exposed(number), 3)[-1] for number in range(MANY)]
    seconds = [sum(1 for at in found if int((at - NOW).total_seconds()) % 10 == second) for second in range(10)]
    assert max(seconds) < 2 * MANY / 10, seconds


def test_many_that_were_looked_at_late_together_part_again() -> None:
    found = []
    for number in range(MANY):
        soon = looks(exposed(number), 3)[-1]
        late = NOW + 4 * INTERVAL  # the metric source was away; all are answered in one instant
        found.append(looks(exposed(number), 6, {2: late - soon})[-1])
    seconds = [sum(1 for at in found if int((at - NOW).total_seconds()) % 10 == second) for second in range(10)]
    assert max(seconds) < 2 * MANY / 10, seconds
