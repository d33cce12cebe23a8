"""Targets that are learned and replicas that are foreseen, in the whole loop: what is asked, and what is written."""

import asyncio
from typing import Any

from penstock.model.measure import Answer, Counts, Levels, Query, Question, Rate
from tests.fake.clock import run
from tests.sim.machine import Sim, model
from tests.sim.test_writes import spent

OBJECTIVE = {"slowRate": {"threshold": "500ms", "max": "1%"}}
SCALING = {"maxReplicas": 20, "objective": OBJECTIVE, "predictive": {"history": 2}}


class World:
    """80 requests/s on two pods, of which a share is slow; last week there were 200."""

    def __init__(self) -> None:
        self.slow = 0.001
        self.asked: list[tuple[float, str]] = []

    def answer(self, sim: Sim, question: Question) -> Answer:
        kind = type(question.candidate.measure)
        self.asked.append((asyncio.get_running_loop().time(), kind.__name__))
        if kind is Rate:
            return Levels((80.0,), pods=2, average=2)
        if kind is Query:
            return Levels((200.0,))
        total = round(80 * (question.end - question.start).total_seconds())
        return Counts(round(self.slow * total), total)

    def moments(self, kind: str) -> int:
        """How often the source was asked such questions."""
        return len({at for at, asked in self.asked if asked == kind})


def scaler(sim: Sim) -> tuple[int, str]:
    """The autoscaler's lower bound and its target."""
    (name,) = [n for kind, _, n in sim.store.entries if kind == "HorizontalPodAutoscaler"]
    live: Any = sim.store.get("HorizontalPodAutoscaler", "ml", name)
    return live["spec"]["minReplicas"], live["spec"]["metrics"][0]["external"]["target"]["averageValue"]


def test_a_target_is_learned_with_two_writes_and_what_is_settled_costs_none() -> None:
    async def story() -> None:
        there = World()
        sim = Sim(metrics=there.answer)
        sim.apply(model("v1", scaling=SCALING))
        await sim.run(120)
        assert scaler(sim) == (1, "1M") and "objective" not in sim.status
        there.asked.clear()
        assert await spent(sim, 600) == {}
        assert 18 <= there.moments("Rate") <= 21 and there.moments("Query") == 2
        there.slow = 0.3
        wrote = await spent(sim, 90)
        # Far too many are slow within a minute: half the load, and the replicas of last week for that.
        assert scaler(sim) == (10, "20")
        assert wrote == {"ModelDeployment": 1, "HorizontalPodAutoscaler": 1}
        assert sim.condition("ObjectiveReachable")["status"] == "True"
        assert sim.status["forecast"]["replicas"] == 10
        # The pods that were asked for do not come: nothing is lowered meanwhile, and nothing written.
        assert await spent(sim, 600) == {}

    run(story())


def test_another_season_is_asked_for_and_told_at_once() -> None:
    async def story() -> None:
        there = World()
        sim = Sim(metrics=there.answer)
        metrics = [{"name": "requestsPerSecond", "target": 20}]
        sim.apply(model("v1", scaling={"maxReplicas": 20, "metrics": metrics, "predictive": {"history": 2}}))
        await sim.run(60)
        assert sim.status["forecast"]["message"].endswith("at this time of the last 2 weeks")
        asked = there.moments("Query")
        sim.apply(
            model("v1", scaling={"maxReplicas": 20, "metrics": metrics, "predictive": {"season": "Day", "history": 2}})
        )
        await sim.run(10)
        assert sim.status["forecast"]["message"].endswith("at this time of the last 2 days")
        assert there.moments("Query") == asked + 1

    run(story())


def test_an_operator_that_is_killed_goes_on_from_status() -> None:
    async def story() -> None:
        there = World()
        there.slow = 0.3
        sim = Sim(metrics=there.answer)
        sim.apply(model("v1", scaling=SCALING))
        await sim.run(300)
        known, before = sim.status["objective"], scaler(sim)
        await sim.restart()
        assert await spent(sim, 120) == {}
        assert sim.status["objective"] == known and scaler(sim) == before
        there.slow = 0.001
        assert await spent(sim, 60) == {"ModelDeployment": 1}, "the descent is over"
        assert "began" not in sim.status["objective"] and sim.status["objective"]["perReplica"] == known["perReplica"]

    run(story())
