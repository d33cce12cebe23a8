"""Watches that tell late, twice, crosswise, not at all, or of a past that is gone; lists of yesterday.

Each case is a promotion: the end is that of the undisturbed one, and what was told wrongly leads to nothing unsafe.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from tests.faults.proxy import Proxy
from tests.faults.scenarios import first, promote, promoted
from tests.faults.scene import House, Scene, scene

Object = dict[str, Any]
Story = Callable[[Scene], Awaitable[None]]
KINDS = ("modeldeployments", "deployments", "services", "endpointslices", "httproutes", "pods")
AT_ONCE = 4  # scenes side by side
STILL = 3.0  # seconds without a write
FROZEN = 4.0  # seconds that a watch tells nothing


def twice(line: bytes) -> list[tuple[float, bytes]]:
    """Now, and again when newer things have been told."""
    return [(0.0, line), (0.4, line)]


def crosswise() -> Callable[[bytes], list[tuple[float, bytes]]]:
    """Every second event comes after the one that followed it."""
    turn: Iterator[float] = itertools.cycle((0.3, 0.0))
    return lambda line: [(next(turn), line)]


class Newest:
    """Only the newest event of each object comes, and that late: what was between is never told."""

    def __init__(self) -> None:
        self.newest: dict[str, bytes] = {}

    def __call__(self, line: bytes) -> list[tuple[float, bytes]]:
        told = json.loads(line)
        self.newest[told["object"]["metadata"].get("name", "")] = line
        return [(1.0, line)]

    def still(self, line: bytes) -> bool:
        """Whether nothing newer has come of the object meanwhile."""
        return line in self.newest.values()


def everywhere(proxy: Proxy, edit: Callable[[bytes], list[tuple[float, bytes]]]) -> None:
    for kind in KINDS:
        proxy.weather[kind].edit = edit


async def told_twice(made: Scene) -> None:
    """Every event comes a second time, later."""
    everywhere(made.proxy, twice)
    await promote(made)


async def told_crosswise(made: Scene) -> None:
    """Events overtake each other."""
    for kind in KINDS:
        made.proxy.weather[kind].edit = crosswise()
    await promote(made)


async def told_in_part(made: Scene) -> None:
    """Of what happens within a second only the last is told."""
    for kind in KINDS:
        weather, newest = made.proxy.weather[kind], Newest()
        weather.edit, weather.still = newest, newest.still
    await promote(made)


async def expired(made: Scene) -> None:
    """All watches are told again and again that their past is forgotten, while objects come and go."""
    walk = asyncio.create_task(promote(made))
    while not walk.done():
        for kind in KINDS:
            await made.proxy.weather[kind].expire()
        await asyncio.wait([walk], timeout=1.0)
    await walk


def frozen(kind: str) -> Story:
    """The watch of one kind brings nothing for a while."""

    async def story(made: Scene) -> None:
        made.proxy.weather[kind].freeze()
        walk = asyncio.create_task(promote(made))
        await asyncio.wait([walk], timeout=FROZEN)
        made.proxy.weather[kind].thaw()
        await walk

    return story


async def yesterday(made: Scene) -> None:
    """It begins anew in mid-rollout, and every list is as it was before that; then watches go on from there."""
    made.proxy.remember()
    await made.apply("v2")
    await made.until(lambda s: s.get("candidate", {}).get("step") == 1)
    for kind in KINDS:
        made.proxy.weather[kind].freeze()
    made.operator.kill()
    await made.operator.synchronised(2)
    await asyncio.sleep(2.0)  # the subject: so long it knows yesterday only
    made.proxy.forget()
    for kind in KINDS:
        made.proxy.weather[kind].thaw()
    await promote(made)


STORIES: dict[str, Story] = {
    "twice": told_twice,
    "crosswise": told_crosswise,
    "in part": told_in_part,
    "expired": expired,
    "yesterday": yesterday,
    **{f"frozen {kind}": frozen(kind) for kind in KINDS},
}


async def told(house: House, names: Iterable[str]) -> dict[str, list[str]]:
    """What was wrong in each of these stories."""
    async with scene(house, f"watches-{time.monotonic_ns()}") as made:
        await promoted(made)
        wanted = await made.ends(None, STILL)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> list[str]:
        async with slots, scene(house, f"watches-{time.monotonic_ns()}") as made:
            await first(made)
            begin = time.monotonic()
            await STORIES[name](made)
            print(f"{name}: {time.monotonic() - begin:.1f} s")
            await made.ends(wanted, STILL)
            ended = [f"ended by itself: {code}" for code in made.operator.codes if code != -9]
            return made.complaints() + ended

    chosen = list(names)
    found = await asyncio.gather(*map(one, chosen))
    return {name: wrong for name, wrong in zip(chosen, found, strict=True) if wrong}
