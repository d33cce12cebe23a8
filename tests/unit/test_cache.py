"""What is remembered when events of namesakes cross: each uid has a worker of its own, and nobody keeps their order."""

import asyncio
import random
from collections import Counter

import pytest

from penstock.model.names import LABEL_CONFIG, LABEL_NAME
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


def watching(kube: FakeKube, synced: bool = False) -> Watch:
    """With an empty cache, in the whole cluster."""
    queue = Queue(asyncio.get_running_loop().time, random.Random(1))
    return Watch(kube, Cache(), queue, None, synced=synced)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ModelDeployment", "ModelRuntime", "Service"])
@pytest.mark.parametrize("before", [True, False], ids=["the former is known", "it is not"])
def test_the_end_of_a_namesake_that_comes_late_is_not_the_end_of_the_new_one(kind: str, before: bool) -> None:
    async def story() -> None:
        watch = watching(FakeKube())
        events = [("ADDED", "new", 9), ("MODIFIED", "old", 5), ("DELETED", "old", 7)]
        for event, uid, version in [("ADDED", "old", 4)] * before + events:
            watch.see(kind, event, made(kind, uid, version))
        assert remembered(watch.cache) == ["new"]

    run(story())


def test_a_watch_that_begins_anew_begins_from_a_list_of_ours_which_forgets_what_has_vanished() -> None:
    async def story() -> None:
        store = Store()
        service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        for name in ("stays", "goes"):
            meta = {"name": name, "namespace": "ml", "labels": {LABEL_NAME: "churn"}}
            store.apply(service | {"metadata": meta}, "somebody")
        kube = FakeKube(store)
        watch = watching(kube)
        keeping = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(1)
        before = len(kube.requests)
        assert await watch.list_to_watch("Service") == store.version
        assert len(kube.requests) == before, "the first watch begins from the first list"
        store.delete("Service", "ml", "goes")
        await asyncio.sleep(60)
        names = [child.name for child in watch.cache.owned(("ml", "churn"))]
        assert sorted(names) == ["goes", "stays"], "nobody has told"
        assert await watch.list_to_watch("Service") == store.version
        assert [child.name for child in watch.cache.owned(("ml", "churn"))] == ["stays"]
        assert kube.requests[before:] == [("list", "Service", "")], "that kind alone"
        keeping.cancel()

    run(story())


def test_who_leads_lists_anew_what_was_watched_before_and_nothing_twice() -> None:
    async def story() -> None:
        kube = FakeKube(Store())
        watch = watching(kube)
        await asyncio.gather(*map(watch.list_to_watch, watch.kinds))
        await asyncio.sleep(1)
        keeping = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(1)
        assert watch.synced
        assert Counter(kind for _, kind, _ in kube.requests) == dict.fromkeys(watch.kinds, 2)
        await watch.list_to_watch("Service")
        assert Counter(kind for _, kind, _ in kube.requests)["Service"] == 3, "no second watch begins from an old list"
        keeping.cancel()

    run(story())


def test_a_list_that_a_watch_begins_from_while_who_leads_lists_is_made_once() -> None:
    async def story() -> None:
        kube = FakeKube(Store())
        watch = watching(kube)
        keeping = asyncio.ensure_future(watch.keep())
        await asyncio.gather(*map(watch.list_to_watch, watch.kinds))
        await asyncio.sleep(1)
        assert watch.synced
        assert Counter(kind for _, kind, _ in kube.requests) == dict.fromkeys(watch.kinds, 1)
        keeping.cancel()

    run(story())


NAMELESS = {"rules": [{"backendRefs": [{}]}]}
FOREIGN: Object = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": NAMELESS}
UNREADABLE = ({"server": 7}, {"server": {"configMaps": [7, {"mountPath": "/a"}]}}, 7, ["a"])


def test_an_object_that_cannot_be_read_keeps_nobody_from_beginning(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        store = Store()
        store.apply(FOREIGN | {"metadata": {"name": "a", "namespace": "ml", "labels": {LABEL_NAME: "db"}}}, "somebody")
        store.apply(model("v1"), "kubectl")
        watch = watching(FakeKube(store))
        keeping = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(1)
        assert watch.synced and not keeping.done()
        assert "an object that cannot be read" in caplog.text
        keeping.cancel()

    run(story())


@pytest.mark.parametrize("edited", [False, True], ids=["a status", "an edit"])
def test_only_an_edit_that_overtakes_the_answer_to_an_apply_is_compared_again(edited: bool) -> None:
    cache, answer, later = Cache(), made("Service", "one", 5), made("Service", "one", 6)
    later["status"] = {"loadBalancer": {}}
    if edited:
        later["spec"] = {"type": "NodePort"}
    for live in (later, answer):
        cache.see_child(copied(live))
    cache.confirm(("ml", "churn"), answer)
    (child,) = cache.owned(("ml", "churn"))
    assert (child.read() is None, child.version) == (not edited, 6)


def test_an_edited_configmap_is_told_to_all_that_mount_it_whatever_others_say() -> None:
    async def story() -> None:
        watch = watching(FakeKube(), synced=True)
        specs = [*UNREADABLE, {"server": {"configMaps": [{"name": "limits", "mountPath": "/a"}]}}]
        for number, spec in enumerate(specs):
            meta = {"name": f"m{number}", "namespace": "ml", "uid": str(number), "resourceVersion": "1"}
            watch.see("ModelDeployment", "ADDED", {"metadata": meta, "spec": spec})
        for _ in specs:
            watch.queue.done(watch.queue.take())
        meta = {"name": "limits", "namespace": "ml", "uid": "u", "resourceVersion": "2"}
        watch.see("ConfigMap", "ADDED", {"metadata": meta | {"labels": {LABEL_CONFIG: "tracked"}}, "data": {"a": "b"}})
        assert watch.queue.take() == ("ml", "m4")
        assert watch.queue.depth() == 0

    run(story())


def test_after_a_start_those_who_have_something_under_way_come_first() -> None:
    async def story() -> None:
        store = Store()
        status = {"observedGeneration": 1}
        statuses = {
            "a-settled": status,
            "b-tried": status | {"candidate": {"revision": "b-1"}},
            "c-settled": status,
            "d-left": status | {"leaving": [{"revision": "d-1"}]},
            "e-edited": {"observedGeneration": 0},
            "f-new": {},
            "g-settled": status,
        }
        for name, said in statuses.items():
            live = store.apply(model("v1") | {"metadata": {"name": name, "namespace": "ml"}}, "user")
            store.update_status(live, said)
        watch = watching(FakeKube(store))
        keeping = asyncio.ensure_future(watch.keep())
        await watch.queue.wanted()
        order = [watch.queue.take()[1] for _ in statuses]
        assert {*order[:4]} == {"b-tried", "d-left", "e-edited", "f-new"}
        keeping.cancel()

    run(story())
