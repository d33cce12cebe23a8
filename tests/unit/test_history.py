"""Rollouts that are over, and the window in which a revision that was good returns without steps."""

from dataclasses import replace

import pytest

from penstock.api.status import Ended, Status
from penstock.core import history
from penstock.core.decide import advance
from penstock.core.moves import spoken
from penstock.model.reasons import Reason
from penstock.model.values import Notice, World
from tests.unit.worlds import CLOCKS, NOW, STABLE, V1, V2, V3, ago, spec, trying, usual


def ended(revision: str, age: float, reason: str = "Promoted") -> Ended:
    return Ended(revision=revision, version="?", reason=reason, started_at=ago(age + 60), at=ago(age))


def remembering(*entries: Ended, wanted: str = "v2") -> World:
    """v1 is stable, the window is an hour."""
    world = usual(wanted, "walk", "window")
    return replace(world, status=Status(stable=STABLE, history=list(entries)))


# (what was promoted, and how many seconds ago), whether v2 may return without steps
WINDOWS = [
    ([], False),
    ([(V2, 5000)], False),  # promoted, and nothing after it: then it is stable, or its record was lost
    ([(V2, 5000), (V1, 3599)], True),
    ([(V2, 5000), (V1, 3600)], True),
    ([(V2, 5000), (V1, 3601)], False),
    ([(V2, 9000), (V3, 5000), (V1, 100)], False),  # it ceased to be stable when v3 came
    ([(V2, 9000), (V1, 5000), (V2, 900), (V1, 100)], True),  # the last time counts
    ([(V1, 100)], False),
]


@pytest.mark.parametrize(("promoted", "may"), WINDOWS)
def test_a_revision_returns_without_steps_only_while_its_goodness_is_fresh(
    promoted: list[tuple[str, float]], may: bool
) -> None:
    world = remembering(*(ended(*each) for each in promoted))
    assert history.may_return(world, V2) is may
    turn = advance(world)
    assert turn.status.candidate
    plan = [spoken(step) for step in turn.status.candidate.steps]
    assert plan == (["100%", "bake 60s"] if may else ["copies of 50%", "cohort", "25%", "100%", "bake 60s"])


def test_without_a_window_nothing_returns_without_steps() -> None:
    world = remembering(ended(V2, 5000), ended(V1, 100))
    assert not history.may_return(replace(world, spec=spec("v2", "walk")), V2)


@pytest.mark.parametrize("reason", ["Superseded", "ErrorRateAboveLimit", "Aborted"])
def test_only_a_promotion_makes_a_revision_good(reason: str) -> None:
    world = remembering(ended(V2, 5000, reason), ended(V1, 100))
    assert not history.may_return(world, V2)


def test_a_return_within_the_window_does_not_wait_for_a_freeze_or_a_pause() -> None:
    world = remembering(ended(V2, 5000), ended(V1, 100))
    turn = advance(replace(world, annotations={"pause": "true"}))
    assert turn.status.candidate and turn.status.candidate.revision == V2
    new = advance(replace(remembering(), annotations={"pause": "true"}))
    assert not new.status.candidate and new.waits and new.waits.reason is Reason.PAUSED


def test_history_keeps_who_and_why_and_the_last_twenty() -> None:
    candidate = trying("walk", 2, CLOCKS["over"])
    notice = Notice(True, Reason.ABORTED, "x" * 5000, V2, "eve")
    status = remembering(*(ended(V3, 900 - n) for n in range(20))).status
    after = history.ended(replace(usual("v2", "walk"), now=NOW), status, candidate, notice)
    assert len(after.history) == 20 and after.history[:-1] == status.history[1:]
    last = after.history[-1]
    assert (last.revision, last.version, last.reason, last.by) == (V2, "v2", "Aborted", "eve")
    assert (last.started_at, last.at, len(last.message)) == (candidate.started_at, ago(0), 1024)
