"""When the metric sources are asked: on time, whatever else makes turns."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from penstock.model.measure import Answer, Question, Silence
from penstock.model.schedule import read
from tests.fake.clock import run
from tests.sim.machine import Sim, model, settled

INTERVAL = 10.0


def one_step(duration: str) -> dict[str, Any]:
    """v2 with a single step."""
    steps = [{"weight": 5, "duration": duration}]
    return model("v2", rollout={"canary": {"steps": steps}, "deadline": "3m", "scaleDownDelay": "20s"})


async def looks(sim: Sim, wish: dict[str, Any], seconds: float) -> list[float]:
    """Seconds from the first share to each moment at which the source was asked while the wish was tried."""
    asked: list[float] = []

    def note(of: Sim, question: Question) -> Answer:
        asked.append((of.now() - read(of.status["candidate"]["exposedAt"])).total_seconds())
        return of.count(question)

    sim.metrics = note
    sim.apply(wish)
    await sim.run(seconds)
    return sorted(set(asked))


def test_a_step_that_ends_right_after_a_look_is_judged_a_second_later() -> None:
    """Sources are not asked twice within a second; what is due meanwhile must not wait for the next interval."""

    async def story() -> None:
        sim = await settled()
        times = await looks(sim, one_step("20500ms"), 60)
        gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
        assert min(gaps) == gaps[-1] == pytest.approx(1.0, abs=0.01) and max(gaps) <= INTERVAL + 0.001, times
        assert sim.status["stable"]["version"] == "v2"
        assert times[-1] < 20.5 + 2.5, times

    run(story())


def test_a_silent_source_is_asked_once_an_interval() -> None:
    async def story() -> None:
        sim = await settled()
        asked: list[float] = []

        def silent(of: Sim, question: Question) -> Answer:
            asked.append(asyncio.get_running_loop().time())
            return Silence("down")

        sim.metrics = silent
        sim.apply(one_step("20s"))
        await sim.run(100)
        assert len(set(asked)) <= 100 / INTERVAL

    run(story())
