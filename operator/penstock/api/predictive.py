"""What a user writes to have replicas before the load comes, and what status tells of it. Shapes only."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from penstock.api.fields import PERIOD, Count, Frozen, Percent, Period, Text, Tolerant, worded


class Season(StrEnum):
    """After how long the load repeats itself."""

    DAY = "Day"
    WEEK = "Week"


class Predictive(Frozen):
    """Replicas for the load that there was at this time of the day or the week."""

    season: Season = Season.WEEK
    """Day: each day is like the last ones. Week: each day is like the same one of the last weeks. Default: Week."""
    history: Annotated[int, Field(ge=2, le=14)] = 4
    """How many days or weeks back; the metric source must keep as many. Default: 4."""
    quantile: Percent = "90%"
    """Which of their loads is expected: 50% is the middle one, 100% the highest. Default: 90%."""
    lead: Annotated[
        Period,
        worded(
            PERIOD,
            "must be a duration of 1s to 1h in whole seconds, such as 90s or 10m: what a new pod needs until it serves",
            "self.matches('[1-9]')",
            "duration(self) <= duration('1h')",
        ),
    ] = "10m"
    """How far to look ahead: the time that a new pod needs until it serves. Default: 10m."""


class Forecast(Tolerant):
    """How many replicas the load of the past asks for; written anew where that number changes."""

    replicas: Count = 0
    """Fewest replicas because of it; 0: none, and the message says why."""
    message: Text = ""
    """From which loads."""
