"""The room that is seen is the room there is: the same look in memory and on a real API server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.model.faults import Rejected, Stale
from penstock.model.names import LABEL_REVISION
from penstock.model.quantity import amount
from penstock.model.room import Scope
from penstock.shell.room import ON_NODES, Rooms
from tests.fake.kube import FakeKube

from .conftest import Tell, World
from .test_kube import eventually

Object = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GPU = "example.com/gpu"
CORDON = "node.kubernetes.io/unschedulable"
PRETENDED = {"kwok.x-k8s.io/node": "fake"}  # the test's control plane answers for such nodes


def make_node(name: str, **spec: Any) -> Object:
    meta = {"name": name, "annotations": PRETENDED, "labels": spec.pop("labels", {})}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec}


def make_pod(world: World, name: str, **spec: Any) -> Object:
    meta = {"namespace": world.namespace, "name": name, "labels": spec.pop("labels", {})}
    bare = {"containers": [container()], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": bare | spec}


def container(requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    resources = {"requests": requests or {}, "limits": limits or {}}
    return {"name": "c", "image": "example/server:1", "resources": resources, **more}


def make_quota(world: World, hard: Object, name: str = "compute", **spec: Any) -> Object:
    meta = {"namespace": world.namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard, **spec}}


async def set_status(world: World, manifest: Object, status: Object) -> None:
    """Add to an object's status, against whoever else writes there."""

    async def written() -> bool:
        live = await world.other.get(
            manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]
        )
        assert live
        try:
            await world.other.update_status(live, (live.get("status") or {}) | status)
        except Stale:
            return False
        return True

    await eventually(written)


async def put_node(world: World, manifest: Object, **allocatable: str) -> None:
    """A node that is ready for pods."""
    await world.other.apply(manifest)
    given = {"cpu": "4", "memory": "8Gi", "pods": "10"} | allocatable
    await set_status(world, manifest, {"capacity": given, "allocatable": given})
    name = manifest["metadata"]["name"]
    wanted = {taint["key"] for taint in manifest["spec"].get("taints") or []}

    async def ready() -> bool:
        live = await world.other.get("Node", None, name)
        return {taint["key"] for taint in (live or {})["spec"].get("taints") or []} <= wanted | {CORDON}

    await eventually(ready)


async def put_pod(world: World, manifest: Object, phase: str = "") -> None:
    """A pod, once the namespace has the account that pods need."""

    async def accepted() -> bool:
        try:
            await world.other.create(manifest)
        except Rejected as fault:
            if "service account" not in fault.message:
                raise
            return False
        return True

    await eventually(accepted)
    if phase:
        await set_status(world, manifest, {"phase": phase})


async def end(world: World, name: str) -> None:
    """A pod that has run ends well; what plays the node would otherwise start it after its end."""

    async def runs() -> bool:
        live = await world.other.get("Pod", world.namespace, name)
        return bool(live and live["status"]["phase"] == "Running")

    if not isinstance(world.other, FakeKube):
        await eventually(runs)
    await set_status(world, make_pod(world, name), {"phase": "Succeeded"})


async def put_quota(world: World, manifest: Object, used: Object) -> None:
    """A quota that its controller has counted; in memory there is none, so that the test counts."""
    await world.other.apply(manifest)
    if isinstance(world.other, FakeKube):
        await set_status(world, manifest, {"hard": manifest["spec"]["hard"], "used": used})

    async def counted() -> bool:
        live = await world.other.get("ResourceQuota", world.namespace, manifest["metadata"]["name"])
        return bool(live and (live.get("status") or {}).get("used") == used)

    await eventually(counted)


async def remove(world: World, kind: str, namespace: str | None, names: list[str]) -> None:
    for name in names:
        live = await world.other.get(kind, namespace, name)
        if live:
            await world.other.delete(kind, namespace, name, live["metadata"]["uid"])


class TestRoom:
    """One class, two worlds."""

    def test_pages_select_pods_by_fields(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            node = f"{world.namespace}-a"
            await put_pod(world, make_pod(world, "runs", nodeName=node))
            await put_pod(world, make_pod(world, "waits", schedulerName="nobody"))
            await put_pod(world, make_pod(world, "done", nodeName=node), "Succeeded")
            await put_pod(world, make_pod(world, "failed", nodeName=node), "Failed")
            for selector, wanted in (
                (ON_NODES, ["runs"]),
                ("spec.nodeName=", ["waits"]),
                (f"spec.nodeName={node}", ["done", "failed", "runs"]),
                ("status.phase==Failed", ["failed"]),
                ("metadata.name!=runs,metadata.name!=done", ["failed", "waits"]),
                ("", ["done", "failed", "runs", "waits"]),
            ):
                pages = world.kube.pages("Pod", world.namespace, fields=selector)
                assert [item["metadata"]["name"] async for page in pages for item in page] == wanted, selector
            for selector in ("spec.priority=1", "metadata.uid=1"):
                with pytest.raises(Rejected, match=r"ApiInvalid.*field label not supported"):
                    _ = [page async for page in world.kube.pages("Pod", fields=selector)]

        tell(story)

    def test_pods_come_in_small_pages(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            world.kube.page = 2
            for name in ("a", "b", "c"):
                await put_pod(world, make_pod(world, name, schedulerName="nobody"))
            pages = world.kube.pages("Pod", world.namespace, fields="spec.nodeName=")
            assert [[item["metadata"]["name"] for item in page] async for page in pages] == [["a", "b"], ["c"]]

        tell(story)

    def test_a_room_is_what_is_left_on_nodes_and_in_quotas(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            name = f"{world.namespace}-a"
            taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
            try:
                await put_node(world, make_node(name, labels={"gpu": "a100"}, taints=[taint]), **{GPU: "2"})
                asked = [container({"cpu": "500m"}, {"memory": "1Gi", GPU: "1"})]
                ours = {"labels": {LABEL_REVISION: "churn-1"}, "nodeName": name}
                await put_pod(world, make_pod(world, "ours", containers=asked, **ours))
                await put_pod(world, make_pod(world, "done", containers=asked, **ours))
                await end(world, "done")
                await put_pod(world, make_pod(world, "waits", containers=asked, schedulerName="nobody"))
                await put_quota(world, make_quota(world, {"requests.cpu": "4"}), {"requests.cpu": "1"})
                room = await Rooms(world.kube).see(world.namespace, NOW)
                (found,) = (node for node in room.nodes or () if node.name == name)
                free = {"cpu": "3500m", "memory": "7Gi", "pods": "9", GPU: "1"}
                assert found.free == {key: amount(text) for key, text in free.items()}
                assert found.labels["gpu"] == "a100" and [str(taint) for taint in found.taints] == [
                    "dedicated=ml:NoSchedule"
                ]
                (quota,) = room.quotas
                assert (quota.name, quota.limits) == (f"{world.namespace}/compute", {"requests.cpu": (4000, 1000)})
                assert (room.held, room.unseen) == ({"churn-1": {name: 1}}, "")
            finally:
                await remove(world, "Node", None, [name])

        tell(story)

    def test_a_quota_shows_its_scopes(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
            await put_quota(
                world, make_quota(world, {"pods": "1"}, scopeSelector={"matchExpressions": [scope]}), {"pods": "0"}
            )
            (quota,) = (await Rooms(world.kube).see(world.namespace, NOW)).quotas
            assert quota.scopes == (Scope("PriorityClass", "In", ("high",)),)

        tell(story)
