"""The door of a model that may sleep: takes its requests in, holds them, and passes them on as soon as a pod answers.

It passes bytes and reads none of them, so HTTP/1.1, HTTP/2, gRPC and WebSockets are all the same to it. Whether anybody
waits is asked by the kubelet, as the container's readiness: it is not ready while somebody does. The operator sees that
in the pod, so the door needs no token and nobody to call. It runs beside every model that may sleep, so it imports
nothing that is large and no other module of Penstock, and talks to one Service of its own namespace.
"""

import asyncio
import json
import signal
import sys
import time
from asyncio import StreamReader, StreamWriter
from functools import partial

BLOCK = 64 * 1024  # bytes that are held of one connection, and that are passed on at once
TRY = 1.0  # seconds until a connection counts as refused: some networks drop what leads to nobody
PAUSE = 0.05  # seconds between two tries
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
Line = tuple[StreamReader, StreamWriter]


class Wish:
    """What the operator asks for: the container's only argument."""

    def __init__(self, text: str) -> None:
        found = json.loads(text)
        self.host: str = found["host"]
        self.ports: list[list[int]] = found["ports"]  # pairs: where it listens, and the Service's port behind it
        self.probe: int = found["probe"]
        self.most: int = found["maxWaiting"]
        self.patience: float = found["waitTimeout"]  # seconds


class Door:
    """Who waits, and whether somebody answers behind it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.waiting = 0
        self.open = False  # whether the last try met somebody
        self.trying = False

    async def enter(self, port: int, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection from its first byte to its last. Who has asked for nothing yet wakes nobody."""
        try:
            first = await reader.read(BLOCK)
            behind = await self._wait(port, (reader, writer), first) if first else None
            if behind:
                behind[1].write(first)
                await _join((reader, writer), behind)
        except OSError:  # one of the two has gone
            pass
        finally:
            writer.close()

    async def _wait(self, port: int, line: Line, first: bytes) -> Line | None:
        """The connection to a pod; None where it was not to be had."""
        if self.waiting >= self.wish.most:
            await _turn_away(line, first)
            return None
        self.waiting += 1
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self.wish.patience):
                return await self._reach(port, line[0])
        except TimeoutError:
            await _turn_away(line, first)
            return None
        finally:
            self.waiting -= 1
            if not self.waiting and time.monotonic() - begin > 1.0:
                print(f"nobody waits any more; the last one waited {time.monotonic() - begin:.1f} s", flush=True)

    async def _reach(self, port: int, reader: StreamReader) -> Line | None:
        """Try until somebody answers, one for all while nobody does; None where who asked has gone."""
        while not reader.at_eof():
            if self.open or not self.trying:
                self.trying = True
                try:
                    async with asyncio.timeout(TRY):
                        found = await asyncio.open_connection(self.wish.host, port)
                    self.open = True
                    return found
                except (OSError, TimeoutError):
                    self.open = False
                finally:
                    self.trying = False
            await asyncio.sleep(PAUSE)
        return None

    async def tell(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the kubelet: 503 while somebody waits."""
        try:
            await reader.readline()
            said = b"503 Waiting" if self.waiting else b"200 OK"
            writer.write(b"HTTP/1.0 %b\r\nContent-Length: 0\r\n\r\n" % said)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def _join(one: Line, other: Line) -> None:
    """Pass bytes both ways until the one behind has ended, or both."""
    asks = asyncio.create_task(_pass(one[0], other[1]))
    try:
        await _pass(other[0], one[1])
    finally:
        asks.cancel()
        other[1].close()


async def _pass(source: StreamReader, sink: StreamWriter) -> None:
    while block := await source.read(BLOCK):
        sink.write(block)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _turn_away(line: Line, first: bytes) -> None:
    """Say that it is too much, where the language is known; else only hang up."""
    if b" HTTP/1." in first.split(b"\r\n", 1)[0]:
        line[1].write(BUSY)
        await line[1].drain()


async def serve(wish: Wish) -> None:
    """Until told to stop; then take nobody in any more, and end with the last connection."""
    door, stop = Door(wish), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    servers = [await asyncio.start_server(partial(door.enter, to), None, at, backlog=1024) for at, to in wish.ports]
    servers.append(await asyncio.start_server(door.tell, None, wish.probe))
    await stop.wait()
    for server in servers:
        server.close()
    if lines := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(lines)


if __name__ == "__main__":
    asyncio.run(serve(Wish(sys.argv[1])))
