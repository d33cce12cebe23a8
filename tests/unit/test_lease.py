"""Two electors and one Lease on a virtual clock: never two holders, whatever the API does, and a quick handover."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.model.faults import Rejected, Retry
from penstock.shell.lease import Lease, Lost
from tests.fake import clock
from tests.fake.kube import FakeKube
from tests.fake.store import Store

WHERE = ("penstock", "penstock-operator")


def make_elector(store: Store, identity: str) -> tuple[Lease, FakeKube]:
    kube = FakeKube(store)
    return Lease(kube, WHERE, identity), kube


def spec_of(store: Store) -> dict[str, Any]:
    live = store.get("Lease", *WHERE)
    assert live is not None
    return dict(live["spec"])


def test_the_first_creates_the_lease_and_renews_it_with_one_request_each_time() -> None:
    async def story() -> None:
        store = Store()
        lease, kube = make_elector(store, "one")
        with pytest.raises(Lost):
            lease.fence()
        await lease.acquire()
        lease.fence()
        assert [verb for verb, _, _ in kube.requests] == ["get", "create"]
        await asyncio.sleep(60.5)
        assert lease.held()
        assert [verb for verb, _, _ in kube.requests[2:]] == ["replace"] * 12
        spec = spec_of(store)
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("one", 15, 1)
        await lease.release()

    clock.run(story())


def test_release_hands_over_at_once() -> None:
    async def story() -> None:
        store = Store()
        (one, _), (two, _) = make_elector(store, "one"), make_elector(store, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(40)
        assert not waiting.done()
        await one.release()
        begin = clock.now()
        assert not one.held() and spec_of(store)["holderIdentity"] == ""
        await waiting
        assert clock.now() - begin <= 2 and two.held() and spec_of(store)["leaseTransitions"] == 2
        await two.release()

    clock.run(story())


def test_a_frozen_api_ends_the_lease_before_others_may_take_it() -> None:
    async def story() -> None:
        store = Store()
        one, kube = make_elector(store, "one")
        two, _ = make_elector(store, "two")
        await one.acquire()
        begin = clock.now()
        kube.freeze()  # only for the holder: the other one still reaches the API
        waiting = asyncio.create_task(two.acquire())
        await one.lost()
        lost_after = clock.now() - begin
        assert lost_after == pytest.approx(12) and not one.held() and not two.held()
        await waiting
        assert 15 <= clock.now() - begin <= 20
        await two.release()

    clock.run(story())


def test_a_lost_lease_never_comes_back() -> None:
    async def story() -> None:
        store = Store()
        lease, kube = make_elector(store, "one")
        await lease.acquire()
        kube.freeze()
        await lease.lost()
        kube.thaw()
        await asyncio.sleep(60)
        assert not lease.held()
        with pytest.raises(Lost):
            lease.fence()

    clock.run(story())


def test_short_trouble_is_ridden_out() -> None:
    async def story() -> None:
        store = Store()
        lease, kube = make_elector(store, "one")
        await lease.acquire()
        for fault, landed in ((Retry(1, "down"), False), (Retry(1, "answer lost"), True), (Rejected("X", "y"), False)):
            kube.fail_next("replace", "Lease", fault, landed)
            await asyncio.sleep(11)
            assert lease.held()
        await lease.release()
        assert spec_of(store)["holderIdentity"] == ""

    clock.run(story())


def test_a_process_told_to_stop_while_it_waits_takes_nothing() -> None:
    async def story() -> None:
        store = Store()
        (one, _), (two, _) = make_elector(store, "one"), make_elector(store, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(3)
        await two.release()
        await one.release()
        with pytest.raises(Lost):
            await waiting
        assert spec_of(store)["holderIdentity"] == ""

    clock.run(story())


def test_a_dead_connection_costs_one_try() -> None:
    async def story() -> None:
        lease, kube = make_elector(Store(), "one")
        await lease.acquire()
        kube.hang_next("replace", "Lease")
        await asyncio.sleep(60)
        assert lease.held()
        await lease.release()

    clock.run(story())


def test_a_process_that_slept_over_its_deadline_does_not_go_on() -> None:
    """The whole process stands still in mid-renewal: when it wakes, its timers have not run but the time is over."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, clock.VirtualLoop)
        lease, kube = make_elector(Store(), "one")
        await lease.acquire()

        def sleep_deep(verb: str, kind: str, status: int, seconds: float) -> None:
            loop.jumps.elapsed += 30
            held.append(lease.held())

        held: list[bool] = []
        kube.on_request = sleep_deep
        await lease.lost()
        assert held == [False] and not lease.held()

    clock.run(story())


@pytest.mark.parametrize("landed", [False, True])
def test_taking_the_lease_survives_a_lost_answer(landed: bool) -> None:
    async def story() -> None:
        store = Store()
        lease, kube = make_elector(store, "one")
        kube.fail_next("create", "Lease", Retry(1, "gone"), landed)
        await lease.acquire()
        assert lease.held() and spec_of(store)["holderIdentity"] == "one"
        await lease.release()

    clock.run(story())


def test_timestamps_of_others_are_not_believed() -> None:
    """A holder whose clock is years behind lives as long as its record moves; one years ahead is dead without."""

    async def story() -> None:
        store = Store()
        lease, _ = make_elector(store, "us")
        put_holder(store, "1999-01-01T00:00:00.000000Z")
        waiting = asyncio.create_task(lease.acquire())
        for _ in range(20):
            await asyncio.sleep(10)
            store.edit(("Lease", *WHERE), tick)
        assert not waiting.done()
        store.edit(("Lease", *WHERE), set_time("2099-01-01T00:00:00.000000Z"))
        begin = clock.now()
        await waiting
        assert 15 <= clock.now() - begin <= 20
        await lease.release()

    clock.run(story())


def test_a_longer_declared_duration_is_respected() -> None:
    async def story() -> None:
        store = Store()
        lease, _ = make_elector(store, "us")
        put_holder(store, "2026-01-01T00:00:00.000000Z", duration=60)
        begin = clock.now()
        await lease.acquire()
        assert 60 <= clock.now() - begin <= 65
        await lease.release()

    clock.run(story())


def test_a_thief_is_noticed_at_the_next_renewal() -> None:
    async def story() -> None:
        store = Store()
        lease, _ = make_elector(store, "one")
        await lease.acquire()
        store.edit(("Lease", *WHERE), lambda live: live["spec"].update(holderIdentity="thief"))
        begin = clock.now()
        await lease.lost()
        assert clock.now() - begin <= 8
        await lease.release()
        assert spec_of(store)["holderIdentity"] == "thief", "a release must not throw out somebody else"

    clock.run(story())


def test_a_deleted_lease_is_made_again() -> None:
    async def story() -> None:
        store = Store()
        lease, _ = make_elector(store, "one")
        await lease.acquire()
        store.delete("Lease", *WHERE)
        await asyncio.sleep(60)
        assert lease.held() and spec_of(store)["holderIdentity"] == "one"
        await lease.release()

    clock.run(story())


def test_a_bug_in_the_keeper_ends_the_lease() -> None:
    async def story() -> None:
        store = Store()
        lease, kube = make_elector(store, "one")
        await lease.acquire()
        kube.fail_next("replace", "Lease", KeyError("bug"))
        begin = clock.now()
        await lease.lost()
        assert clock.now() - begin == pytest.approx(5) and not lease.held()

    clock.run(story())


@pytest.mark.parametrize("seed", range(30))
def test_there_are_never_two_holders(seed: int) -> None:
    """Three processes and an API that freezes for each of them at random; every instant has at most one holder."""
    from random import Random

    async def story() -> None:
        random, store = Random(seed), Store()
        electors = [make_elector(store, f"p{number}") for number in range(3)]
        tasks = [asyncio.create_task(lease.acquire()) for lease, _ in electors]
        for _ in range(600):
            await asyncio.sleep(random.random())
            assert sum(lease.held() for lease, _ in electors) <= 1
            _, kube = random.choice(electors)
            random.choice([kube.freeze, kube.thaw, kube.thaw])()
        for task in tasks:
            task.cancel()
        for lease, kube in electors:
            kube.thaw()
            await lease.release()

    clock.run(story())


def put_holder(store: Store, renewed: str, duration: int = 15) -> None:
    spec = {"holderIdentity": "other", "leaseDurationSeconds": duration, "renewTime": renewed, "leaseTransitions": 3}
    meta = {"namespace": WHERE[0], "name": WHERE[1]}
    store.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}, "other")


def tick(live: dict[str, Any]) -> None:
    year = int(live["spec"]["renewTime"][:4])
    live["spec"]["renewTime"] = f"{year - 1}-01-01T00:00:00.000000Z"


def set_time(stamp: str) -> Callable[[dict[str, Any]], None]:
    return lambda live: live["spec"].update(renewTime=stamp)
