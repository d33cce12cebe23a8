"""The time of decisions: the API server's, so that it is one for all operators, whatever a machine's clock says.

Whoever leads next reads the times in status on another machine. What all of them share is the API server, which tells
its time with each answer, in whole seconds. Between answers time goes by on the clock that nobody sets. It must not
wait for an answer: before the first one, and as long as it is within that second, the machine's own clock counts.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass
class Clock:
    """`ahead` is by how many seconds Unix time is more than the monotonic clock."""

    ahead: float = field(default_factory=lambda: time.time() - time.monotonic())

    def hear(self, date: str, sent: float) -> None:
        """The Date header of an answer that has just come, and when it was asked for, in monotonic seconds.

        It was written between the two, and says the beginning of a second.
        """
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):  # a proxy that says none, or nonsense
            return
        self.ahead = min(max(self.ahead, told - time.monotonic()), told + 1 - sent)

    def seconds(self) -> float:
        """Unix seconds."""
        return time.monotonic() + self.ahead

    def now(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)
