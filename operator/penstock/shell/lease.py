"""Who of several operator processes may write: a lock on a Lease object, held for a short time and renewed.

It must never believe in its lock longer than the others do. So: deadlines run on the monotonic clock from before the
request was sent, the lock counts as lost `margin` seconds before others may take it, a lost lock never comes back
(the process must exit), and a foreign lock is expired only when we ourselves saw it unchanged for its whole duration:
timestamps inside the object are for people, since clocks of machines differ. Give it a `Kube` of its own, so that
renewals never wait behind writes.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, TypeVar

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.kinds import KINDS
from penstock.shell.kube import Api, Object

log = logging.getLogger(__name__)
T = TypeVar("T")


class Lost(Exception):
    """The process may not write any more; it must exit."""


@dataclass(frozen=True)
class Terms:
    """Seconds: how long others respect the lock, between renewals, between tries, per request, our safety margin."""

    duration: float = 15.0
    renew: float = 5.0
    retry: float = 2.0
    call: float = 3.0
    margin: float = 3.0


class Lease:
    """The lock `namespace/name`, wanted by `identity`, which no other process may have at the same time."""

    def __init__(self, kube: Api, where: tuple[str, str], identity: str, terms: Terms | None = None) -> None:
        self._kube, self._where, self._identity = kube, where, identity
        self._terms = terms or Terms()
        self._live: Object | None = None  # the Lease as we know it; None: must be read first
        self._seen: Object | None = None  # its last different spec, and when we saw that first
        self._seen_at = 0.0
        self._until: float | None = None  # ours before this instant of the loop's clock; None: never ours
        self._gone = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    async def acquire(self) -> None:
        """Return once the lock is ours; from then on it is renewed in the background."""
        while not await self._attempt():  # noqa: ASYNC110 - a lock that another machine lets go sends no event
            await asyncio.sleep(self._terms.retry)
        log.info("lease acquired", extra={"holder": self._identity})
        self._keeper = asyncio.create_task(self._keep(), name="lease-keeper")

    def held(self) -> bool:
        """Whether we may write at this instant."""
        return not self._gone.is_set() and self._until is not None and _now() < self._until

    def fence(self) -> None:
        """Raise `Lost` unless we may write at this instant."""
        if not self.held():
            raise Lost(f"lease {'/'.join(self._where)} is not held")

    async def lost(self) -> None:
        """Return once the lock is lost or released."""
        await self._gone.wait()

    async def release(self) -> None:
        """Stop writing, then let others have the lock at once."""
        self._lose()
        if self._keeper is not None:
            await asyncio.wait([self._keeper])
        await self._survive(self._give_back())

    async def _keep(self) -> None:
        pause = self._terms.renew
        try:
            while True:
                await asyncio.sleep(pause)
                pause = self._terms.renew if await self._attempt() else self._terms.retry
        except Exception:
            log.exception("the lease can no longer be renewed")
        finally:
            self._lose()

    async def _attempt(self) -> bool:
        """One try to take or renew the lock; what went wrong half-way is found out by reading at the next try."""
        if await self._survive(self._take()):
            return True
        self._live = None
        return False

    async def _survive(self, step: Coroutine[Any, Any, bool]) -> bool:
        try:
            return await step
        except (Retry, Rejected, Stale, TimeoutError) as fault:
            log.warning("lease request failed", extra={"fault": type(fault).__name__, "cause": str(fault)})
            return False

    async def _take(self) -> bool:
        if self._live is None:
            self._observe(await self._call(self._kube.get("Lease", *self._where)))
        if self._is_foreign():
            if self._until is not None:
                self._lose()  # somebody else has it now, whatever our clock says
            return False
        if self._gone.is_set():
            raise Lost("released while being acquired")
        begin = _now()
        self._observe(await self._call(self._write(self._identity)))
        self._extend(begin)
        return True

    async def _give_back(self) -> bool:
        self._observe(await self._call(self._kube.get("Lease", *self._where)))
        if self._live is not None and self._live["spec"].get("holderIdentity") == self._identity:
            await self._call(self._write(""))
        return True

    def _observe(self, live: Object | None) -> None:
        self._live = live
        spec = live.get("spec") if live else None
        if spec != self._seen:
            self._seen, self._seen_at = spec, _now()

    def _is_foreign(self) -> bool:
        """Whether another process holds the lock and was seen alive within the duration it declared."""
        spec = self._live.get("spec", {}) if self._live else {}
        if spec.get("holderIdentity", "") in ("", self._identity):
            return False
        declared = float(spec.get("leaseDurationSeconds", 0))
        return _now() < self._seen_at + max(declared, self._terms.duration)

    def _extend(self, begin: float) -> None:
        self._until = begin + self._terms.duration - self._terms.margin
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_at(self._until, self._lose)

    def _lose(self) -> None:
        """For good: whatever a late answer says, nothing is renewed or held after this."""
        self._gone.set()
        for timer in (self._deadline, self._keeper):
            if timer is not None:
                timer.cancel()

    async def _call(self, request: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self._terms.call):
            return await request

    async def _write(self, holder: str) -> Object:
        namespace, name = self._where
        before = self._live or {"metadata": {"namespace": namespace, "name": name}}
        spec = _next_spec(before.get("spec") or {}, holder, ceil(self._terms.duration))
        lease = {**before, "apiVersion": KINDS["Lease"].api_version, "kind": "Lease", "spec": spec}
        return await (self._kube.replace(lease) if self._live else self._kube.create(lease))


def _next_spec(before: Object, holder: str, duration: int) -> Object:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    same = before.get("holderIdentity") == holder
    return before | {
        "holderIdentity": holder,
        "leaseDurationSeconds": duration if holder else 1,
        "renewTime": now,
        "acquireTime": before.get("acquireTime", now) if same else now,
        "leaseTransitions": before.get("leaseTransitions", 0) + (0 if same or not holder else 1),
    }


def _now() -> float:
    return asyncio.get_running_loop().time()
