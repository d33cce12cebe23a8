"""Windows on the calendar: is now inside one, and until when. UTC in and out; the zone's own rules between."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from penstock.api.fields import span
from penstock.api.window import Day, Window

LONGEST = 7  # days that a weekly window may last
DAYS = list(Day)


def frozen_until(windows: Iterable[Window], now: datetime) -> datetime | None:
    """The end of the freeze that holds now, windows that touch taken together; None outside of any."""
    windows, until = tuple(windows), now
    for _ in range(2 * len(windows) + 1):
        ends = [end for window in windows for begin, end in _around(window, until) if begin <= until < end]
        if not ends:
            break
        until = max(ends)
    return until if until > now else None


def holds(window: Window, now: datetime) -> bool:
    """Whether now is inside the window."""
    return any(begin <= now < end for begin, end in _around(window, now))


def next_change(windows: Iterable[Window], now: datetime) -> datetime | None:
    """The next time at which one begins or ends; None where none does within a week."""
    times = (each for window in windows for pair in _around(window, now) for each in pair)
    return min((each for each in times if each > now), default=None)


def _around(window: Window, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window's occurrences that may hold `at`, and those of the week to come, as (begin, end)."""
    zone = ZoneInfo(window.time_zone)
    if window.from_ and window.to:
        last = date.fromisoformat(window.to) + timedelta(days=1)
        yield _utc(date.fromisoformat(window.from_), time(), zone), _utc(last, time(), zone)
        return
    assert window.days and window.start and window.duration
    today = at.astimezone(zone).date()
    for back in range(-1 - LONGEST, LONGEST + 1):
        day = today - timedelta(days=back)
        if DAYS[day.weekday()] in window.days:
            begin = _utc(day, time.fromisoformat(window.start), zone)
            yield begin, begin + min(span(window.duration), timedelta(days=LONGEST))


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
