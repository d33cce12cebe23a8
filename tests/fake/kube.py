"""The in-memory API as the operator's `Api`, with the faults of a network and a process on demand.

One `FakeKube` is one client process: it counts what it sends, may be refused, frozen or killed at a chosen write.
Several may share one `Store`, as an old and a new operator do. It must never do more than the real server:
`tests/contract` compares.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Literal, TypeVar

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.kinds import KINDS
from penstock.shell import kube
from penstock.shell.kube import FIELD_MANAGER, Fence, OnRequest

from .store import Store

Object = dict[str, Any]
T = TypeVar("T")
CODES: dict[type[Exception], int] = {Stale: 409, Retry: 503, Rejected: 422}


class Crash(BaseException):
    """The process died here. Not an Exception, so that no code under test survives its own death."""


class FakeKube:
    """A client of the in-memory cluster."""

    def __init__(self, store: Store | None = None, manager: str = FIELD_MANAGER) -> None:
        self.store = store or Store()
        self.fence: Fence | None = None
        self.on_request: OnRequest | None = None
        self.page = kube.PAGE
        self.requests: list[tuple[str, str, str]] = []  # (verb, kind, name) of everything sent
        self.writes: list[tuple[str, str, str]] = []  # of these, the writes
        self.stale: list[tuple[str, str, str]] = []  # of these, those that changed nothing: another version stood there
        self.lists_to_expire = 0  # so many listings get 410 at their second page
        self._manager = manager
        self._faults: list[tuple[str, str, Exception, bool]] = []
        self._hangs: list[tuple[str, str]] = []
        self._crash: tuple[int, str] | None = None
        self._dead = False
        self._open = asyncio.Event()
        self._open.set()

    def fail_next(self, verb: str, kind: str, fault: Exception, landed: bool = False) -> None:
        """Let the next such request (`*` is any) fail; `landed`: the write happens and only its answer is lost."""
        self._faults.append((verb, kind, fault, landed))

    def hang_next(self, verb: str, kind: str) -> None:
        """Never answer the next such request, as a dead connection does; it does not land either."""
        self._hangs.append((verb, kind))

    def crash_at(self, write: int, when: Literal["before", "after"]) -> None:
        """Die just before or just after the given write (from 1) lands; nothing of this process works afterwards."""
        self._crash = (write, when)

    def freeze(self) -> None:
        """Let no request through until `thaw`."""
        self._open.clear()

    def thaw(self) -> None:
        """Go on."""
        self._open.set()

    def calm(self) -> None:
        """Forget every fault that was ordered."""
        self._faults, self._hangs, self._crash = [], [], None
        self.thaw()

    async def apply(self, manifest: Object, manager: str = "") -> Object:
        """Server-side apply."""
        act = lambda: self.store.apply(manifest, manager or self._manager)  # noqa: E731
        return await self._write("apply", manifest["kind"], manifest["metadata"]["name"], act)

    async def create(self, manifest: Object) -> Object:
        """POST."""
        name = manifest["metadata"]["name"]
        return await self._write("create", manifest["kind"], name, lambda: self.store.create(manifest, self._manager))

    async def replace(self, manifest: Object) -> Object:
        """PUT with a version."""
        name = manifest["metadata"]["name"]
        if not manifest["metadata"].get("resourceVersion"):
            raise ValueError("replace without resourceVersion would overwrite blindly")
        return await self._write("replace", manifest["kind"], name, lambda: self.store.replace(manifest, self._manager))

    async def edit(self, live: Object, edits: list[Object]) -> Object:
        """JSON Patch with a version."""
        if not live["metadata"].get("resourceVersion"):
            raise ValueError("edit without resourceVersion could hit another place")
        act = lambda: self.store.patch(live, edits, self._manager)  # noqa: E731
        return await self._write("edit", live["kind"], live["metadata"]["name"], act)

    async def update_status(self, live: Object, status: Object) -> Object:
        """PUT of the status with a version."""
        if not live["metadata"].get("resourceVersion"):
            raise ValueError("update_status without resourceVersion would not be fenced")
        act = lambda: self.store.update_status(live, status)  # noqa: E731
        return await self._write("update_status", live["kind"], live["metadata"]["name"], act)

    async def patch_series(self, event: Object, series: Object) -> Object:
        """Merge patch of an Event's series."""
        act = lambda: self.store.patch_series(event, series)  # noqa: E731
        return await self._write("patch_series", event["kind"], event["metadata"]["name"], act)

    async def delete(self, kind: str, namespace: str | None, name: str, uid: str) -> bool:
        """DELETE with a uid."""
        if not uid:
            raise ValueError("delete without uid could hit a namesake")
        return await self._write("delete", kind, name, lambda: self.store.delete(kind, namespace, name, uid))

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """GET."""
        return await self._read("get", kind, name, lambda: self.store.get(kind, namespace, name))

    async def served(self, kinds: Collection[str]) -> set[str]:
        """Discovery: one request for each group."""
        for kind in {KINDS[each].api_version: each for each in sorted(kinds)}.values():
            await self._read("discover", kind, "", lambda: None)
        return set(kinds) - self.store.missing_kinds

    async def pages(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[kube.Page]:
        """LIST in chunks of one snapshot; starts again where the server forgot the snapshot."""
        first, found, version = 0, [], ""
        snapshot = lambda: (self.store.list(kind, namespace, selector, fields), self.store.version)  # noqa: E731
        while True:
            if first == 0:
                found, version = await self._read("list", kind, "", snapshot)
            else:
                await self._read("list", kind, "", lambda: None)
                if self.lists_to_expire:
                    self.lists_to_expire, first = self.lists_to_expire - 1, 0
                    continue
            yield kube.Page(found[first : first + self.page], version)
            first += self.page
            if first >= len(found):
                return

    async def close(self) -> None:
        """Nothing to close."""

    async def _write(self, verb: str, kind: str, name: str, act: Callable[[], T]) -> T:
        if self.fence is not None:
            self.fence()
        self._check_alive()
        self.writes.append((verb, kind, name))
        number = len(self.writes)
        self._die_if_told(number, "before")
        try:
            return await self._read(verb, kind, name, lambda: self._land(number, act))
        except Stale:
            self.stale.append((verb, kind, name))
            raise

    def _land(self, number: int, act: Callable[[], T]) -> T:
        result = act()
        self._die_if_told(number, "after")
        return result

    async def _read(self, verb: str, kind: str, name: str, act: Callable[[], T]) -> T:
        self._check_alive()
        self.requests.append((verb, kind, name))
        await asyncio.sleep(0)
        await self._open.wait()
        if (verb, kind) in self._hangs:
            self._hangs.remove((verb, kind))
            await asyncio.Event().wait()
        self._check_alive()
        try:
            return self._answer(verb, kind, act)
        except (Retry, Rejected, Stale) as fault:
            self._count(verb, kind, CODES[type(fault)])
            raise

    def _answer(self, verb: str, kind: str, act: Callable[[], T]) -> T:
        told = [entry for entry in self._faults if entry[0] in (verb, "*") and entry[1] in (kind, "*")]
        for entry in told[:1]:
            self._faults.remove(entry)
            if entry[3]:
                act()
            raise entry[2]
        result = act()
        self._count(verb, kind, 200)
        return result

    def _count(self, verb: str, kind: str, status: int) -> None:
        if self.on_request is not None:
            self.on_request(verb, kind, status, 0.0)

    def _die_if_told(self, number: int, when: str) -> None:
        if self._crash == (number, when):
            self._dead = True
            raise Crash(f"{when} write {number}")

    def _check_alive(self) -> None:
        if self._dead:
            raise Crash("this process is dead")
