"""One fault at one write of a scenario, for every write: the end must be that of the undisturbed run.

The undisturbed run says how many writes there are and how it ends; nobody has to say what is right.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.faults.history import walked
from tests.faults.proxy import Fault, Kill, Lose, Request, at
from tests.faults.scenarios import SCENARIOS
from tests.faults.scene import House, Scene, scene

Object = dict[str, Any]
FAULTS: tuple[Fault, ...] = (Kill(), Kill(after=True), Lose())
STILL = 2.0  # seconds without a write, after which a story has begun or ended
AT_ONCE = 4  # scenes side by side


@dataclass(frozen=True)
class Case:
    """A fault at the n-th write of a scenario; none at all is the undisturbed run."""

    scenario: str
    write: int = 0
    fault: Fault | None = None


@dataclass
class Outcome:
    """What became of it."""

    case: Case
    end: Object = field(default_factory=dict)
    writes: list[Request] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of the story, without its quiet end
    gap: float = 0.0  # seconds from a kill to the next process's first write

    @property
    def met(self) -> str:
        """The write that met the fault; empty where the story had ended before."""
        return next((each.where for each in self.writes if each.fault), "")


async def play(house: House, case: Case, wanted: Object | None = None) -> Outcome:
    """One run in a namespace of its own, until it has ended as wanted and is still; any end where none is wanted."""
    outcome, story = Outcome(case), SCENARIOS[case.scenario]
    try:
        async with scene(house, f"sieve-{time.monotonic_ns()}") as made:
            await story.before(made)
            if story.rests:
                await made.quiet(STILL)
            before, begin = made.proxy.writes, time.monotonic()
            if case.fault:
                made.proxy.judge = at(before + case.write, case.fault)
            try:
                await story.story(made)
                outcome.seconds = time.monotonic() - begin
                await made.operator.synchronised(1 + made.proxy.kills)
                outcome.end = await made.ends(wanted, STILL)
            finally:
                outcome.writes = made.proxy.written()[before:]
                outcome.wrong += made.complaints() + list(_trouble(made, story.rises))
                outcome.gap = _gap(outcome.writes)
    except Exception as error:  # a run that fails is a row of the report
        outcome.wrong.append(f"{type(error).__name__}: {str(error)[:2000]}")
    return outcome


async def sift(house: House, names: Iterable[str], chosen: slice = slice(None)) -> list[Outcome]:
    """The undisturbed runs, then every fault at each of their writes, or at those chosen."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case, wanted: Object | None = None) -> Outcome:
        async with slots:
            outcome = await play(house, case, wanted)
            print(case, outcome.met, f"{outcome.seconds:.1f} s", outcome.wrong or "", flush=True)
            return outcome

    first = await asyncio.gather(*(one(Case(name)) for name in names))
    cases = [
        Case(each.case.scenario, number, fault)
        for each in first
        for number in range(1, len(each.writes) + 1)[chosen]
        for fault in FAULTS
    ]
    ends = {each.case.scenario: each.end for each in first}
    rest = await asyncio.gather(*(one(case, ends[case.scenario]) for case in cases))
    return [*first, *rest]


def _trouble(made: Scene, rises: bool) -> Iterable[str]:
    """What no law of the cluster says: bugs, processes that ended by themselves, steps taken twice."""
    if made.operator.said("bug in a turn"):
        lines = made.operator.log.read_text().splitlines()
        yield f"a bug: {next(line for line in lines if 'bug in a turn' in line)[:1500]}"
    ended = [code for code in made.operator.codes if code != -9]
    if ended:
        yield f"the operator ended by itself: {ended}"
    if rises:
        changes = made.house.history.of(made.namespace)
        home = [
            each.live["status"]["stable"]["revision"]
            for each in changes
            if (each.live.get("status") or {}).get("stable")
        ]
        shares = walked(changes, home[-1]) if home else []
        if shares != sorted(shares):
            yield f"backwards: {shares}"


def _gap(writes: list[Request]) -> float:
    for each, following in pairwise(writes):
        if isinstance(each.fault, Kill):
            return following.at - each.at
    return 0.0
