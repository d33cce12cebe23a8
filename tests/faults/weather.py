"""What becomes of the watches of one resource between operator and API server: a proxy's streams, line by line."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web

Object = dict[str, Any]
REASONS = {409: "Conflict", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


@dataclass
class Weather:
    """What becomes of the watches of one resource."""

    edit: Callable[[bytes], list[tuple[float, bytes]]] = lambda line: [(0.0, line)]  # seconds later, what
    still: Callable[[bytes], bool] = lambda line: True  # whether it is told when its time has come
    deaf: float = 0.0  # streams that began before this bring nothing any more
    streams: list[tuple[web.StreamResponse, ClientResponse]] = field(default_factory=list)
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flows.set()

    def freeze(self) -> None:
        """Streams stay open, new ones open too, and nothing comes."""
        self.flows.clear()

    def thaw(self) -> None:
        """What has gathered comes now."""
        self.flows.set()

    def deafen(self) -> None:
        """The streams that are open now stay open and bring nothing; new ones are as ever."""
        self.deaf = time.monotonic()

    async def expire(self) -> None:
        """What is open ends as it does where the server has forgotten the version that was watched from."""
        said = status(410, "too old resource version") | {"reason": "Expired"}
        for out, upstream in self.streams:
            await out.write(json.dumps({"type": "ERROR", "object": said}).encode() + b"\n")
            upstream.close()

    async def pass_on(self, reply: ClientResponse, out: web.StreamResponse, began: float) -> None:
        """Event by event, as they are let through; of a stream that began then."""

        async def later(seconds: float, line: bytes) -> None:
            await asyncio.sleep(seconds)  # the fault itself
            if self.still(line):
                await out.write(line)

        async with asyncio.TaskGroup() as delayed:
            async for line in reply.content:
                await self.flows.wait()
                if began < self.deaf:
                    await asyncio.Event().wait()  # until the other side gives up
                for seconds, each in self.edit(line):
                    if seconds:
                        delayed.create_task(later(seconds, each))
                    else:
                        await out.write(each)


def status(code: int, message: str) -> Object:
    """A failure, as the API server words it."""
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**head, "message": message, "reason": REASONS.get(code, ""), "code": code}
