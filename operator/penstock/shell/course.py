"""When a turn asked, knew, decided, recorded and acted, so that its audit line says how long each took.

The wall clock is read once, at the turn's start; everything after is measured on the event loop's clock, which nobody
sets. So the moments are in order whatever happens to the wall clock. Nothing here may be needed for a decision.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.model.copying import replace
from penstock.model.schedule import spell


@dataclass(frozen=True)
class Course:
    """The moments of one turn that have passed: names and seconds since its start, in order."""

    began: datetime
    zero: float
    passed: tuple[tuple[str, float], ...] = ()

    def then(self, moment: str) -> "Course":
        """The course with a moment that is now."""
        return replace(self, passed=(*self.passed, (moment, _clock() - self.zero)))

    def seconds(self, start: str, end: str) -> float:
        """Seconds between two moments that have passed; `KeyError` for one that has not."""
        passed = dict(self.passed)
        return passed[end] - passed[start]

    def spelled(self) -> dict[str, str]:
        """UTC timestamps by name, as status spells them."""
        return {moment: spell(self.began + timedelta(seconds=after)) for moment, after in self.passed}


def begin(now: datetime) -> Course:
    """A turn that starts at this moment of the wall clock."""
    return Course(now, _clock())


def _clock() -> float:
    return asyncio.get_running_loop().time()
