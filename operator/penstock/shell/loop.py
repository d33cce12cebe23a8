"""One turn per ModelDeployment at a time: observe -> ask -> decide -> record -> act -> tell.

Only this module puts the verbs in order. It holds no state of a rollout: what must outlive a turn is in status, what
must outlive a failed write is the object's last fault, which a good turn clears.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from penstock.core import preflight
from penstock.core.evidence import questions
from penstock.core.plan import decide
from penstock.metrics import Source
from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.measure import Answer, Question, Silence
from penstock.model.reasons import Reason
from penstock.model.values import Plan, Problem, World
from penstock.shell import act
from penstock.shell.cache import Cache, Key, Object
from penstock.shell.course import Course, begin
from penstock.shell.events import Book
from penstock.shell.kube import Api
from penstock.shell.lease import Lost
from penstock.shell.observe import observe
from penstock.shell.publish import tell
from penstock.shell.queue import Queue
from penstock.shell.room import Rooms
from penstock.shell.telemetry import Telemetry

log = logging.getLogger("penstock.loop")
SOONEST = 0.05
LATEST = (
    30.0  # a wall clock that was set back and forth must not leave a rollout asleep; a look at memory costs nothing
)


@dataclass
class Loop:
    """All that turns share."""

    kube: Api
    cache: Cache
    queue: Queue
    sources: Mapping[str, Source]
    telemetry: Telemetry
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    rooms: Rooms | None = None
    verified: bool = True
    faults: dict[Key, Problem] = field(default_factory=dict)
    asked: dict[Key, datetime] = field(default_factory=dict)
    silent: dict[Key, dict[int, Answer]] = field(default_factory=dict)
    books: dict[Key, Book] = field(default_factory=dict)

    async def work(self) -> None:
        """Take keys and turn them, for ever."""
        while True:
            key = await self.queue.get()
            try:
                with self.telemetry.turn():
                    await self._guarded(key)
            finally:
                self.queue.done(key)

    async def _guarded(self, key: Key) -> None:
        """A turn whose faults end in the queue or in a condition, never in the process."""
        try:
            again = await self.turn(key)
        except Lost:  # nothing more may be written: the process ends
            raise
        except Stale as fault:
            log.debug("stale turn", extra=_named(key, fault))
            self.queue.retry(key)
        except Retry as fault:
            log.warning("turn will be tried again", extra=_named(key, fault))
            self.queue.retry(key, fault.after)
        except Rejected as fault:
            log.warning("write refused", extra=_named(key, fault))
            self._note(key, fault)
        except Exception as error:  # a bug must not stop the other objects
            log.exception("bug in a turn", extra=_named(key, error))
            self.telemetry.bugs.inc()
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            if again is not None:
                wait = (again - self.clock()).total_seconds()
                self.queue.add_after(key, min(max(SOONEST, wait), LATEST))

    def _note(self, key: Key, fault: Rejected) -> None:
        reason = Reason.CONFLICT if fault.reason == Reason.CONFLICT.value else Reason.REFUSED_BY_API
        problem = Problem(reason, str(fault))
        if self.faults.get(key) != problem:
            self.faults[key] = problem
            self.queue.add(key)  # say so at once, then keep trying
        self.queue.retry(key)

    async def turn(self, key: Key) -> datetime | None:
        """The six verbs. Returns when to look again."""
        live = self.cache.parents.get(key)  # what this turn has seen, whatever comes in while it asks
        world = observe(self.cache, key, self.clock(), frozenset(self.sources))
        if live is None or world is None:
            self._forget(key)
            return None
        course = begin(world.now)
        fault = self.faults.get(key) or world.fault
        world = await self._look_around(replace(world, fault=fault, verified=self.verified))
        course = course.then("asked_at")
        world = await self.ask(key, world)
        course = course.then("answered_at")
        plan = decide(world)
        changes = act.changes(self.cache, key, plan)
        course = course.then("decided_at")
        recorded = await self.record(live, plan, bool(changes))
        course = course.then("recorded_at")
        try:
            await act.act(self.kube, self.cache, key, changes)
        except (Retry, Rejected, Stale):  # what was recorded is told even where a write was refused
            await self._tell(recorded, (world, plan, course))
            raise
        course = course.then("acted_at")
        self.telemetry.acted(changes.moves_traffic, course)
        await self._tell(recorded, (world, plan, course))  # last: no Event may keep traffic waiting
        if self.faults.pop(key, None):
            self.queue.add(key)
        return plan.again

    async def _tell(self, recorded: bool, turn: tuple[World, Plan, Course]) -> None:
        if recorded:
            await tell(self.kube, turn, self.telemetry, self.books)

    async def _look_around(self, world: World) -> World:
        """The world with the room that the cluster has, where a rollout is about to begin; unknown is no obstacle."""
        if not self.rooms or not preflight.is_due(world):
            return world
        try:
            return replace(world, room=await self.rooms.see(world.namespace, world.now))
        except Retry as fault:
            log.warning("room not seen", extra=_named((world.namespace, world.name), fault))
            return world

    async def ask(self, key: Key, world: World) -> World:
        """The world with the answers that are due; between two looks a silent source is still known to be silent."""
        if not world.status.candidate:
            self.silent.pop(key, None)
            return world
        due = questions(world)
        known = self.silent.get(key, {})
        pause = self._pause(key, world)
        if not due or pause:
            if due:  # it must not wait for the next interval
                self.queue.add_after(key, pause)
            return replace(world, answers=known)
        self.asked[key] = world.now
        answers = known | dict(zip(due, await asyncio.gather(*map(self._answer, due.values())), strict=True))
        self.silent[key] = {index: a for index, a in answers.items() if isinstance(a, Silence)}
        return replace(world, answers=answers)

    def _pause(self, key: Key, world: World) -> float:
        """Seconds until the sources may be asked again: once a second at most, whatever makes the turns."""
        last = self.asked.get(key)
        past = (world.now - last).total_seconds() if last else 1.0
        return 1.0 - past if 0 <= past < 1.0 else 0.0

    async def _answer(self, question: Question) -> Answer:
        source = self.sources.get(question.source)
        if not source:
            return Silence(f"the operator has no metric source {question.source}")
        with self.telemetry.query(question.source):
            answer = await source.ask(question)
        if isinstance(answer, Silence):
            self.telemetry.silences.labels(question.source).inc()
        return answer

    async def record(self, live: Object, plan: Plan, writes: bool) -> bool:
        """The one status write, fenced by the resourceVersion that was observed; so is a turn that only repairs."""
        wanted = _lean(plan.status.model_dump(mode="json", by_alias=True, exclude_none=True))
        changed = wanted != live.get("status")
        if not changed and not writes:
            return False
        answer = await self.kube.patch_status(live, wanted, live["metadata"]["resourceVersion"])
        self.cache.see_parent(answer)
        return changed

    def _forget(self, key: Key) -> None:
        self.faults.pop(key, None)
        self.asked.pop(key, None)
        self.silent.pop(key, None)
        self.books.pop(key, None)
        self.queue.forget(key)
        self.telemetry.forget(key)


def _lean(status: Object) -> Object:
    """Without empty lists, which only make `kubectl describe` longer."""
    return {k: _lean(v) if isinstance(v, dict) else v for k, v in status.items() if v != []}


def _named(key: Key, fault: Exception) -> dict[str, object]:
    return {"k8s_ref": {"namespace": key[0], "name": key[1]}, "fault": str(fault)}
