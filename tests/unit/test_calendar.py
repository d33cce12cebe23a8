"""Freeze windows: the rules of a zone at its clock changes, windows that touch, and every minute of weeks counted."""

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from penstock.api.rollout import Freeze
from penstock.api.window import Day
from penstock.model.calendar import frozen_until

WEEKEND = {"days": ["Friday"], "start": "18:00", "duration": "62h", "timeZone": "Europe/Berlin"}
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def windows(*each: dict[str, Any]) -> list[Freeze]:
    return [Freeze.model_validate(one) for one in each]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def until(now: str, *each: dict[str, Any]) -> str | None:
    """The end of the freeze at a time, both in UTC; None outside."""
    found = frozen_until(windows(*each), utc(now))
    return found.strftime("%Y-%m-%dT%H:%M") if found else None


NIGHT = {"days": ["Monday"], "start": "22:00", "duration": "8h", "timeZone": "UTC"}
MORNING = {"days": ["Tuesday"], "duration": "2h"}
SPRING = {"days": ["Sunday"], "start": "02:30", "duration": "1h", "timeZone": "Europe/Berlin"}
HOLIDAY = {"from": "2026-12-19", "to": "2027-01-03", "timeZone": "Europe/Berlin"}
CASES = [
    # winter: Berlin is UTC+1
    ("2026-11-20T16:59", None, [WEEKEND]),
    ("2026-11-20T17:00", "2026-11-23T07:00", [WEEKEND]),
    ("2026-11-23T06:59", "2026-11-23T07:00", [WEEKEND]),
    ("2026-11-23T07:00", None, [WEEKEND]),
    # the clock goes forward on Sunday 2026-03-29: 62 hours are 62 hours, so it ends an hour later by the clock
    ("2026-03-28T12:00", "2026-03-30T07:00", [WEEKEND]),
    ("2026-03-30T06:59", "2026-03-30T07:00", [WEEKEND]),
    # and back on Sunday 2026-10-25
    ("2026-10-23T15:59", None, [WEEKEND]),
    ("2026-10-23T16:00", "2026-10-26T06:00", [WEEKEND]),
    ("2026-10-26T06:00", None, [WEEKEND]),
    # 02:30 does not exist on 2026-03-29, and comes twice on 2026-10-25: the first one counts
    ("2026-03-29T01:29", None, [SPRING]),
    ("2026-03-29T01:30", "2026-03-29T02:30", [SPRING]),
    ("2026-10-25T00:30", "2026-10-25T01:30", [SPRING]),
    ("2026-10-25T01:30", None, [SPRING]),
    # over midnight, and over the end of the week
    ("2026-11-24T05:59", "2026-11-24T06:00", [NIGHT]),
    ("2026-11-24T06:00", None, [NIGHT]),
    ("2026-11-23T05:00", "2026-11-23T08:00", [{"days": ["Sunday"], "start": "20:00", "duration": "12h"}]),
    # whole days of a zone
    ("2026-12-18T22:59", None, [HOLIDAY]),
    ("2026-12-18T23:00", "2027-01-03T23:00", [HOLIDAY]),
    ("2027-01-03T23:00", None, [HOLIDAY]),
    ("2026-03-28T23:00", "2026-03-29T22:00", [HOLIDAY | {"from": "2026-03-29", "to": "2026-03-29"}]),
    ("2026-10-24T22:00", "2026-10-25T23:00", [HOLIDAY | {"from": "2026-10-25", "to": "2026-10-25"}]),
    # those that touch or overlap are one; those that do not are not
    (
        "2026-11-23T23:00",
        "2026-11-24T08:00",
        [NIGHT, NIGHT | {"days": ["Tuesday"], "start": "06:00", "duration": "2h"}],
    ),
    (
        "2026-11-23T23:00",
        "2026-11-24T06:00",
        [NIGHT, NIGHT | {"days": ["Tuesday"], "start": "06:01", "duration": "2h"}],
    ),
    ("2026-12-18T17:00", "2027-01-04T07:00", [WEEKEND, HOLIDAY]),
    ("2026-12-25T12:00", "2027-01-04T07:00", [HOLIDAY, WEEKEND]),
    # none at all
    ("2026-11-20T12:00", None, []),
]


@pytest.mark.parametrize(("now", "end", "given"), CASES)
def test_a_freeze_ends_when_the_calendar_says(now: str, end: str | None, given: list[dict[str, Any]]) -> None:
    assert until(now, *given) == end


def test_windows_without_a_gap_freeze_for_good_and_it_ends_no_look() -> None:
    """It says some time ahead and asks again there: what matters is that now is inside."""
    always = {"days": [d.value for d in Day], "start": "00:00", "duration": "24h"}
    found = frozen_until(windows(always), utc("2026-11-20T12:00"))
    assert found and found > utc("2026-11-20T12:00")
    assert frozen_until(windows(always), found)


def is_frozen(window: Freeze, at: datetime) -> bool:
    """The plain truth about one minute: did it begin within its duration before now, by the zone's own clock?"""
    zone = ZoneInfo(window.time_zone)
    if window.from_ and window.to:
        return date.fromisoformat(window.from_) <= at.astimezone(zone).date() <= date.fromisoformat(window.to)
    assert window.days and window.start and window.duration
    hours = int(window.duration.removesuffix("h"))
    local = at.astimezone(zone).date()
    for back in range(10):
        day = local - timedelta(days=back)
        begin = datetime.combine(day, time.fromisoformat(window.start), zone).astimezone(UTC)
        named = day.strftime("%A") in [d.value for d in window.days]
        if named and begin <= at < begin + timedelta(hours=hours):
            return True
    return False


@pytest.mark.parametrize("seed", range(12))
def test_every_sampled_minute_of_weeks_around_a_clock_change_is_as_counted(seed: int) -> None:
    """Random windows against the plain truth, minute by minute where it matters: right at the end that was named."""
    chance = random.Random(seed)
    given = windows(*(draw(chance) for _ in range(chance.choice((1, 2, 3)))))
    start = utc(chance.choice(("2026-03-20T00:00", "2026-10-16T00:00", "2026-12-15T00:00")))
    for _ in range(120):
        at = start + MINUTE * chance.randrange(20 * 24 * 60)
        end = frozen_until(given, at)
        assert bool(end) == any(is_frozen(w, at) for w in given), at
        if end:
            assert end > at
            inside = at + (end - at) * chance.random()
            assert any(is_frozen(w, inside) for w in given), f"{inside} is free, before {end}"
            assert any(is_frozen(w, end - MINUTE) for w in given) or end - at < MINUTE
            assert not any(is_frozen(w, end) for w in given), f"{end} is still frozen"


def draw(chance: random.Random) -> dict[str, Any]:
    """A window, weekly or of the calendar, in some zone."""
    zone = chance.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"))
    if chance.random() < 0.3:
        first = date(2026, chance.choice((3, 10, 12)), chance.randint(15, 27))
        return {"from": str(first), "to": str(first + timedelta(days=chance.randint(0, 5))), "timeZone": zone}
    days = chance.sample([d.value for d in Day], chance.randint(1, 2))
    start = f"{chance.randint(0, 23):02}:{chance.choice((0, 15, 30)):02}"
    return {"days": days, "start": start, "duration": f"{chance.randint(1, 40)}h", "timeZone": zone}
