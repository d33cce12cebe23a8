"""A rollout by the real operator process against a real API server: steps, kill -9, silence, and what it costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.shell.kube import Kube
from tests.conftest import ControlPlane
from tests.integration.operator_process import Running, running_operator
from tests.integration.surroundings import Source, gateway
from tests.sim.machine import RUNTIME, model

Object = dict[str, Any]
READS = {"get", "list"}
SERVER = "rollout"  # a runtime of its own: other tests of this control plane bring some for the same format


@dataclass
class Scene:
    """A namespace of its own, with a gateway and a metric source, seen by a user."""

    kube: Kube
    source: Source
    plane: ControlPlane
    namespace: str

    async def apply(self, version: str, **spec: Any) -> None:
        wish = model(version, runtime=SERVER, **spec)
        wish["metadata"]["namespace"] = self.namespace
        wish["spec"]["rollout"] = {
            "canary": {"steps": [{"weight": w, "duration": "2s"} for w in (5, 25, 50)]},
            "deadline": "30s",
            "scaleDownDelay": "2s",
        }
        wish["spec"]["analysis"] |= {"interval": "1s"}
        await self.kube.apply(wish)

    async def live(self) -> Object:
        found = await self.kube.get("ModelDeployment", self.namespace, "churn")
        assert found
        return found

    async def until(self, says: Callable[[Object], Any], seconds: float = 60.0) -> Object:
        """Poll the status until it says so; what is awaited is the status, the limit only ends a failed test."""
        end = time.monotonic() + seconds
        while True:
            status: Object = (await self.live()).get("status", {})
            if says(status):
                return status
            assert time.monotonic() < end, status
            await asyncio.sleep(0.1)

    async def settled(self, version: str) -> Object:
        def says(status: Object) -> bool:
            ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
            return ready == ["True"] and status["stable"]["version"] == version and not status.get("leaving")

        return await self.until(says)

    async def events(self) -> list[Object]:
        return [
            event
            async for page in self.kube.pages("Event", self.namespace)
            for event in page
            if event["regarding"]["kind"] == "ModelDeployment"
        ]


@asynccontextmanager
async def scene(plane: ControlPlane, name: str) -> AsyncIterator[Scene]:
    kube = await Kube.connect(str(plane.kubeconfig), manager="tests")
    plane.kubectl("create", "namespace", name)
    source = Source()
    runner = await source.start()
    await kube.apply(RUNTIME | {"metadata": {"name": SERVER}})
    task = asyncio.create_task(gateway(kube, name))
    try:
        yield Scene(kube, source, plane, name)
    finally:
        task.cancel()
        plane.kubectl("delete", "namespace", name, "--wait=false")
        await runner.cleanup()
        await kube.close()


def told(story: Callable[[Scene], Awaitable[None]], plane: ControlPlane, name: str) -> None:
    async def whole() -> None:
        async with scene(plane, name) as made:
            await story(made)

    asyncio.run(whole())


def operator(made: Scene) -> Any:
    return running_operator(made.plane.kubeconfig, made.namespace, made.namespace, made.source.url)


def writes(running: Running) -> dict[tuple[str, str], int]:
    """All requests that are no reads and not the lease's, which has a client of its own."""
    return {where: n for where, n in running.requests().items() if where[0] not in READS}


def test_good_is_promoted_bad_is_taken_off_and_a_settled_object_costs_nothing(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made) as running:
            await made.apply("v1")
            await made.settled("v1")
            await made.apply("v2")
            status = await made.settled("v2")
            assert status["stable"]["weight"] == 100
            await made.apply("v3")
            candidate = (await made.until(lambda s: s.get("candidate")))["candidate"]
            made.source.bad[candidate["revision"]] = 0.3
            status = await made.until(lambda s: s.get("rejected") and not s.get("leaving"))
            assert status["rejected"][0]["reason"] == "ErrorRateAboveLimit"
            assert status["stable"]["version"] == "v2"
            before, asked = running.requests(), made.source.asked
            await asyncio.sleep(20)  # the subject: nothing may happen in this time
            assert running.requests() == before
            assert made.source.asked == asked
            assert sorted({e["reason"] for e in await made.events()}) == [
                "ErrorRateAboveLimit",
                "Promoted",
                "RolloutStarted",
                "StepEntered",
            ]

    told(story, control_plane, "rollout-whole")


def test_a_killed_operator_goes_on_and_takes_no_step_twice(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made) as running:
            await made.apply("v1")
            await made.settled("v1")
            await made.apply("v2")
            await made.until(lambda s: s.get("candidate", {}).get("step") == 1)
            running.kill()
        before = await made.live()
        with operator(made):
            await made.settled("v2")
        assert before["status"]["candidate"]["step"] == 1
        notes = [e["note"].split(" (")[0] for e in await made.events() if e["reason"] == "StepEntered"]
        assert len(notes) == len(set(notes)), "a step was taken twice"
        told = "version v2 passed 5%, goes to 25%"  # recorded when the kill came, so its Event may be lost
        assert {*notes} - {told} == {"version v2 passed 25%, goes to 50%", "version v2 passed 50%, goes to 100%"}
        assert [e["reason"] for e in (await made.live())["status"]["history"]] == ["Promoted", "Promoted"]

    told(story, control_plane, "rollout-killed")


def test_a_restart_writes_nothing(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await made.apply("v1")
            await made.settled("v1")
        with operator(made) as running:
            await asyncio.sleep(5)  # the subject: nothing may be written in this time
            assert writes(running) == {}

    told(story, control_plane, "rollout-restart")


def test_a_dead_metric_source_holds_says_so_and_never_promotes(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await made.apply("v1")
            await made.settled("v1")
            made.source.down = True
            await made.apply("v2")

            def silent(status: Object) -> bool:
                return any(c["reason"] == "MetricsUnavailable" for c in status["conditions"])

            status = await made.until(silent)
            assert status["candidate"]["step"] == 0
            assert "metric source default" in status["conditions"][0]["message"]
            status = await made.until(lambda s: s.get("rejected"))
            assert (status["rejected"][0]["reason"], status["stable"]["version"]) == ("EvidenceMissing", "v1")

    told(story, control_plane, "rollout-silent")


@pytest.mark.parametrize("kind", ["Deployment", "Service", "HTTPRoute", "PodDisruptionBudget"])
def test_a_deleted_child_comes_back(control_plane: ControlPlane, kind: str) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await made.apply("v1")
            status = await made.settled("v1")
            name = status["stable"]["revision"] if kind == "Deployment" else "churn"
            live = await made.kube.get(kind, made.namespace, name)
            assert live
            await made.kube.delete(kind, made.namespace, name, live["metadata"]["uid"])
            end = time.monotonic() + 30
            while True:
                back = await made.kube.get(kind, made.namespace, name)
                if back and back["metadata"]["uid"] != live["metadata"]["uid"]:
                    break
                assert time.monotonic() < end, "it did not come back"
                await asyncio.sleep(0.1)
            await made.settled("v1")

    told(story, control_plane, f"rollout-lost-{kind.lower()}")
