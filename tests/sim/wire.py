"""What lies between the operator and the cluster in bad weather: requests that take their time, watches that are late,
double or broken.

Nothing here is random: who fails and when is decided by a story, and what must hold by the laws.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from penstock.shell.watch import Watch
from tests.fake.kube import Crash, FakeKube
from tests.fake.ownership import copied
from tests.fake.store import Store

T = TypeVar("T")
Object = dict[str, Any]
Write = tuple[str, str, str]  # verb, kind, name
LINK = 0.02  # seconds that a request travels in good weather, and its answer


class Place(Protocol):
    """What a client and its watches need to know of the cluster."""

    store: Store
    watch: Watch
    wire: "Wire"

    def time(self) -> float:
        """Virtual seconds."""

    def landing(self, write: Write, act: Callable[[], T]) -> T:
        """Let a write land and be seen."""


class RoughKube(FakeKube):
    """A client whose requests and answers travel, and whose writes are seen as they land."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.store)
        self.place = place
        self.slow = 0.0

    def calm(self) -> None:
        """Good weather."""
        super().calm()
        self.slow = 0.0

    async def _write(self, verb: str, kind: str, name: str, act: Callable[[], T]) -> T:
        return await super()._write(verb, kind, name, lambda: self.place.landing((verb, kind, name), act))

    async def _read(self, verb: str, kind: str, name: str, act: Callable[[], T]) -> T:
        await asyncio.sleep(LINK + self.slow)
        answer = await super()._read(verb, kind, name, act)
        await asyncio.sleep(LINK + self.slow)
        self._check_alive()
        return answer


class Wire:
    """The watches of one operator process: in order for each object, but late, twice or not at all."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.lag: dict[str, float] = {}
        self.broken: dict[str, float] = {}  # since when nothing of a kind is heard
        self.listed: dict[str, float] = {}  # the same of those that are listed anew, until that is done
        self._lists: set[asyncio.Task[None]] = set()
        self.twice = False
        self.lost: dict[str, float] = {}  # uid of what vanished unheard, and since when nothing was heard of it
        self._sent: dict[str, list[float]] = defaultdict(list)  # when each event that is under way set out
        self._due: dict[str, float] = {}

    def send(self, event: str, live: Object) -> None:
        """One event sets out."""
        kind, now = live["kind"], self.place.time()
        if kind in self.broken:
            if event == "DELETED":
                self.lost[live["metadata"]["uid"]] = self.broken[kind]
            return
        due = max(self._due.get(kind, 0.0), now + self.lag.get(kind, 0.0))
        if due <= now and not self._sent[kind]:
            self._arrive(event, live)
            return
        self._due[kind] = due
        self._sent[kind].append(now)
        asyncio.get_running_loop().call_at(due, self._late, event, live)

    def cut(self, kind: str) -> None:
        """Nothing of this kind is heard from now on."""
        self.broken.setdefault(kind, self.place.time())

    def mend(self, kind: str) -> None:
        """A new watch, from a new list of everything that is there."""
        if kind in self.broken:
            self.listed[kind] = self.broken.pop(kind)
            task = asyncio.ensure_future(self._list(self.place.watch, kind))
            self._lists.add(task)
            task.add_done_callback(self._lists.discard)

    async def _list(self, watch: Watch, kind: str) -> None:
        with suppress(Crash):  # of the process that lists
            await watch.list_to_watch(kind)
            self.listed.pop(kind, None)

    def calm(self) -> None:
        """Good weather."""
        self.lag, self.twice = {}, False
        for kind in list(self.broken):
            self.mend(kind)

    def known_until(self) -> float:
        """The operator has heard of everything that happened before this moment."""
        cached = {child.uid for mine in self.place.watch.cache.children.values() for child in mine.values()}
        ghosts = [at for uid, at in self.lost.items() if uid in cached]
        under_way = [sent[0] for sent in self._sent.values() if sent]
        return min([self.place.time(), *under_way, *ghosts, *self.broken.values(), *self.listed.values()])

    def _late(self, event: str, live: Object) -> None:
        if self is self.place.wire:
            self._sent[live["kind"]].pop(0)
            self._arrive(event, live)

    def _arrive(self, event: str, live: Object) -> None:
        again = copied(live) if self.twice and event != "DELETED" else None
        self.place.watch.see(live["kind"], event, live)
        if again is not None:
            asyncio.get_running_loop().call_later(2.6, self._repeat, again)

    def _repeat(self, live: Object) -> None:
        """Old news of an object that is still there."""
        meta = live["metadata"]
        entry = self.place.store.entries.get((live["kind"], meta.get("namespace", ""), meta["name"]))
        if self is self.place.wire and entry and entry.live["metadata"]["uid"] == meta["uid"]:
            self.place.watch.see(live["kind"], "MODIFIED", live)
