"""The faults on demand do what they say; everything a real server can confirm is in `tests/contract` instead."""

import asyncio
from typing import Any

import pytest

from penstock.model.faults import Retry
from tests.fake import clock
from tests.fake.kube import Crash, FakeKube
from tests.fake.store import Store

Object = dict[str, Any]
REF = ("Service", "ml", "a")


def make_service(name: str = "a", port: int = 80) -> Object:
    meta = {"namespace": "ml", "name": name}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": port}]}}


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_a_crash_is_before_or_after_the_write_and_final(when: Any, there: bool) -> None:
    async def story() -> None:
        store = Store()
        kube = FakeKube(store)
        kube.crash_at(2, when)
        await kube.apply(make_service("first"))
        with pytest.raises(Crash):
            await kube.apply(make_service())
        assert (store.get(*REF) is not None) == there
        with pytest.raises(Crash):
            await kube.get(*REF)
        assert await FakeKube(store).get("Service", "ml", "first"), "the next process finds the cluster as it was left"

    clock.run(story())


@pytest.mark.parametrize("landed", [False, True])
def test_a_lost_answer_may_have_landed(landed: bool) -> None:
    async def story() -> None:
        kube, counted = FakeKube(), []
        kube.on_request = lambda verb, kind, status, _: counted.append((verb, kind, status))
        kube.fail_next("*", "Service", Retry(2, "down"), landed)
        with pytest.raises(Retry):
            await kube.apply(make_service())
        assert (kube.store.get(*REF) is not None) == landed
        await kube.apply(make_service())
        assert kube.writes == [("apply", "Service", "a")] * 2
        assert counted == [("apply", "Service", 503), ("apply", "Service", 200)]

    clock.run(story())


def test_a_frozen_api_answers_after_the_thaw() -> None:
    async def story() -> None:
        kube = FakeKube()
        kube.freeze()
        write = asyncio.create_task(kube.apply(make_service()))
        await asyncio.sleep(100)
        assert not write.done() and kube.store.get(*REF) is None
        kube.thaw()
        assert (await write)["metadata"]["name"] == "a"

    clock.run(story())


def test_watchers_see_what_changed_and_only_that() -> None:
    async def story() -> None:
        kube, seen = FakeKube(), []
        kube.store.subscribe(lambda change, live: seen.append((change, live["metadata"]["name"])))
        live = await kube.apply(make_service())
        await kube.apply(make_service())
        kube.store.edit(REF, lambda copy: copy["metadata"].update(labels={"x": "y"}))
        kube.store.edit(REF, lambda copy: copy.update(status={"loadBalancer": {}}))
        await kube.delete(*REF, live["metadata"]["uid"])
        assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        versions = [int(live["metadata"]["resourceVersion"]) for _, live in kube.store.history]
        assert versions == sorted(set(versions))

    clock.run(story())


def test_an_expired_listing_starts_again() -> None:
    async def story() -> None:
        kube = FakeKube()
        kube.page = 2
        for name in "abc":
            await kube.apply(make_service(name))
        kube.lists_to_expire = 1
        pages = [[item["metadata"]["name"] for item in page] async for page in kube.pages("Service")]
        assert pages == [["a", "b"], ["a", "b"], ["c"]]

    clock.run(story())


def test_what_another_actor_changed_is_theirs() -> None:
    async def story() -> None:
        kube = FakeKube()
        await kube.apply(make_service() | {"spec": {"ports": [{"port": 80}], "sessionAffinity": "None"}})
        kube.store.edit(REF, lambda live: live["spec"].update(sessionAffinity="ClientIP"))
        live = await kube.apply(make_service())
        assert live["spec"]["sessionAffinity"] == "ClientIP", "we no longer own it, so leaving it out removes nothing"

    clock.run(story())


def test_the_virtual_clock_says_so_where_a_real_one_would_hang() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(clock.Deadlock):
        clock.run(story())
