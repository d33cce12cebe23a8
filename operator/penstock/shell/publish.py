"""Transitions -> Events and log lines, after the status that they speak of was recorded.

Events are written beside the turns, one after the other and warnings first, so that none of them keeps traffic, or
another object's turn, waiting. Best effort by design: an Event that is held back or cannot be written is counted and
forgotten; status is the truth, and the audit line is never left out.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.schedule import LONG_AGO
from penstock.model.values import Notice, Plan, World
from penstock.shell.course import Course
from penstock.shell.events import (
    WINDOW,
    Book,
    Series,
    Way,
    anew,
    event_ref,
    make_event,
    make_series,
    remember,
    series_of,
    tidied,
    unsaid,
    weigh,
)
from penstock.shell.kube import Api, Object
from penstock.shell.lease import Lost
from penstock.shell.telemetry import Telemetry
from penstock.shell.texts import Key

log = logging.getLogger("penstock.audit")
MOST = 4096  # Events that may wait to be written


@dataclass(frozen=True)
class Saying:
    """An Event that is still to be written: anew, or one more in a series."""

    key: Key
    uid: str
    notice: Notice
    event: Object
    series: Series | None


@dataclass
class Voice:
    """Tells of transitions. `work` has to run, or no Event is ever written."""

    kube: Api
    telemetry: Telemetry
    books: dict[Key, Book] = field(default_factory=dict)
    _unwritten: "asyncio.PriorityQueue[tuple[bool, int, Saying]]" = field(default_factory=asyncio.PriorityQueue)
    _told: int = 0
    _tidied: datetime = LONG_AGO

    def tell(self, world: World, plan: Plan, course: Course) -> None:
        """One audit line for each transition now, and its Event soon where that is no flood."""
        self.telemetry.saw(world, plan)
        key = (world.namespace, world.name)
        if plan.notices and abs(world.now - self._tidied) >= WINDOW:  # else what is silent now would be kept for ever
            self.books, self._tidied = tidied(self.books, world.now), world.now
        for notice in plan.notices:
            book, way = weigh(self.books.get(key), world, notice)
            if way is not Way.DROPPED and self._unwritten.qsize() >= MOST:
                book, way = unsaid(book, notice) if way is Way.NEW else book, Way.DROPPED
            remember(self.books, key, book)
            _audit(world, notice, way, course)
            if way is Way.DROPPED:
                self.telemetry.events.labels(way.value).inc()
                continue
            series = series_of(book, notice) if way is Way.REPEAT else None
            saying = Saying(key, world.uid, notice, make_event(world, notice), series)
            self._told += 1
            self._unwritten.put_nowait((not notice.warning, self._told, saying))

    async def work(self) -> None:
        """Write Events, for ever."""
        while True:
            *_, saying = await self._unwritten.get()
            try:
                self.telemetry.events.labels((await self._written(saying)).value).inc()
            except Lost:  # nothing more may be written: the process ends
                raise
            except Exception:  # a bug must not keep others from being told of
                log.exception("bug while an event was written", extra={"k8s_ref": _ref(saying.key)})
                self.telemetry.bugs.inc()
            finally:
                self._unwritten.task_done()

    async def all_written(self) -> None:
        """Return once no Event waits."""
        await self._unwritten.join()

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self.books.pop(key, None)

    async def _written(self, saying: Saying) -> Way:
        try:
            if saying.series and await self._counted(saying, saying.series):
                return Way.REPEAT
            await self.kube.create(saying.event)
        except (Retry, Rejected, Stale) as fault:
            if not saying.series:
                self._correct(saying, unsaid)
            log.warning("event not written", extra={"k8s_ref": _ref(saying.key), "fault": str(fault)})
            return Way.FAILED
        return Way.NEW

    async def _counted(self, saying: Saying, series: Series) -> bool:
        """Whether it was counted by the Event that is there; it may have expired, or somebody has deleted it."""
        meta = saying.event["metadata"]
        try:
            await self.kube.patch_series(event_ref(meta["namespace"], series.event), make_series(series))
        except Stale:
            self._correct(saying, lambda book, notice: anew(book, notice, meta["name"]))
            return False
        return True

    def _correct(self, saying: Saying, change: Callable[[Book, Notice], Book]) -> None:
        book = self.books.get(saying.key)
        if book and book.uid == saying.uid:
            remember(self.books, saying.key, change(book, saying.notice))


def _audit(world: World, notice: Notice, way: Way, course: Course) -> None:
    by = {"by": notice.by} if notice.by else {}
    log.info(
        notice.message,
        extra={
            "k8s_ref": _ref((world.namespace, world.name)),
            "uid": world.uid,
            "generation": world.generation,
            "reason": notice.reason.value,
            "revision": notice.revision,
            "event": way.value,
            **by,
            **course.spelled(),
        },
    )


def _ref(key: Key) -> dict[str, str]:
    return {"namespace": key[0], "name": key[1]}
