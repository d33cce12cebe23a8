"""What bad weather leaves behind to be judged: a turn of the operator, a write of it, the bugs that it met."""

import sys
import traceback
from dataclasses import dataclass, field

from penstock.model.measure import Counts
from tests.sim.gate import Carried
from tests.sim.machine import Nature, Object
from tests.sim.wire import Write

Told = tuple[float, str, bool, Counts]  # an answer: when, about whom, compared, counts
Shared = tuple[float, str, float, Counts]  # counts of all requests: when, whose, since when


@dataclass
class Flapping(Nature):
    """A version whose pods come and go so many times before they stay."""

    flaps: int = 0


@dataclass
class Turn:
    """The operator's present turn: what it can know, what it was told, and whether it has recorded anything."""

    began: float
    known: float
    recorded: bool = False
    told: list[Told] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)


@dataclass
class Landed:
    """A write of the operator, with what it changed."""

    write: Write
    before: Object | None
    carried: Carried = field(default_factory=Carried)  # what the gate did before
    changes: list[tuple[str, Object]] = field(default_factory=list)


class Ear:
    """Stands for the counter of bugs, and remembers what they were."""

    def __init__(self) -> None:
        self.bugs: list[str] = []

    def inc(self) -> None:
        """An unexpected error ended a turn."""
        error = sys.exc_info()[1]
        where = traceback.extract_tb(error.__traceback__)[-1] if error else None
        self.bugs.append(f"{error!r} at {where.filename.rpartition('/')[2]}:{where.lineno}" if where else repr(error))
