"""A model falls asleep and wakes in the whole loop: whatever crashes, a Service always leads to somebody."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Literal

import pytest

from penstock.model.platform import Platform
from tests.fake.clock import run
from tests.sim.machine import Sim, model
from tests.sim.pods import door_container
from tests.sim.sleepers import DOOR, is_door, is_shut, sees
from tests.sim.test_writes import spent

Object = dict[str, Any]
ZERO = {
    "minReplicas": 0,
    "maxReplicas": 4,
    "metrics": [{"name": "requestsPerSecond", "target": 50}],
    "scaleToZero": {"idleFor": "2m"},
}


def revision(sim: Sim) -> str:
    return str(sim.status["stable"]["revision"])


def autoscaler_sees(sim: Sim, rate: int) -> None:
    """What the autoscaler of the stable revision writes down."""
    sees(sim, revision(sim), rate)


def at_the_door(sim: Sim, waits: bool) -> None:
    """Somebody begins to wait there, or nobody does any more."""
    (pod,) = sim.pods.of(DOOR)
    ready = [{"type": "Ready", "status": str(not waits)}]
    sim.store.edit(("Pod", "ml", pod["metadata"]["name"]), lambda p: p["status"].update(conditions=ready), "kubelet")


def leads_to_door(sim: Sim, name: str) -> bool:
    live = sim.store.get("Service", "ml", name)
    assert live
    return is_door(live)


def pods(sim: Sim) -> int:
    live = sim.store.get("Deployment", "ml", revision(sim))
    assert live
    return int(live["spec"].get("replicas", 1))


class Law:
    """At every write: no pods only behind a door, and the way back only to pods that can be reached."""

    broken: ClassVar[list[str]] = []  # of the present story: what is raised in a turn, the turn survives

    def __init__(self, sim: Sim) -> None:
        self.sim, self.slept = sim, 0
        sim.store.subscribe(self._see)

    def _see(self, change: str, live: Object) -> None:
        kind, name = live["kind"], live["metadata"]["name"]
        if change == "DELETED" or name == DOOR or "stable" not in self.sim.status:
            return
        home = revision(self.sim)
        if kind == "Deployment" and name == home and live["spec"].get("replicas") == 0:
            self.slept += 1
            lead = leads_to_door(self.sim, home) and leads_to_door(self.sim, "churn")
            self._hold(lead, "no door yet")
            self._hold(bool(self.sim.pods.of(DOOR)), "nobody takes requests in")
            self._hold(
                is_shut(self.sim.store.get("Service", "ml", DOOR)),
                "what it takes in goes to a pod that is about to end",
            )
        if kind == "Service" and name in (home, "churn") and not is_door(live):
            behind = self.sim.store.get("EndpointSlice", "ml", f"{DOOR}-slice")
            self._hold(bool(not self.slept or (behind and behind["endpoints"])), "the way back leads to nobody")

    def _hold(self, held: bool, what: str) -> None:
        if not held:
            self.broken.append(what)


def told(story: Callable[[], Coroutine[None, None, None]]) -> None:
    """One story, and whether the law held in it."""
    Law.broken.clear()
    run(story())
    assert Law.broken == []


async def idle() -> tuple[Sim, Law]:
    """v1 serves, and nobody asks for it."""
    sim = Sim(platform=Platform(warmup_image="penstock.local/operator:1"))
    sim.apply(model("v1", scaling=ZERO))
    await sim.run(60)
    law = Law(sim)
    autoscaler_sees(sim, 0)
    return sim, law


async def asleep() -> tuple[Sim, Law]:
    sim, law = await idle()
    await sim.run(130)
    assert pods(sim) == 0 and sim.condition("Ready")["reason"] == "Asleep", sim.status
    return sim, law


def test_it_sleeps_wakes_and_sleeps_again_with_few_writes() -> None:
    async def story() -> None:
        sim, _ = await idle()
        assert await spent(sim, 110) == {"ModelDeployment": 1}
        # the status says so; three Services; the second turn's fence, Deployment and autoscaler; no pod is ready now
        writes = {"ModelDeployment": 3, "Service": 3, "Deployment": 1, "-HorizontalPodAutoscaler": 1}
        assert await spent(sim, 20) == writes
        assert await spent(sim, 3600) == {}, "asleep it costs nothing"
        at_the_door(sim, waits=True)
        await sim.run(2)
        assert pods(sim) == 1 and sim.status["sleep"]["why"] == "a request waits"
        at_the_door(sim, waits=False)
        await sim.run(20)
        assert not leads_to_door(sim, "churn") and sim.condition("Ready")["reason"] == "Settled"
        assert sim.status["sleep"]["wakeMilliseconds"] > 0
        autoscaler_sees(sim, 0)
        await sim.run(130)
        assert pods(sim) == 0

    told(story)


def test_asked_for_in_time_it_stays_awake() -> None:
    async def story() -> None:
        sim, law = await idle()
        for _ in range(3):
            await sim.run(100)
            autoscaler_sees(sim, 3)
            await sim.run(5)
            autoscaler_sees(sim, 0)
        assert not law.slept and pods(sim) == 1

    told(story)


def test_a_version_that_comes_while_it_sleeps_wakes_both() -> None:
    async def story() -> None:
        sim, _ = await asleep()
        first = revision(sim)
        sim.apply(model("v2", scaling=ZERO))
        await sim.run(30)
        live = sim.store.get("Deployment", "ml", first)
        assert live and live["spec"].get("replicas", 1) == 1 and sim.status["sleep"]["why"] == "a rollout begins"
        await sim.run(200)
        assert sim.status["stable"]["version"] == "v2" and sim.condition("Ready")["reason"] == "Settled"

    told(story)


def test_a_door_that_is_gone_wakes_it() -> None:
    async def story() -> None:
        sim, _ = await asleep()
        (pod,) = sim.pods.of(DOOR)
        died = [door_container(runs=False)]
        ref = ("Pod", "ml", pod["metadata"]["name"])
        sim.store.edit(ref, lambda live: live["status"].update(containerStatuses=died), "kubelet")
        await sim.run(2)
        assert pods(sim) == 1 and "door" in sim.status["sleep"]["why"]
        await sim.run(30)
        assert sim.condition("Ready")["status"] == "True"

    told(story)


def test_no_more_zero_no_more_door() -> None:
    async def story() -> None:
        sim, _ = await asleep()
        sim.apply(model("v1", scaling=ZERO | {"minReplicas": 2, "scaleToZero": None}))
        await sim.run(60)
        assert not sim.store.get("Deployment", "ml", DOOR) and not sim.store.get("Service", "ml", DOOR)
        assert "sleep" not in sim.status and not leads_to_door(sim, "churn")

    told(story)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, 7))
def test_a_crash_at_any_write_on_the_way_to_sleep_or_back_loses_nobody(
    write: int, when: Literal["before", "after"]
) -> None:
    async def story() -> None:
        sim, law = await idle()
        await sim.run(110)
        sim.kube.crash_at(len(sim.kube.writes) + write, when)
        dying = sim.kube
        await sim.run(60)
        assert sim.kube is not dying, "it died"
        assert pods(sim) == 0 and law.slept
        sim.kube.crash_at(len(sim.kube.writes) + write, when)
        at_the_door(sim, waits=True)
        await sim.run(5)
        at_the_door(sim, waits=False)
        await sim.run(60)
        assert pods(sim) == 1 and sim.condition("Ready")["status"] == "True" and not leads_to_door(sim, "churn")

    told(story)
