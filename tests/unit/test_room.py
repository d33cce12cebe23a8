"""What a look at the cluster becomes, how often it is taken, and what is said where the operator may not look."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.model.faults import Rejected, Retry
from penstock.model.names import LABEL_REVISION
from penstock.model.quantity import amount
from penstock.model.room import Node, Quota, Room, Scope, Taint
from penstock.shell.room import KEPT, Rooms, is_on_demand, read_node, read_quota
from tests.fake import clock
from tests.fake.kube import FakeKube
from tests.fake.store import Store

Object = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FORBIDDEN = Rejected("ApiForbidden", "nodes is forbidden: a long story")


def put(store: Store, manifest: Object) -> None:
    """Store an object with its status, which only a second write can set."""
    live = store.apply(manifest, "someone")
    if "status" in manifest:
        store.update_status(live, manifest["status"])


def node(name: str, **allocatable: str) -> Object:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "10", **allocatable}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"allocatable": allocatable}}


def pod(name: str, where: str = "", phase: str = "Running", **labels: str) -> Object:
    """A pod that asks for a cpu; `where` is empty for one that waits."""
    containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]
    meta = {"namespace": "ml", "name": name, "labels": labels}
    spec = {"containers": containers} | ({"nodeName": where} if where else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": phase}}


def quota(namespace: str = "ml", **status: Any) -> Object:
    meta = {"namespace": namespace, "name": "compute"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {}, "status": status}


def small_cluster() -> Store:
    """Two nodes, two pods on the first one, one of them ours; and pods that take no place."""
    store = Store()
    ours = {LABEL_REVISION: "churn-1"}
    for manifest in (
        node("a"),
        node("b", **{"nvidia.com/gpu": "2"}),
        pod("one", "a"),
        pod("two", "a", **ours),
        pod("waits", **ours),
        pod("done", "a", "Succeeded"),
        pod("failed", "b", "Failed"),
        pod("vanished", "gone"),
        quota(hard={"pods": "9"}, used={"pods": "4"}),
        quota("other", hard={"pods": "1"}, used={"pods": "1"}),
    ):
        put(store, manifest)
    return store


def kinds(kube: FakeKube) -> list[str]:
    return [kind for _, kind, _ in kube.requests]


def test_a_room_is_what_the_pods_on_the_nodes_leave() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        room = await Rooms(kube).see("ml", NOW)
        free = {"cpu": 4000, "memory": 2**33 * 1000, "pods": 10_000}
        assert room == Room(
            nodes=(Node("a", free | {"cpu": 2000, "pods": 8000}), Node("b", free | {"nvidia.com/gpu": 2000})),
            quotas=(Quota("ml/compute", {"pods": (9000, 4000)}),),
            held={"churn-1": {"a": 1}},
        )
        assert (await Rooms(kube).see("other", NOW)).held == {}

    clock.run(story())


def test_one_look_serves_all_for_a_while() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        await rooms.see("ml", NOW)
        assert kinds(kube) == ["Node", "Pod", "ResourceQuota"]
        await rooms.see("ml", NOW + KEPT - timedelta(seconds=1))
        await rooms.see("ml", NOW - KEPT + timedelta(seconds=1))
        assert len(kube.requests) == 3
        await rooms.see("other", NOW)
        assert kinds(kube)[3:] == ["ResourceQuota"], "quotas are by namespace, nodes are not"
        await rooms.see("ml", NOW + KEPT)
        assert kinds(kube)[4:] == ["Node", "Pod", "ResourceQuota"]
        await rooms.see("ml", NOW)
        assert kinds(kube)[7:] == ["Node", "Pod", "ResourceQuota"], "a clock that was set back makes nothing fresh"

    clock.run(story())


def test_who_asks_while_a_look_runs_waits_for_it() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        found = await asyncio.gather(*(rooms.see("ml", NOW + timedelta(hours=i)) for i in range(8)))
        assert kinds(kube) == ["Node", "Pod", "ResourceQuota"]
        assert all(one == found[0] for one in found)

    clock.run(story())


@pytest.mark.parametrize(("took", "kept"), [(0.5, KEPT.total_seconds()), (2.0, 40.0), (600.0, 120.0)])
def test_looks_that_take_long_come_seldom_but_none_is_kept_for_ever(took: float, kept: float) -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        kube.freeze()
        first = asyncio.create_task(rooms.see("ml", NOW))
        await asyncio.sleep(took)
        kube.thaw()
        await first
        kube.requests.clear()
        await rooms.see("ml", NOW + timedelta(seconds=kept - 1))
        assert "Pod" not in kinds(kube)
        await rooms.see("ml", NOW + timedelta(seconds=kept))
        assert "Pod" in kinds(kube)

    clock.run(story())


def test_who_stops_waiting_does_not_stop_it_for_the_others() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        kube.freeze()
        first, second = (asyncio.create_task(rooms.see("ml", NOW)) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(1)
        kube.thaw()
        assert (await second).nodes and first.cancelled()
        assert kinds(kube) == ["Node", "Pod", "ResourceQuota"]

    clock.run(story())


def test_what_is_over_is_forgotten() -> None:
    async def story() -> None:
        rooms = Rooms(FakeKube(small_cluster()))
        for i in range(50):
            await rooms.see(f"team-{i}", NOW + i * KEPT)
        assert len(rooms._looks) == 2

    clock.run(story())


def test_a_server_that_does_not_answer_is_a_fault_and_the_next_look_is_a_new_one() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        kube.fail_next("list", "Pod", Retry(2, "down"))
        found = await asyncio.gather(rooms.see("ml", NOW), rooms.see("ml", NOW), return_exceptions=True)
        assert [type(one) for one in found] == [Retry, Retry]
        assert kinds(kube) == ["Node", "Pod"]
        assert (await rooms.see("ml", NOW)).nodes

    clock.run(story())


@pytest.mark.parametrize("kind", ["Node", "Pod"])
def test_without_the_right_to_look_nothing_is_known_of_nodes(kind: str) -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        rooms = Rooms(kube)
        kube.fail_next("list", kind, FORBIDDEN)
        room = await rooms.see("ml", NOW)
        assert (room.nodes, room.held, room.growable) == (None, {}, False)
        assert room.unseen == "nodes and the pods on them were not checked: the operator may not list them"
        assert room.quotas
        asked = len(kube.requests)
        assert await rooms.see("ml", NOW) == room and len(kube.requests) == asked, "a refusal is remembered too"

    clock.run(story())


def test_every_refusal_is_said() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        kube.fail_next("list", "Node", Rejected("ApiKindMissing", "Node: there is no such kind"))
        kube.fail_next("list", "ResourceQuota", FORBIDDEN)
        room = await Rooms(kube).see("ml", NOW)
        assert room == Room(
            None,
            unseen="nodes and the pods on them were not checked: Node: there is no such kind;"
            " quotas were not checked: the operator may not list them",
        )

    clock.run(story())


def test_a_listing_that_starts_again_counts_no_pod_twice() -> None:
    async def story() -> None:
        kube = FakeKube(small_cluster())
        kube.page = 1
        kube.store.delete("Node", None, "b")  # one page, so that the listing of pods is the one to start again
        once = await Rooms(kube).see("ml", NOW)
        asked = len(kube.requests)
        kube.lists_to_expire = 1
        assert await Rooms(kube).see("ml", NOW) == once
        assert len(kube.requests) == 2 * asked + 2 and kube.lists_to_expire == 0

    clock.run(story())


@pytest.mark.parametrize(
    ("marks", "told", "growable"),
    [
        ({}, None, False),
        ({"metadata": {"name": "a", "labels": {"karpenter.sh/nodepool": "gpu"}}}, None, True),
        (
            {"spec": {"taints": [{"key": "DeletionCandidateOfClusterAutoscaler", "effect": "PreferNoSchedule"}]}},
            None,
            True,
        ),
        ({}, True, True),
        ({"metadata": {"name": "a", "labels": {"karpenter.sh/nodepool": "gpu"}}}, False, False),
    ],
)
def test_nodes_on_demand_are_known_by_marks_or_because_somebody_said_so(
    marks: Object, told: bool | None, growable: bool
) -> None:
    async def story() -> None:
        store = Store()
        put(store, node("a") | marks)
        assert (await Rooms(FakeKube(store), told).see("ml", NOW)).growable == growable

    clock.run(story())


def test_a_node_is_read_with_all_that_keeps_pods_off() -> None:
    live = node("a", **{"nvidia.com/gpu": "0"})
    live["metadata"]["labels"] = {"gpu": "a100"}
    live["spec"] = {
        "unschedulable": True,
        "taints": [
            {"key": "dedicated", "value": "ml", "effect": "NoSchedule"},
            {"key": "x", "effect": "NoExecute", "timeAdded": "now"},
        ],
    }
    seen = read_node(live)
    assert (seen.labels, seen.cordoned) == ({"gpu": "a100"}, True)
    assert seen.taints == (Taint("dedicated", "ml"), Taint("x", "", "NoExecute"))
    assert set(seen.free) == {"cpu", "memory", "pods"}, "no devices is the same as having none"
    assert not is_on_demand(seen)
    assert read_node({"metadata": {"name": "new"}}) == Node("new", {})


def test_a_quota_is_read_as_its_controller_counts_it() -> None:
    live = quota(hard={"requests.cpu": "10", "pods": "4"}, used={"requests.cpu": "2500m"})
    live["spec"] = {
        "hard": {"requests.cpu": "99"},
        "scopes": ["NotBestEffort"],
        "scopeSelector": {
            "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}],
        },
    }
    assert read_quota(live) == Quota(
        "ml/compute",
        {"requests.cpu": (amount("10"), amount("2500m")), "pods": (4000, 0)},
        (Scope("NotBestEffort"), Scope("PriorityClass", "In", ("high",))),
    )
    assert read_quota(quota() | {"spec": {"hard": {"pods": "1"}}, "status": None}).limits == {}, "not yet in force"
