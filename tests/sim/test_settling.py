"""A gateway says that it has taken a new route a moment before its proxies know it: nobody is told Ready before."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.fake.clock import run
from tests.fake.store import Ref
from tests.sim.machine import Sim, model


@dataclass
class Stamping(Sim):
    """The gateway says when it took this generation of the route, in whole seconds, as a real one does."""

    taken: str = ""
    ahead: timedelta = timedelta()  # its clock, of the operator's

    def _accept(self, ref: Ref, generation: int) -> None:
        super()._accept(ref, generation)
        self.taken = (self.now() + self.ahead).strftime("%Y-%m-%dT%H:%M:%SZ")

        def stamp(status: dict[str, Any]) -> None:
            for parent in status["parents"]:
                for condition in parent["conditions"]:
                    condition["lastTransitionTime"] = self.taken

        self._status(ref, stamp)


async def ready_since(sim: Sim) -> float:
    while sim.condition("Ready").get("status") != "True":
        await sim.run(0.05)
    return asyncio.get_running_loop().time()


def test_a_new_route_is_believed_a_second_later_and_by_nobody_s_event() -> None:
    async def story() -> None:
        sim = Stamping()
        sim.apply(model("v1"))
        while not sim.taken:
            await sim.run(0.05)
        taken = asyncio.get_running_loop().time()
        assert 1.0 <= await ready_since(sim) - taken <= 2.1

    run(story())


def test_later_weights_wait_for_nothing_more() -> None:
    async def story() -> None:
        sim = Stamping()
        sim.apply(model("v1"))
        await ready_since(sim)
        await sim.run(10)
        sim.apply(model("v2"))
        while sim.weights().get("v2") != 5:
            await sim.run(0.05)
        written = asyncio.get_running_loop().time()
        while not sim.status.get("candidate", {}).get("shiftedAt"):
            await sim.run(0.05)
        assert asyncio.get_running_loop().time() - written < 0.8

    run(story())


def test_a_clock_that_is_behind_waits_no_longer() -> None:
    async def story() -> None:
        sim = Stamping(ahead=timedelta(hours=1))
        begun = asyncio.get_running_loop().time()
        sim.apply(model("v1"))
        assert await ready_since(sim) - begun < 10

    run(story())
