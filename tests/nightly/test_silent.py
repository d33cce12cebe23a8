"""A watch that stays open and never says anything again, as behind a middlebox that has forgotten the connection.

kopf gives a silent stream up after 70 seconds, since the API server sends a bookmark every minute. That is what such a
watch may cost, whatever it is that it does not tell of; and nobody is taken off for what it does not tell of.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.conftest import ControlPlane, furnished
from tests.faults.scenarios import first, promoted
from tests.faults.scene import QUICK, House, open_house, scene
from tests.faults.watches import KINDS

SILENT = 70.0  # seconds, kopf's `inactivity_timeout`
LATEST = SILENT + 50.0  # of a promotion that takes seven seconds by itself, on a machine that does three at a time
AT_ONCE = 3  # scenes side by side
STILL = 30.0


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with furnished("watches") as made:
        yield made


def test_a_watch_that_is_open_and_silent_costs_no_more_than_its_time_limit(plane: ControlPlane) -> None:
    async def story() -> None:
        async with open_house(plane) as house:
            async with scene(house, "silent-none") as made:
                await promoted(made)
                wanted = await made.ends(None, STILL)
            slots = asyncio.Semaphore(AT_ONCE)
            found = await asyncio.gather(*(_silent(house, (kind, slots), wanted) for kind in KINDS))
            print({kind: f"{seconds:.0f} s" for kind, (seconds, _) in zip(KINDS, found, strict=True)})
            assert {kind: wrong for kind, (_, wrong) in zip(KINDS, found, strict=True) if wrong} == {}

    asyncio.run(story())


async def _silent(
    house: House, which: tuple[str, asyncio.Semaphore], wanted: dict[str, object]
) -> tuple[float, list[str]]:
    """Seconds that a promotion takes while the present watch of one kind is silent for good; what was wrong."""
    kind, slots = which
    async with slots, scene(house, f"silent-{kind}") as made:
        await first(made)
        made.proxy.weather[kind].deafen()
        begin = time.monotonic()
        await made.apply("v2", rollout={**QUICK["rollout"], "deadline": "30s"})  # over before the watch is opened anew
        await made.settled("v2", LATEST)
        seconds = time.monotonic() - begin
        await made.ends(wanted, STILL)
        return seconds, made.complaints()
