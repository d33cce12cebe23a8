"""The door, over real connections on loopback: who is held, who is turned away, what the kubelet is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps

from penstock.door import Door, Wish


def at_once(story: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that is a coroutine."""

    @wraps(story)
    def told() -> None:
        asyncio.run(asyncio.wait_for(story(), 20))

    return told


ASKED = b"GET / HTTP/1.1\r\nHost: churn\r\n\r\n"


def free() -> int:
    """A port that nobody listens at."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@dataclass
class Scene:
    """A door, and a model behind it that may come or go."""

    door: Door
    at: int
    behind: int
    probe: int

    async def model(self) -> asyncio.Server:
        """The model wakes: it says every byte back, in capitals."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while said := await reader.read(1000):
                writer.write(said.upper())
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", self.behind)

    async def ask(self, words: bytes = ASKED) -> bytes:
        """What a client gets."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.at)
        writer.write(words)
        writer.write_eof() if words == b"" else None
        try:
            return await reader.read(1000)
        finally:
            writer.close()

    async def ready(self) -> bool:
        """What the kubelet is told."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.probe)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        said = await reader.read(1000)
        writer.close()
        return said.startswith(b"HTTP/1.0 200")

    async def until_waiting(self, count: int) -> None:
        while self.door.waiting != count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)


@asynccontextmanager
async def scene(most: int = 10, patience: float = 20.0) -> AsyncIterator[Scene]:
    at, behind, probe = free(), free(), free()
    wish = {"host": "127.0.0.1", "ports": [[at, behind]], "probe": probe, "maxWaiting": most, "waitTimeout": patience}
    door = Door(Wish(json.dumps(wish)))
    servers = [
        await asyncio.start_server(partial(door.enter, behind), "127.0.0.1", at),
        await asyncio.start_server(door.tell, "127.0.0.1", probe),
    ]
    try:
        yield Scene(door, at, behind, probe)
    finally:
        for server in servers:
            server.close()


@at_once
async def test_who_asks_is_held_until_the_model_answers() -> None:
    async with scene() as here:
        assert await here.ready()
        asked = [asyncio.create_task(here.ask()) for _ in range(5)]
        await here.until_waiting(5)
        assert not await here.ready()
        model = await here.model()
        assert await asyncio.gather(*asked) == [ASKED.upper()] * 5
        assert await here.ready()
        model.close()


@at_once
async def test_both_sides_may_go_on_talking() -> None:
    async with scene() as here:
        model = await here.model()
        reader, writer = await asyncio.open_connection("127.0.0.1", here.at)
        for words in (b"one", b"two", b"three"):
            writer.write(words)
            assert await reader.readexactly(len(words)) == words.upper()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        model.close()


@at_once
async def test_who_has_asked_for_nothing_wakes_nobody() -> None:
    async with scene() as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.at)
        await asyncio.sleep(0.1)
        assert here.door.waiting == 0 and await here.ready()
        writer.close()


@at_once
async def test_who_leaves_waits_no_longer() -> None:
    async with scene() as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.at)
        writer.write(ASKED)
        await here.until_waiting(1)
        writer.close()
        await here.until_waiting(0)


@at_once
async def test_too_many_are_told_to_come_again() -> None:
    async with scene(most=1) as here:
        held = asyncio.create_task(here.ask())
        await here.until_waiting(1)
        assert (await here.ask()).startswith(b"HTTP/1.1 503") and here.door.waiting == 1
        assert await here.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == b"", "a language that it does not speak"
        model = await here.model()
        assert await held == ASKED.upper()
        model.close()


@at_once
async def test_nobody_is_held_for_longer_than_was_said() -> None:
    async with scene(patience=0.2) as here:
        said = await here.ask()
        assert said.startswith(b"HTTP/1.1 503") and b"Retry-After" in said
        assert here.door.waiting == 0
