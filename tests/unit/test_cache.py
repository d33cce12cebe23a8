"""What is remembered when events of namesakes cross: each uid has a worker of its own, and nobody keeps their order."""

import asyncio
import random

import pytest

from penstock.model.names import LABEL_NAME
from penstock.shell.cache import Cache
from penstock.shell.queue import Queue
from penstock.shell.watch import Watch
from tests.fake.clock import run
from tests.fake.kube import FakeKube
from tests.fake.ownership import copied
from tests.fake.store import Store
from tests.sim.machine import RUNTIME, Object, model


def made(kind: str, uid: str, version: int) -> Object:
    """An object of the name that all have."""
    meta = {"name": "churn", "namespace": "ml", "uid": uid, "resourceVersion": str(version)}
    if kind == "ModelRuntime":
        return RUNTIME | {"metadata": meta}
    if kind == "ModelDeployment":
        return model("v1") | {"metadata": meta}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta | {"labels": {LABEL_NAME: "churn"}}, "spec": {}}


def remembered(cache: Cache) -> list[str]:
    """The uids of all."""
    whole = [*cache.parents.values(), *cache.runtimes.values()]
    return [live["metadata"]["uid"] for live in whole] + [child.uid for child in cache.owned(("ml", "churn"))]


@pytest.mark.parametrize("kind", ["ModelDeployment", "ModelRuntime", "Service"])
@pytest.mark.parametrize("before", [True, False], ids=["the former is known", "it is not"])
def test_the_end_of_a_namesake_that_comes_late_is_not_the_end_of_the_new_one(kind: str, before: bool) -> None:
    async def story() -> None:
        queue = Queue(asyncio.get_running_loop().time, random.Random(1))
        watch = Watch(FakeKube(), Cache(), queue, None)  # type: ignore[arg-type]
        events = [("ADDED", "new", 9), ("MODIFIED", "old", 5), ("DELETED", "old", 7)]
        for event, uid, version in [("ADDED", "old", 4)] * before + events:
            watch.see(kind, event, made(kind, uid, version))
        assert remembered(watch.cache) == ["new"]

    run(story())


def test_what_vanished_while_a_watch_was_broken_is_forgotten_as_soon_as_kopf_lists_anew() -> None:
    async def story() -> None:
        store = Store()
        service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        for name in ("stays", "goes"):
            meta = {"name": name, "namespace": "ml", "labels": {LABEL_NAME: "churn"}}
            store.apply(service | {"metadata": meta}, "somebody")
        queue = Queue(asyncio.get_running_loop().time, random.Random(1))
        kube = FakeKube(store)
        watch = Watch(kube, Cache(), queue, None)  # type: ignore[arg-type]
        keeping = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(1)
        store.delete("Service", "ml", "goes")
        await asyncio.sleep(60)
        names = [child.name for child in watch.cache.owned(("ml", "churn"))]
        assert sorted(names) == ["goes", "stays"], "nobody has told"
        for _ in range(5):
            watch.see("Service", None, copied(store.entries["Service", "ml", "stays"].live))
            await asyncio.sleep(0.9)
        before = len(kube.requests)
        await asyncio.sleep(1)
        assert [child.name for child in watch.cache.owned(("ml", "churn"))] == ["stays"]
        assert kube.requests[before:] == [("list", "Service", "")], "of that kind alone, once kopf has told all"
        keeping.cancel()

    run(story())
