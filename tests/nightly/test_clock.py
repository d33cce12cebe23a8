"""The clock of the operator's machine is set an hour ahead, or back, in the middle of what takes time; then right.

What takes time takes as long as without it, by a clock that nobody set: no step without its proof, no pod that goes
before its delay, no revision that is given up, and nothing that waits for an hour. Each story holds the laws of
`tests/faults/history.py` too, and one of its own: no time in status is the wrong clock's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.model.schedule import read
from tests.conftest import ControlPlane, furnished
from tests.faults.ends import TIME
from tests.faults.jump import Jump
from tests.faults.scenarios import first
from tests.faults.scene import Scene, open_house, operator_in, scene
from tests.faults.test_operators import waits, writers
from tests.integration.surroundings import RPS

Object = dict[str, Any]
Says = Callable[[Object], Any]
HOUR = 3600.0
STEP = 6.0  # seconds of each thing that takes time
LATE = 15.0  # seconds after which it has come to its end at the latest: looks, writes and pods under load
AHEAD = 120.0  # seconds that a deadline may lie in the future
DEADLINE = "60s"
HALVES = (49, 51)  # the source counts as many requests of the one as of the other

LONG: Object = {
    "rollout": {
        "canary": {"steps": [{"weight": w, "duration": f"{STEP:.0f}s"} for w in HALVES]},
        "deadline": DEADLINE,
        "scaleDownDelay": "1s",
    }
}
BAKED: Object = {
    "rollout": {
        "canary": {"steps": [{"weight": 50, "duration": "1s"}]},
        "bake": {"duration": f"{2 * STEP:.0f}s"},
        "deadline": DEADLINE,
        "scaleDownDelay": "1s",
    }
}
KEPT: Object = {
    "rollout": {
        "canary": {"steps": [{"weight": 50, "duration": "1s"}]},
        "deadline": DEADLINE,
        "scaleDownDelay": f"{2 * STEP:.0f}s",
    }
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with furnished("clock") as made:
        yield made


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def off(request: pytest.FixtureRequest) -> float:
    """Seconds by which the clock is wrong."""
    seconds: float = request.param
    return seconds


def played(plane: ControlPlane, jump: Jump, story: Callable[[Scene], Awaitable[None]]) -> None:
    """A story with v1 that serves and an operator on the machine with that clock; then the laws."""

    async def whole() -> None:
        async with open_house(plane) as house:
            house.environment = jump.environment
            async with scene(house, f"clock-{time.monotonic_ns()}") as made:
                begin = time.time()
                await first(made)
                await story(made)
                obeyed(made, begin)

    asyncio.run(whole())


def obeyed(made: Scene, begin: float) -> None:
    """The laws, over all that the API server did."""
    assert made.complaints() == []
    assert not made.operator.said("bug in a turn")
    for change in made.house.history.of(made.namespace):
        if change.kind != "ModelDeployment":
            continue
        status = change.live.get("status") or {}
        assert not status.get("rejected"), status["rejected"]
        wrong = {where: at for where, at in times(status) if not begin - 2 <= at <= time.time() + AHEAD}
        assert not wrong, f"times of another clock: { {w: datetime.fromtimestamp(a, UTC) for w, a in wrong.items()} }"


def times(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every time in it, with where, in Unix seconds."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from times(each, f"{path}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from times(each, f"{path}[{number}]")
    elif isinstance(value, str) and TIME.match(value):
        yield path, read(value).timestamp()


async def lasted(made: Scene, begun: Says, ended: Says, meanwhile: Callable[[], Awaitable[None]]) -> float:
    """Seconds from when status says the one until it says the other, by a clock that nobody sets."""
    await made.until(begun)
    begin = time.monotonic()
    await meanwhile()
    await made.until(ended)
    return time.monotonic() - begin


def test_a_step_takes_its_time_and_its_proof(plane: ControlPlane, off: float, tmp_path: Path) -> None:
    jump = Jump.make(tmp_path)

    async def story(made: Scene) -> None:
        async def wrong() -> None:
            jump.set(off)

        async def right() -> None:
            jump.set(0.0)

        await made.apply("v2", **LONG)
        for number, turn in ((0, wrong), (1, right)):
            took = await lasted(made, in_step(number), in_step(number + 1), turn)
            print(f"step {number} took {took:.1f} s")
            assert STEP - 0.5 <= took <= STEP + LATE
        status = await made.settled("v2")
        assert counted(made) <= RPS * 2 * (STEP + LATE), "requests of an hour that never was"
        assert status["stable"]["version"] == "v2"

    played(plane, jump, story)


def in_step(number: int) -> Says:
    """The candidate is in that step, and its share was seen; or past it."""
    return lambda s: (
        (
            (candidate := s.get("candidate"))
            and (candidate.get("step", 0), bool(candidate.get("shiftedAt"))) >= (number, True)
        )
        or (not candidate and s["stable"]["version"] == "v2")
    )


def counted(made: Scene) -> int:
    """Most requests that any evidence of any status names."""
    found = [
        each["candidate"]["total"]
        for change in made.house.history.of(made.namespace)
        if change.kind == "ModelDeployment"
        for each in ((change.live.get("status") or {}).get("candidate") or {}).get("evidence", [])
    ]
    return max(found)


def test_a_bake_takes_its_time(plane: ControlPlane, off: float, tmp_path: Path) -> None:
    jump = Jump.make(tmp_path)

    async def story(made: Scene) -> None:
        async def there_and_back() -> None:
            jump.set(off)
            await asyncio.sleep(STEP)  # the subject
            assert (await made.live())["status"]["stable"]["version"] == "v1"
            jump.set(0.0)

        await made.apply("v2", **BAKED)
        full = await made.until(in_step(1))
        made.house.source.until[full["stable"]["revision"]] = time.time()
        took = await lasted(made, in_step(2), lambda s: s["stable"]["version"] == "v2", there_and_back)
        print(f"the bake took {took:.1f} s")
        assert 2 * STEP - 0.5 <= took <= 2 * STEP + LATE
        await made.settled("v2")

    played(plane, jump, story)


def test_who_leaves_keeps_its_pods_for_its_delay(plane: ControlPlane, off: float, tmp_path: Path) -> None:
    jump = Jump.make(tmp_path)

    async def story(made: Scene) -> None:
        async def there_and_back() -> None:
            jump.set(off)
            await asyncio.sleep(STEP)  # the subject
            assert len(await made.children("Deployment")) == 2
            jump.set(0.0)

        await made.apply("v2", **KEPT)
        took = await lasted(made, lambda s: s.get("leaving"), lambda s: not s.get("leaving"), there_and_back)
        print(f"pods stayed for {took:.1f} s")
        assert 2 * STEP - 0.5 <= took <= 2 * STEP + LATE
        await made.settled("v2")

    played(plane, jump, story)


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_whoever_leads_next_goes_on(plane: ControlPlane, off: float, who: str, tmp_path: Path) -> None:
    """One of two operators has a wrong clock: the one that leads, set in the middle, or the one that follows."""
    (tmp_path / "other").mkdir()
    jump, other = Jump.make(tmp_path), Jump.make(tmp_path / "other", off if who == "follower" else 0.0)

    async def story(made: Scene) -> None:
        house = made.house
        house.environment = other.environment
        async with operator_in(house, made.namespace, "penstock-1") as (proxy, second):
            await waits(made, second, proxy)
            await handed_over(made, jump, off if who == "leader" else 0.0)
            assert writers(made.proxy, proxy) == [0, 1]
            assert not second.said("bug in a turn") and not second.codes

    played(plane, jump, story)


async def handed_over(made: Scene, jump: Jump, off: float) -> None:
    """The clock is set in one step, and its operator ends in the next."""

    async def wrong() -> None:
        jump.set(off)

    await made.apply("v2", **LONG)
    for number, turn in ((0, wrong), (1, made.operator.stop)):
        took = await lasted(made, in_step(number), in_step(number + 1), turn)
        print(f"step {number} took {took:.1f} s")
        assert STEP - 0.5 <= took <= STEP + LATE
    await made.settled("v2")
