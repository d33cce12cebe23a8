"""What the API server may answer to a write: each kind of write meets it once, then for eight seconds without a pause.

The end is that of the undisturbed run. Meanwhile nothing is tried again too soon or too often.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.faults.proxy import Cut, Fault, Judge, Late, Request, Say
from tests.faults.scenarios import first, promote, promoted
from tests.faults.scene import House, Scene, scene

Object = dict[str, Any]
ONCE: tuple[Fault, ...] = (Say(409), Say(422), Say(429, 3), Say(500), Say(503), Late(5.0), Cut())
LASTING: tuple[Fault, ...] = (Say(409), Say(422), Say(429, 3), Say(503), Cut())
WRITTEN = {  # what a promotion writes
    "create events",
    "delete deployments",
    "delete services",
    "patch controllerrevisions",
    "patch deployments",
    "patch httproutes",
    "update modeldeployments/status",
    "patch poddisruptionbudgets",
    "patch services",
}
LASTS = 8.0  # seconds
MOST = 12  # tries of one write in that time: the pause begins at half a second and doubles
AT_ONCE = 4  # scenes side by side
STILL = 3.0  # seconds without a write


def kind_of(seen: Request) -> str:
    """A verb and what it writes."""
    return seen.where.rsplit(" ", 1)[0]


class First:
    """The first write of each kind meets the fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.met = fault, dict[str, Request]()

    def __call__(self, seen: Request) -> Fault | None:
        if not seen.number or kind_of(seen) in self.met:
            return None
        self.met[kind_of(seen)] = seen
        return self.fault


def lasting(fault: Fault, what: str) -> Judge:
    """Every write of that kind meets the fault, from the first for so many seconds."""
    began: list[float] = []

    def judge(seen: Request) -> Fault | None:
        if kind_of(seen) != what:
            return None
        began.append(seen.at)
        return fault if seen.at < began[0] + LASTS else None

    return judge


async def whole(made: Scene) -> None:
    """v1 comes to be, and is replaced."""
    await first(made)
    await promote(made)


async def undisturbed(house: House) -> Object:
    """The end without any fault."""
    async with scene(house, f"answers-{time.monotonic_ns()}") as made:
        await promoted(made)
        return await made.ends(None, STILL)


def too_soon(made: Scene) -> list[str]:
    """Writes of one object that came again before the time that a 429 had asked for."""
    held: dict[str, Request] = {}
    found = []
    for seen in made.proxy.written():
        asked = held.get(seen.where)
        if asked and isinstance(asked.fault, Say) and seen.at < asked.at + asked.fault.retry_after:
            found.append(f"{seen.where} after {seen.at - asked.at:.1f} s")
        held.pop(seen.where, None)
        if isinstance(seen.fault, Say) and seen.fault.code == 429:
            held[seen.where] = seen
    return found


def tries(made: Scene) -> dict[str, int]:
    """How often each write met the fault."""
    found: dict[str, int] = defaultdict(int)
    for seen in made.proxy.written():
        found[seen.where] += seen.fault is not None
    return {where: count for where, count in found.items() if count}


async def told_once(house: House, faults: Iterable[Fault]) -> dict[str, list[str]]:
    """What was wrong where each kind of write met the fault once, by fault."""
    wanted = await undisturbed(house)

    async def one(fault: Fault) -> list[str]:
        async with scene(house, f"answers-{time.monotonic_ns()}") as made:
            made.proxy.judge = judge = First(fault)
            await whole(made)
            await made.ends(wanted, STILL)
            missed = WRITTEN - judge.met.keys()
            return [*made.complaints(), *too_soon(made), *(f"never met: {each}" for each in missed)]

    return await _each(faults, one)


async def told_for_long(house: House, faults: Iterable[Fault], what: str) -> dict[str, list[str]]:
    """What was wrong where every write of one kind met the fault for a while, by fault."""
    wanted = await undisturbed(house)

    async def one(fault: Fault) -> list[str]:
        async with scene(house, f"answers-{time.monotonic_ns()}") as made:
            await first(made)
            made.proxy.judge = lasting(fault, what)
            await promote(made)
            await made.ends(wanted, STILL)
            count = max(tries(made).values())
            print(f"{what}, {fault}: {count} tries")
            hot = [] if 3 <= count <= MOST else [f"{count} tries"]
            return made.complaints() + too_soon(made) + hot

    return await _each(faults, one)


async def _each(faults: Iterable[Fault], one: Callable[[Fault], Awaitable[list[str]]]) -> dict[str, list[str]]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def told(fault: Fault) -> list[str]:
        async with slots:
            return await one(fault)

    chosen = list(faults)
    found = await asyncio.gather(*map(told, chosen))
    return {str(fault): wrong for fault, wrong in zip(chosen, found, strict=True) if wrong}
