"""The number of pods goes from the spec to a real autoscaler and back, on a real API server, without a dip."""

import asyncio
import time
from typing import Any

from tests.conftest import ControlPlane
from tests.integration.test_rollout import Scene, operator, told

Object = dict[str, Any]


def scaled(least: int) -> Object:
    return {"minReplicas": least, "maxReplicas": 12, "metrics": [{"name": "cpu", "target": 70}]}


async def workload(made: Scene) -> Object:
    revision = (await made.live())["status"]["stable"]["revision"]
    live = await made.kube.get("Deployment", made.namespace, revision)
    assert live
    return live


async def until(made: Scene, replicas: int, says: Object) -> Object:
    """Wait until the Deployment has this number and these fields."""
    end = time.monotonic() + 60
    while True:
        live = await workload(made)
        if live["spec"]["replicas"] == replicas and all(live["metadata"].get(k) == v for k, v in says.items()):
            return live
        assert time.monotonic() < end, (live["spec"]["replicas"], live["metadata"])
        await asyncio.sleep(0.1)


def test_an_autoscaler_takes_over_and_gives_back_without_a_dip(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await made.apply("v1", scaling={"minReplicas": 6})
            await made.settled("v1")
            before = (await until(made, 6, {}))["metadata"]["generation"]

            await made.apply("v1", scaling=scaled(2))
            # one generation: the annotation of that apply; a number that went and came back would make three
            await until(made, 6, {"generation": before + 1})
            assert await made.kube.get(
                "HorizontalPodAutoscaler", made.namespace, (await workload(made))["metadata"]["name"]
            )

            await made.apply("v1", scaling=scaled(8))
            scaled_up = await until(made, 8, {"generation": before + 2})  # by the real autoscaler
            owners = {m["manager"]: m.get("subresource") for m in scaled_up["metadata"]["managedFields"]}
            assert owners["kube-controller-manager"] and "penstock-scale" not in owners, "it is the autoscaler's now"

            await made.apply("v1", scaling=scaled(8), deletionPolicy="Orphan")
            await until(made, 8, {"generation": before + 3, "ownerReferences": None})

            await made.apply("v1", scaling={"minReplicas": 4}, deletionPolicy="Orphan")
            await until(made, 4, {"generation": before + 4})
            await made.settled("v1")
            name = (await workload(made))["metadata"]["name"]
            assert not await made.kube.get("HorizontalPodAutoscaler", made.namespace, name)

    told(story, control_plane, "handover")
