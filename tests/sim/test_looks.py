"""When the metric sources are asked: on time, whatever else makes turns."""

import asyncio
from itertools import pairwise
from typing import Any

from penstock.model.measure import Answer, Question, Silence
from tests.fake.clock import run
from tests.sim.machine import Sim, model, settled

INTERVAL = 10.0


def one_step(duration: str) -> dict[str, Any]:
    """v2 with a single step."""
    steps = [{"weight": 5, "duration": duration}]
    return model("v2", rollout={"canary": {"steps": steps}, "deadline": "3m", "scaleDownDelay": "20s"})


async def looks(sim: Sim, wish: dict[str, Any], seconds: float) -> list[float]:
    """The moments at which the source was asked while the wish was tried."""
    asked: list[float] = []

    def note(of: Sim, question: Question) -> Answer:
        asked.append(asyncio.get_running_loop().time())
        return of.count(question)

    sim.metrics = note
    sim.apply(wish)
    await sim.run(seconds)
    return sorted(set(asked))


def test_a_step_that_ends_right_after_a_look_is_judged_a_second_later() -> None:
    """Sources are not asked twice within a second; what is due meanwhile must not wait for the next interval."""

    async def story() -> None:
        sim = await settled()
        times = await looks(sim, one_step("27500ms"), 60)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) > 0.99 and max(gaps) < INTERVAL, times
        assert sim.status["stable"]["version"] == "v2"
        exposed = times[0] - INTERVAL
        assert times[-1] - exposed < 27.5 + 2.5, times

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
