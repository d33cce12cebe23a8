"""Whom a Service leads to, as its EndpointSlices tell it: against the in-memory API and a real API server."""

from typing import Any

from penstock.shell.endpoints import Endpoints, reached
from penstock.shell.projection import project
from penstock.shell.watch import selector
from tests.fake.endpoints import Endpoints as Controller
from tests.fake.kube import FakeKube

from .conftest import Tell, World
from .test_kube import eventually, get, make_deployment, make_service

Object = dict[str, Any]
LABELS = {"penstock.dev/name": "churn", "penstock.dev/revision": "churn-1"}


async def slices(world: World) -> list[Object]:
    """All that the operator's watch is sent."""
    pages = world.kube.pages("EndpointSlice", world.namespace, selector("EndpointSlice"))
    return [{**live, "kind": "EndpointSlice"} async for page in pages for live in page]


async def led_to(world: World) -> dict[str, int]:
    found = [project(live).seen for live in await slices(world)]
    return reached(each for each in found if isinstance(each, Endpoints))


async def answering(world: World, replicas: int) -> None:
    """So many ready pods: the real ones by the pretended node, those in memory by their number."""
    live = await get(world.other, make_deployment(world))
    assert live
    if isinstance(world.kube, FakeKube):
        ref = ("Deployment", world.namespace, "churn-1")
        world.kube.store.edit(ref, lambda it: it.setdefault("status", {}).update(readyReplicas=replicas), "kubelet")
    else:
        await world.other.apply(make_deployment(world, replicas=replicas))


def test_slices_carry_the_labels_of_their_service_and_count_the_pods_that_are_ready(tell: Tell) -> None:
    async def story(world: World) -> None:
        if isinstance(world.kube, FakeKube):
            Controller(world.kube.store)
        service = await world.kube.apply(make_service(world, "churn-1", labels=LABELS))
        await world.kube.apply(make_service(world, "churn", labels={"penstock.dev/name": "churn"}))
        await world.other.apply(make_deployment(world, replicas=2))
        await answering(world, 2)

        async def both() -> bool:
            return await led_to(world) == {"churn-1": 2}

        await eventually(both)
        for live in await slices(world):
            assert LABELS.items() <= live["metadata"]["labels"].items()
            owner = live["metadata"]["ownerReferences"][0]
            assert (owner["kind"], owner["uid"], owner["controller"]) == ("Service", service["metadata"]["uid"], True)
        await answering(world, 1)

        async def one() -> bool:
            return await led_to(world) == {"churn-1": 1}

        await eventually(one)
        await world.kube.delete("Service", world.namespace, "churn-1", service["metadata"]["uid"])

        async def gone() -> bool:
            return await slices(world) == []

        await eventually(gone)

    tell(story)
