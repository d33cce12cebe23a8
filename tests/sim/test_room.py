"""A cluster that is full: a candidate that can never fit is refused before anything is touched for it."""

from collections import Counter
from typing import Any

import pytest

from penstock.shell.room import Rooms
from tests.fake.clock import run
from tests.sim.machine import Object, Sim, model

GPU = "nvidia.com/gpu"


def node(name: str, **more: str) -> Object:
    """A node for two pods."""
    free = {"cpu": "2", "memory": "8Gi", "pods": "10", **more}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"allocatable": free}}


def pod(name: str, revision: str) -> Object:
    """A pod of a revision, that asks for a cpu."""
    meta = {"namespace": "ml", "name": name, "labels": {"penstock.dev/revision": revision}}
    spec = {"nodeName": "a", "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def wish(version: str, policy: str, **requests: str) -> Object:
    """A version whose pods ask for a cpu, and for this."""
    made = model(version, server={"resources": {"requests": {"cpu": "1", **requests}}})
    made["spec"]["rollout"]["capacityPolicy"] = policy
    return made


def put(sim: Sim, made: Object) -> None:
    live = sim.store.apply(made, "kubelet")
    if "status" in made:
        sim.store.update_status(live, made["status"])


async def full(policy: str) -> Sim:
    """v1 is stable, and its two pods fill the only node."""
    sim = Sim()
    sim.loop.rooms = Rooms(sim.kube)
    put(sim, node("a"))
    sim.apply(wish("v1", policy))
    await sim.run(60)
    for number in range(2):
        put(sim, pod(f"v1-{number}", sim.status["stable"]["revision"]))
    return sim


def touched(sim: Sim, since: int) -> dict[str, int]:
    return Counter(kind for verb, kind, _ in sim.kube.writes[since:])


@pytest.mark.parametrize(("policy", "how"), [("Refuse", ""), ("Replace", "even in place of the stable pods ")])
def test_a_candidate_that_can_never_fit_is_refused_before_any_pod_is_touched(policy: str, how: str) -> None:
    async def story() -> None:
        sim = await full(policy)
        before = len(sim.kube.writes)
        sim.apply(wish("v2", policy, **{GPU: "1"}))
        await sim.run(120)
        assert touched(sim, before) == {"ModelDeployment": 1, "Event": 1}
        assert sim.weights() == {"v1": 100}
        (refused,) = sim.status["rejected"]
        words = f"not begun (capacityPolicy: {policy}): {how}0 of 2 pods fit: 1 of 1 nodes lacks {GPU}"
        assert (refused["reason"], refused["message"]) == ("InsufficientCapacity", words)
        assert sim.condition("Ready")["reason"] == "RolledBack" and words in sim.condition("Ready")["message"]
        assert sim.condition("Available")["status"] == "True"

        put(sim, node("b", **{GPU: "2"}))
        retry: dict[str, Any] = {"penstock.dev/retry": refused["revision"]}
        ref = ("ModelDeployment", "ml", "churn")
        sim.store.edit(ref, lambda live: live["metadata"].setdefault("annotations", {}).update(retry), "kubectl")
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2", "once there is room, a retry goes on"

    run(story())


def test_replace_begins_where_the_stable_pods_leave_room_enough() -> None:
    async def story() -> None:
        sim = await full("Replace")
        sim.apply(wish("v2", "Replace"))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2" and not sim.status.get("rejected")

    run(story())


def test_who_may_not_look_is_told_so_and_goes_on() -> None:
    async def story() -> None:
        sim = await full("Replace")
        sim.store.missing_kinds.add("Node")
        sim.apply(wish("v2", "Replace", **{GPU: "1"}))
        await sim.run(30)
        notes = [live["note"] for live in sim.store.list("Event") if live["reason"] == "RolloutStarted"]
        assert [note.partition("; ")[2] for note in notes if " v2 " in note] == [
            "nodes and the pods on them were not checked: Node: the server could not find the requested resource"
        ]
        assert sim.status["candidate"]["version"] == "v2"

    run(story())
