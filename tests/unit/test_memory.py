"""What one settled model takes in memory, counted object by object, so that no growth of it goes unnoticed."""

import asyncio
import gc
import json
import sys
import types
from typing import Any

from penstock.model.names import ANNOTATION_APPLIED, LABEL_REVISION
from penstock.shell.kopf_watch import NoMemories
from penstock.shell.projection import project
from tests.fake.clock import run
from tests.sim.machine import Object, Sim, model

SHARED = (type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType)
MOST = 10_500  # bytes of one model more, with a route; what 1,000 take of a process is measured by bench.speed
MOST_OF_A_VERSION = 800  # bytes of each former version that can be gone back to


def size(whole: Any) -> int:
    """Bytes of all that can be reached only through data."""
    seen: set[int] = set()
    total, rest = 0, [whole]
    while rest:
        one = rest.pop()
        if id(one) not in seen and not isinstance(one, SHARED):
            seen.add(id(one))
            total += sys.getsizeof(one)
            rest += gc.get_referents(one)
    return total


def kept(sim: Sim) -> int:
    """Bytes of what the operator remembers of the models."""
    cache, loop = sim.loop.cache, sim.loop
    return size((cache.parents, cache.children, loop.voice.books, loop.recalled, loop.looks, loop.telemetry.weights))


def named(name: str) -> Object:
    """The model of that name."""
    wish = model("v1")
    return wish | {"metadata": wish["metadata"] | {"name": name}}


def test_one_settled_model_more_is_small() -> None:
    async def story() -> None:
        sim = Sim()
        sizes = []
        for name in ("churn", "fraud"):  # the first brings what both are kept against
            sim.apply(named(name))
            await sim.run(120)
            sizes.append(kept(sim))
        assert sizes[1] - sizes[0] < MOST, sizes

    run(story())


def test_a_version_that_was_is_smaller() -> None:
    async def story() -> None:
        sim = Sim()
        sizes = []
        for number in range(1, 9):
            sim.apply(model(f"v{number}"))
            await sim.run(200)
            sizes.append(kept(sim))
        assert sizes[-1] - sizes[4] < 3 * MOST_OF_A_VERSION, sizes

    run(story())


def test_a_process_that_finds_versions_keeps_no_more_of_them() -> None:
    async def story() -> None:
        sim = Sim()
        for number in range(1, 9):
            sim.apply(model(f"v{number}"))
            await sim.run(200)
        before = kept(sim)
        await sim.restart()
        await sim.run(200)
        assert kept(sim) < 1.2 * before

    run(story())


def test_what_many_children_say_is_kept_once_and_of_the_rest_there_is_no_table() -> None:
    meta = {"name": "churn-1", "uid": "2", "resourceVersion": "3", "annotations": {ANNOTATION_APPLIED: "4f5e6d"}}
    meta |= {"labels": {LABEL_REVISION: "churn-1"}, "ownerReferences": [{"uid": "5", "controller": True}]}
    text = json.dumps({"kind": "PodDisruptionBudget", "metadata": meta, "spec": {}})
    one, other = project(json.loads(text)), project(json.loads(text))
    assert one.name is one.revision is other.revision and one.owner_uid is other.owner_uid
    assert one.applied == other.applied and one.applied is not other.applied


def test_a_copy_of_a_remembered_object_may_be_changed() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(model("v1"))
        await sim.run(10)
        sim.loop.cache.parents["ml", "churn"]["spec"].clear()
        assert sim.loop.cache.parents["ml", "churn"]["spec"]

    run(story())


def test_kopf_remembers_nothing_of_an_object() -> None:
    memories = NoMemories()
    asyncio.run(memories.recall({"metadata": {"uid": "one"}}, noticed_by_listing=True))
    assert not list(memories.iter_all_memories())
