"""A turn that waits for a metric source holds nobody up; workers stay the limit of what computes and writes."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from penstock.metrics import Source
from penstock.model.measure import Answer, Counts, Question, Silence
from penstock.shell.cache import Cache
from penstock.shell.loop import Loop
from penstock.shell.queue import Queue
from penstock.shell.telemetry import Telemetry
from penstock.shell.texts import Key
from tests.fake import clock
from tests.unit.prometheus_source import question
from tests.unit.test_objective import world as with_objective


@dataclass
class Patient:
    """A source that answers when it is let."""

    let: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked += len(questions)
        await self.let.wait()
        return [Counts(0, 1) for _ in questions]


@dataclass
class Asking(Loop):
    """Turns that ask, if their object is a model, and then work for a second."""

    working: int = 0
    most: int = 0
    ended: list[str] = field(default_factory=list)

    async def turn(self, key: Key) -> datetime | None:
        if key[0] == "models":
            await self._answers(key, {0: question()}, 0.0)
            await self.places.take(key, urgent=key[1].startswith("bad"))
        self.working += 1
        self.most = max(self.most, self.working)
        await asyncio.sleep(1.0)
        self.working -= 1
        self.ended.append(key[1])
        return None


def staffed(source: Source | None, places: int) -> tuple[Asking, asyncio.Task[None]]:
    queue = Queue(asyncio.get_running_loop().time, random.Random(1))
    sources: Mapping[str, Source] = {"main": source} if source else {}
    loop = Asking(None, Cache(), queue, sources, Telemetry(), lambda: datetime.now(UTC), None)  # type: ignore[arg-type]
    return loop, asyncio.ensure_future(loop.work(places))


async def end(loop: Asking, working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    loop.queue.close()


def test_a_silent_source_holds_up_nobody_who_does_not_ask_it() -> None:
    async def story() -> tuple[Asking, int]:
        source = Patient()
        loop, working = staffed(source, 2)
        for number in range(10):
            loop.queue.add(("models", f"asks-{number}"))
        await asyncio.sleep(1.0)
        loop.queue.add(("models-too", "does-not"))
        await asyncio.sleep(1.5)
        before = list(loop.ended)
        source.let.set()
        await asyncio.sleep(20.0)
        await end(loop, working)
        assert before == ["does-not"], before
        return loop, source.asked

    loop, asked = clock.run(story())
    assert asked == 10 and len(loop.ended) == 11
    assert loop.most == 2, "all ten are answered at once, and still two work at a time"
    assert loop.queue.busy() == 0


def test_who_takes_traffic_off_does_not_wait_behind_those_that_only_counted() -> None:
    async def story() -> list[str]:
        source = Patient()
        loop, working = staffed(source, 2)
        for name in (*(f"good-{number}" for number in range(8)), "bad-0", "good-8", "bad-1"):
            loop.queue.add(("models", name))
        await asyncio.sleep(1.0)
        source.let.set()
        await asyncio.sleep(20.0)
        await end(loop, working)
        return loop.ended

    ended = clock.run(story())
    assert len(ended) == 11 and {*ended[2:4]} == {"bad-0", "bad-1"}, ended


def test_who_has_no_place_yet_has_not_left_the_queue() -> None:
    """Else an edit would stand behind as many as there are places, who only try again what was refused."""

    async def story() -> list[str]:
        loop, working = staffed(None, 3)
        for number in range(12):
            loop.queue.refuse(("others", f"fails-{number}"))
        await asyncio.sleep(1.5)
        loop.queue.add(("others", "edited"))
        await asyncio.sleep(9.0)
        await end(loop, working)
        return loop.ended

    assert clock.run(story()).index("edited") == 3, "right after those who had a place already"


def test_a_source_that_is_not_there_is_silence() -> None:
    async def story() -> dict[int, Answer]:
        loop, working = staffed(None, 1)
        await asyncio.sleep(0)
        try:
            return await loop._answers(("models", "one"), {3: question()}, 0.0)
        finally:
            await end(loop, working)

    assert clock.run(story()) == {3: Silence("the operator has no metric source main")}


def test_an_objective_is_asked_about_twice_a_minute_whatever_makes_the_turns() -> None:
    async def story() -> list[int]:
        source = Patient()
        source.let.set()
        loop, working = staffed(source, 1)
        loop.batches["default"] = loop.batches["main"]
        await asyncio.sleep(0)
        world, counts = with_objective(), []
        for later in (0, 10, 20, 30, 40, 60):
            seen = await loop.weigh(("ml", "churn"), replace(world, now=world.now + timedelta(seconds=later)))
            counts.append(len(seen.weighed))
        await end(loop, working)
        assert source.asked == 18
        return counts

    assert clock.run(story()) == [6, 0, 0, 6, 0, 6]


def test_what_a_turn_dies_of_all_die_of() -> None:
    """As it is, and not wrapped: main names the cause."""

    class Fatal(BaseException):
        pass

    async def story() -> list[object]:
        loop, working = staffed(None, 1)

        async def dies(_: Key) -> None:
            raise Fatal

        loop.turn = dies  # type: ignore[method-assign]
        loop.queue.add(("models", "one"))
        return await asyncio.gather(working, return_exceptions=True)

    (fault,) = clock.run(story())
    assert isinstance(fault, Fatal)
