"""Transitions -> Events and log lines, after the status that they speak of was recorded.

Best effort by design: an Event that is held back or cannot be written is counted and forgotten; status is the truth,
and the audit line is never left out.
"""

import logging

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.values import Notice, Plan, World
from penstock.shell.course import Course
from penstock.shell.events import (
    Book,
    Way,
    anew,
    event_ref,
    make_event,
    make_series,
    remember,
    series_of,
    unsaid,
    weigh,
)
from penstock.shell.kube import Api
from penstock.shell.telemetry import Telemetry
from penstock.shell.texts import Key

log = logging.getLogger("penstock.audit")


async def tell(kube: Api, turn: tuple[World, Plan, Course], telemetry: Telemetry, books: dict[Key, Book]) -> None:
    """One audit line for each transition, and its Event where that is no flood."""
    world, plan, course = turn
    telemetry.saw(world, plan)
    key = (world.namespace, world.name)
    for notice in plan.notices:
        book, way = weigh(books.get(key), world, notice)
        _audit(world, notice, way, course)
        try:
            remember(books, key, await _write(kube, (world, notice), (book, way)))
        except (Retry, Rejected, Stale) as fault:
            remember(books, key, unsaid(book, notice) if way is Way.NEW else book)
            log.warning("event not written", extra={"k8s_ref": _ref(world), "fault": str(fault)})
            way = Way.FAILED
        telemetry.events.labels(way.value).inc()


async def _write(kube: Api, said: tuple[World, Notice], weighed: tuple[Book, Way]) -> Book:
    """Write what was decided; the book after it."""
    (world, notice), (book, way) = said, weighed
    if way is Way.REPEAT:
        series = series_of(book, notice)
        try:
            await kube.patch_series(event_ref(world, series.event), make_series(series))
            return book
        except Stale:  # the Event is gone: it expired, or somebody has deleted it
            book, way = anew(book, world, notice), Way.NEW
    if way is Way.NEW:
        await kube.create(make_event(world, notice))
    return book


def _audit(world: World, notice: Notice, way: Way, course: Course) -> None:
    by = {"by": notice.by} if notice.by else {}
    log.info(
        notice.message,
        extra={
            "k8s_ref": _ref(world),
            "uid": world.uid,
            "generation": world.generation,
            "reason": notice.reason.value,
            "revision": notice.revision,
            "event": way.value,
            **by,
            **course.spelled(),
        },
    )


def _ref(world: World) -> dict[str, str]:
    return {"namespace": world.namespace, "name": world.name}
