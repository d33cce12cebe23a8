"""Times on the calendar: every week, or from one day to another, by the clock of a time zone.

Shapes and cross-field rules only; whether it is now such a time is worked out in `model.calendar`.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from penstock.api.fields import Frozen, Period, cel, worded

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_ZONE = r"^[A-Z][-+_A-Za-z0-9]*(/[A-Z][-+_A-Za-z0-9]*){0,2}$"

Clock = Annotated[
    str, StringConstraints(pattern=_CLOCK, max_length=5), worded(_CLOCK, "must be a time of day such as 18:00")
]
Date = Annotated[
    str, StringConstraints(pattern=_DATE, max_length=10), worded(_DATE, "must be a date such as 2026-12-24")
]
Zone = Annotated[
    str,
    StringConstraints(pattern=_ZONE, max_length=64),
    worded(_ZONE, "must be the name of a time zone such as UTC or Europe/Berlin"),
]


class Day(StrEnum):
    """Day of the week."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


WINDOW_RULES = (
    cel(
        "has(self.days) && has(self.start) && has(self.duration) && !has(self.from) && !has(self.to)"
        " || !has(self.days) && !has(self.start) && !has(self.duration) && has(self.from) && has(self.to)",
        "give either days, start and duration (every week) or from and to (whole days of the calendar)",
    ),
    cel("!has(self.from) || !has(self.to) || self.from <= self.to", "to must not be before from"),
    cel(
        "!has(self.duration) || duration(self.duration) <= duration('168h')",
        "duration must be at most 168h: the window begins again every week; for longer ones give from and to",
        fieldPath=".duration",
    ),
)
"""For the schema of each kind of window, beside its own rules."""


class Window(Frozen):
    """A time that comes every week, or once."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)] | None = None
    """Days of the week on which it begins. Example: [Friday]."""
    start: Clock | None = None
    """Time of day at which it begins. Example: "18:00"."""
    duration: Period | None = None
    """How long it lasts, at most a week. Example: 62h."""
    from_: Annotated[Date | None, Field(alias="from")] = None
    """First day. Example: 2026-12-20."""
    to: Date | None = None
    """Last day. Example: 2027-01-03."""
    time_zone: Zone = "UTC"
    """Time zone of the clock and of the days. Default: UTC. Example: Europe/Berlin."""

    @model_validator(mode="after")
    def _exists(self) -> Self:
        """What CEL cannot know: whether the zone and the days are real."""
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"there is no time zone {self.time_zone}; name one such as Europe/Berlin") from None
        for text in filter(None, (self.from_, self.to)):
            _see_that_it_exists(text)
        return self


def _see_that_it_exists(day: str) -> None:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"{day} is no day of the calendar; give one such as 2026-12-24") from None
