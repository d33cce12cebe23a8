"""Many stories at once, over all processors; what is found is told with the command that tells it again."""

import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.sim.histories import draw, play

CHUNK = 50
TOLD = 3  # stories that are told in full


@dataclass
class Tally:
    """What came of many stories."""

    stories: int = 0
    writes: int = 0
    seconds: float = 0.0  # of virtual time
    wall: float = 0.0
    complaints: dict[int, str] = field(default_factory=dict)  # by seed
    ends: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """One line."""
        each = 1000 * self.wall / max(self.stories, 1)
        hours = self.seconds / 3600
        return (
            f"{self.stories} stories, {hours:.0f} virtual hours, {self.writes} writes, "
            f"{len(self.complaints)} complaints; {self.wall:.0f} s, {each:.0f} ms each; ends: {dict(self.ends)}"
        )


def chunk(first: int, count: int) -> Tally:
    """The stories of some seeds, in this process."""
    tally = Tally()
    for seed in range(first, first + count):
        outcome = play(draw(seed))
        tally.stories += 1
        tally.writes += outcome.writes
        tally.seconds += outcome.seconds
        tally.ends[outcome.end] += 1
        if outcome.complaint:
            tally.complaints[seed] = outcome.complaint
    return tally


def tell(first: int, count: int) -> Tally:
    """The stories of these seeds, in as many processes as there are processors; progress goes to stdout."""
    total, begin = Tally(), time.monotonic()
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_settle) as pool:
        starts = range(first, first + count, CHUNK)
        sizes = [min(CHUNK, first + count - start) for start in starts]
        for part in pool.map(chunk, starts, sizes):
            add(total, part)
            sys.stdout.writelines(f"seed {seed}: {complaint}\n" for seed, complaint in part.complaints.items())
            total.wall = time.monotonic() - begin
            if total.stories % 500 == 0 or total.stories == count:
                sys.stdout.write(f"{total}\n")
                sys.stdout.flush()
    return total


def _settle() -> None:
    """What is imported by now is never garbage: a story takes a twentieth less."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def add(total: Tally, part: Tally) -> None:
    """One tally into another."""
    total.stories += part.stories
    total.writes += part.writes
    total.seconds += part.seconds
    total.complaints |= part.complaints
    total.ends += part.ends


def report(tally: Tally) -> str:
    """Every complaint in a line, some stories in full."""
    return "\n".join([str(tally), *_lines(tally)])


def _lines(tally: Tally) -> Iterator[str]:
    for seed, complaint in sorted(tally.complaints.items()):
        yield f"seed {seed}: {complaint}   # python -m tests.sim.histories {seed}"
    for seed in sorted(tally.complaints)[:TOLD]:
        yield f"\nthe story of seed {seed}, told by: PYTHONPATH=operator:. python -m tests.sim.histories {seed} --cut"
        yield from play(draw(seed), recorded=True).tale


if __name__ == "__main__":
    print(report(tell(int(sys.argv[1]), int(sys.argv[2]))))
