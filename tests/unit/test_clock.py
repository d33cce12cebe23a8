"""The time of decisions follows what the API server says, to the second, and nothing else once it has heard that."""

import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest

from penstock.shell.clock import Clock

HOUR = 3600.0
SENT = time.monotonic()
NOW = 1_795_000_000.0


def near(seconds: float) -> Any:
    """To the millisecond: a part of so large a number would be many minutes."""
    return pytest.approx(seconds, rel=0, abs=0.001)


def heard(ahead: float, told: float, monkeypatch: pytest.MonkeyPatch, took: float = 0.0) -> float:
    """What a clock says in the moment of an answer that tells this time and took so long."""
    monkeypatch.setattr(time, "monotonic", lambda: SENT + took)
    clock = Clock(NOW - SENT + ahead)
    clock.hear(formatdate(told, usegmt=True), SENT)
    return clock.seconds()


@pytest.mark.parametrize("off", [-HOUR, -30.0, 30.0, HOUR])
def test_a_clock_that_is_off_is_put_right_by_the_first_answer(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NOW <= heard(off, NOW, monkeypatch) <= NOW + 1


@pytest.mark.parametrize("part", [0.0, 0.4, 1.0])
def test_a_clock_within_the_second_that_was_told_is_left_alone(part: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(part, NOW, monkeypatch) == near(NOW + part)


def test_an_answer_that_took_long_says_no_more_than_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written at any time in those eight seconds."""
    assert heard(0.0, NOW + 3, monkeypatch, took=8.0) == near(NOW + 8)
    assert heard(-HOUR, NOW + 3, monkeypatch, took=8.0) == near(NOW + 3)
    assert heard(HOUR, NOW + 3, monkeypatch, took=8.0) == near(NOW + 12)


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 32 Nov 2026 00:00:00 GMT"])
def test_an_answer_without_a_time_changes_nothing(date: str) -> None:
    clock = Clock()
    before = clock.ahead
    clock.hear(date, time.monotonic())
    assert clock.ahead == before


def test_the_machines_clock_counts_until_something_is_heard_and_never_after_it_jumps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    assert abs((datetime.now(UTC) - clock.now()).total_seconds()) < 0.5
    before = time.time()
    monkeypatch.setattr(time, "time", lambda: before + HOUR)
    assert clock.seconds() - before < 60.0
