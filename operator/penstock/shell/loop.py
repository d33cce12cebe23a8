"""One turn per ModelDeployment at a time: observe -> ask -> decide -> record -> act -> tell.

Only this module puts the verbs in order. It holds no state of a rollout: what must outlive a turn is in status, what
must outlive a failed write is the object's last fault, which a good turn clears.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from penstock.api.fields import seconds
from penstock.core import forecast, load_looks, objective, preflight, share
from penstock.core.decide import is_unseen
from penstock.core.evidence import fair, next_look, questions
from penstock.core.plan import decide
from penstock.metrics import Source
from penstock.metrics.batch import Batch
from penstock.model.copying import replace
from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.measure import Answer, Question, Silence
from penstock.model.platform import Platform
from penstock.model.reasons import Reason
from penstock.model.schedule import LONG_AGO
from penstock.model.values import Plan, Problem, World
from penstock.shell import act, doubt
from penstock.shell.cache import Cache
from penstock.shell.course import Course, begin
from penstock.shell.kube import Api
from penstock.shell.lease import Lost
from penstock.shell.looks import Looks
from penstock.shell.observe import Means, observe
from penstock.shell.places import Places
from penstock.shell.publish import Voice
from penstock.shell.queue import Queue
from penstock.shell.room import Rooms
from penstock.shell.telemetry import Telemetry
from penstock.shell.texts import Key, Object

log = logging.getLogger("penstock.loop")
SOONEST = 0.05
REQUESTS = -1  # among the questions, which are numbered as the metrics are: the one about all requests
LONGEST_WAIT = 1.0  # seconds
REFUSED = 5.0  # seconds at least from a turn whose writes failed to the next look
LATEST = 30.0  # seconds; a wall clock set back and forth leaves no rollout asleep, and a look at memory costs nothing


@dataclass
class Loop:
    """All that turns share."""

    kube: Api
    cache: Cache
    queue: Queue
    sources: Mapping[str, Source]
    telemetry: Telemetry
    clock: Callable[[], datetime]
    look: Callable[[Key], Awaitable[bool]]
    rooms: Rooms | None = None
    verified: bool = True
    platform: Platform = field(default_factory=Platform)
    faults: dict[Key, Problem] = field(default_factory=dict)
    asked: dict[Key, datetime] = field(default_factory=dict)
    recalled: dict[Key, forecast.Memory] = field(default_factory=dict)
    weighed: dict[Key, datetime] = field(default_factory=dict)
    silent: dict[Key, dict[int, Answer]] = field(default_factory=dict)
    looks: Looks = field(default_factory=Looks)
    patience: float = 0.05  # the part of an interval that a question may wait for others to be asked with
    places: Places = field(default_factory=Places)

    def __post_init__(self) -> None:
        """One batch for each source and one voice, shared by all turns."""
        self.voice = Voice(self.kube, self.telemetry)
        self.batches = {
            name: Batch(name, source, timed=partial(self.telemetry.query, name))
            for name, source in self.sources.items()
        }

    async def work(self, places: int) -> None:
        """Take keys and turn them, for ever: so many at a time, beside those that wait for a metric source."""
        self.places.open(places)
        try:
            async with asyncio.TaskGroup() as turns:
                while True:
                    await self.queue.wanted()  # a place must not wait for a key
                    await self.places.reserve()
                    key = self.queue.take()  # whose turn it is now that there is a place
                    self.places.seat(key)
                    turns.create_task(self._one(key))
        except BaseExceptionGroup as fatal:  # what a turn dies of, all die of
            raise fatal.exceptions[0] from None

    async def _one(self, key: Key) -> None:
        try:
            with self.telemetry.turn():
                await self._guarded(key)
        finally:
            self.places.leave(key)
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
            (self.queue.hold if fault.asked else self.queue.retry)(key, fault.after)
        except Rejected as fault:
            log.warning("write refused", extra=_named(key, fault))
            self._note(key, fault)
        except Exception as error:  # a bug must not stop the other objects
            log.exception("bug in a turn", extra=_named(key, error))
            self.telemetry.bugs.inc()
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            self._look_again(key, again, SOONEST)

    def _look_again(self, key: Key, again: datetime | None, soonest: float) -> None:
        if again is not None:
            wait = (again - self.clock()).total_seconds()
            self.queue.add_after(key, min(max(soonest, wait), LATEST))

    def _note(self, key: Key, fault: Rejected) -> None:
        reason = Reason.CONFLICT if fault.reason == Reason.CONFLICT.value else Reason.REFUSED_BY_API
        problem = Problem(reason, str(fault))
        if self.faults.get(key) != problem:
            self.faults[key] = problem
            self.queue.add(key)  # say so at once, then keep trying
        self.queue.refuse(key)

    async def turn(self, key: Key) -> datetime | None:
        """The six verbs. Returns when to look again."""
        thought = await self._think(key)
        if thought and is_unseen(thought[1].status, thought[2].status):  # a watch that says nothing looks the same
            thought = await self._think(key, caught_up=await self.look(key))
        if not thought:
            self._forget(key)
            return None
        live, world, plan, course = thought
        changes = act.changes(self.cache, key, plan)
        course = course.then("decided_at")
        await self.places.take(key, changes.moves_traffic)
        recorded = await self.record(live, plan, bool(changes))
        course = course.then("recorded_at")
        try:
            news = await act.act(self.kube, self.cache, key, changes)
        except (Retry, Rejected, Stale):  # what was recorded is told even where a write was refused
            self._tell(recorded, (world, plan, course))
            self._look_again(key, plan.again, REFUSED)  # its clocks and metrics do not wait for what is refused
            raise
        course = course.then("acted_at")
        self.telemetry.acted(changes.moves_traffic, course)
        self._tell(recorded, (world, plan, course))
        if self.faults.pop(key, None) or news:
            self.queue.add(key)
        return plan.again

    async def _think(self, key: Key, caught_up: bool = False) -> tuple[Object, World, Plan, Course] | None:
        """Observe, ask, decide: what was seen, what follows; None where the ModelDeployment is gone or going."""
        await doubt.settle(self.kube, self.cache, key)
        live = self.cache.parents.get(key)  # what this turn has seen, whatever comes in while it asks
        world = observe(self.cache, key, self.clock(), Means(frozenset(self.sources), self.platform))
        if live is None or world is None:
            return None
        course = begin(world.now)
        fault = self.faults.get(key) or world.fault
        world = replace(world, fault=fault, verified=self.verified, caught_up=caught_up)
        world = await self._look_around(world)
        course = course.then("asked_at")
        world = await self.weigh(key, await self.recall(key, await self.ask(key, world)))
        return live, world, decide(world), course.then("answered_at")

    def _tell(self, recorded: bool, turn: tuple[World, Plan, Course]) -> None:
        if recorded:
            self.voice.tell(*turn)
        self.looks.tell(*turn[:2])

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
        if not next_look(world):  # nobody is judged, or not yet: what was silent about another says nothing
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
        counted = share.question(world)
        answers = await self._answers(key, due | ({REQUESTS: counted} if counted else {}), self._window(world))
        world = replace(world, counted=answers.pop(REQUESTS, None))
        self.silent[key] = {index: a for index, a in answers.items() if isinstance(a, Silence)}
        return replace(world, answers=fair(world, answers), asked=frozenset(due))

    async def weigh(self, key: Key, world: World) -> World:
        """The world with what the objective asks about load, where the last look is long enough ago."""
        due = load_looks.questions(world)
        if not due or abs(world.now - self.weighed.get(key, LONG_AGO)) < objective.EVERY * 0.9:
            return world
        self.weighed[key] = world.now
        answers = await self._answers(key, dict(enumerate(due)), LONGEST_WAIT)
        return replace(world, weighed=tuple(answers[index] for index in range(len(due))))

    async def recall(self, key: Key, world: World) -> World:
        """The world with the loads of the past, which are asked for anew every few minutes."""
        due, known = forecast.questions(world), forecast.recalled(world, self.recalled.get(key, forecast.NOTHING))
        if due and abs(world.now - known.asked) >= forecast.EVERY * 0.9:
            answers = await self._answers(key, dict(enumerate(due)), LONGEST_WAIT)
            known = forecast.remembered(known, world.now, tuple(answers[index] for index in range(len(due))))
            self.recalled[key] = known
        return replace(world, recalled=known.answers if due else ())

    def _pause(self, key: Key, world: World) -> float:
        """Seconds until the sources may be asked again: once a second at most, whatever makes the turns."""
        last = self.asked.get(key)
        past = (world.now - last).total_seconds() if last else 1.0
        return 1.0 - past if 0 <= past < 1.0 else 0.0

    def _window(self, world: World) -> float:
        """Seconds that its questions may wait for those of others: lateness that a look does not notice."""
        assert world.spec and world.spec.analysis
        return min(LONGEST_WAIT, self.patience * seconds(world.spec.analysis.interval))

    async def _answers(self, key: Key, due: Mapping[int, Question], within: float) -> dict[int, Answer]:
        """The answer to each question. Who waits leaves its place to another turn: a slow source stops nobody else.

        It takes one again when it knows what to write: a turn that takes traffic off does not wait behind those that
        have only counted.
        """
        asked: dict[str, dict[int, Question]] = {}
        for index, question in due.items():
            asked.setdefault(question.source, {})[index] = question
        self.places.leave(key)
        found = await asyncio.gather(*(self._ask(name, part, within) for name, part in asked.items()))
        return {index: answer for part in found for index, answer in part.items()}

    async def _ask(self, source: str, asked: Mapping[int, Question], within: float) -> dict[int, Answer]:
        batch = self.batches.get(source)
        if not batch:
            return dict.fromkeys(asked, Silence(f"the operator has no metric source {source}"))
        answers = await batch.ask(list(asked.values()), within)
        self.telemetry.silences.labels(source).inc(sum(isinstance(each, Silence) for each in answers))
        return dict(zip(asked, answers, strict=True))

    async def record(self, live: Object, plan: Plan, writes: bool) -> bool:
        """The one status write, fenced by the resourceVersion that was observed; so is a turn that only repairs."""
        wanted = _lean(plan.status.model_dump(mode="json", by_alias=True, exclude_none=True))
        changed = wanted != live.get("status")
        if not changed and not writes:
            return False
        answer = await self.kube.update_status(live, wanted)
        self.cache.see_parent(answer)
        return changed

    def _forget(self, key: Key) -> None:
        self.faults.pop(key, None)
        self.cache.doubts.pop(key, None)
        self.asked.pop(key, None)
        self.weighed.pop(key, None)
        self.recalled.pop(key, None)
        self.silent.pop(key, None)
        self.voice.forget(key)
        self.looks.forget(key)
        self.queue.forget(key)
        self.telemetry.forget(key)


def _lean(status: Object) -> Object:
    """Without empty lists, which only make `kubectl describe` longer."""
    return {k: _lean(v) if isinstance(v, dict) else v for k, v in status.items() if v != []}


def _named(key: Key, fault: Exception) -> dict[str, object]:
    return {"k8s_ref": {"namespace": key[0], "name": key[1]}, "fault": str(fault)}
