"""Kinds that a cluster lacks: a small request looks for them each minute; the first to come starts the watches anew."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection

from penstock.shell.cache import Cache
from penstock.shell.kube import PAGE
from penstock.shell.queue import Queue
from penstock.shell.watch import ALL, AUDIT, LATER, MISSING, Watch
from tests.fake.clock import run
from tests.fake.kube import FakeKube
from tests.fake.store import Store
from tests.sim.machine import model

LACKED = {"Certificate", "SecurityPolicy"}


class Lists(FakeKube):
    """Counts what is listed."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.listed: Counter[str] = Counter()
        self.chunks: Counter[int] = Counter()
        self.sought: Counter[str] = Counter()

    async def pages(self, kind, namespace, selector=""):  # type: ignore[no-untyped-def]
        self.listed[kind] += 1
        self.chunks[self.page] += 1
        async for page in super().pages(kind, namespace, selector):
            yield page

    async def served(self, kinds: Collection[str]) -> set[str]:
        self.sought.update(kinds)
        return await super().served(kinds)


def watching(kinds: tuple[str, ...] = ALL) -> tuple[Watch, Lists, Store]:
    store = Store()
    store.missing_kinds |= LACKED
    store.apply(model("v1"), "user")  # whom nobody makes ready
    kube = Lists(store)
    queue = Queue(asyncio.get_running_loop().time, random.Random(1))
    return Watch(kube, Cache(), queue, None, kinds), kube, store  # type: ignore[arg-type]


def test_between_two_audits_only_what_is_missing_is_asked_for() -> None:
    async def story() -> None:
        watch, kube, _ = watching()
        task = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(AUDIT - 1)
        assert set(kube.listed.values()) == {1}, "what is missing costs no list either"
        assert kube.sought == dict.fromkeys(LACKED, int(AUDIT / MISSING) - 1)
        await asyncio.sleep(MISSING)
        assert kube.listed["Pod"] == 2, "an audit looks at everything, whatever is missing"
        assert kube.chunks == {PAGE: len(ALL), LATER: len(ALL)}, "turns wait only for later ones"
        task.cancel()

    run(story())


def test_one_kind_that_appears_is_enough_though_another_is_still_missing() -> None:
    async def story() -> None:
        watch, _, store = watching()
        task = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(MISSING / 2)
        store.missing_kinds.discard("SecurityPolicy")
        await asyncio.sleep(MISSING)
        assert task.done()

    run(story())


def test_a_kind_of_no_use_is_never_asked_for() -> None:
    async def story() -> None:
        watch, kube, _ = watching(tuple(kind for kind in ALL if kind not in LACKED))
        task = asyncio.ensure_future(watch.keep())
        await asyncio.sleep(AUDIT + 1)
        assert not LACKED & {*kube.listed, *kube.sought} and kube.listed["Pod"] == 2 and not task.done()
        task.cancel()

    run(story())
