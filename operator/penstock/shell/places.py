"""How many turns compute and write at a time, and who is next to. It must not know what a turn does.

A place is somebody's from `take` until `leave`; whoever moves traffic is let in before all others, since what it
moves is on its way to users.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator

from penstock.shell.texts import Key

Lane = deque[asyncio.Future[None]]


class Places:
    """As many as were opened. All methods must be called from the event loop's thread."""

    def __init__(self) -> None:
        self._free = 0
        self._inside: set[Key] = set()
        self._urgent: Lane = deque()
        self._others: Lane = deque()

    def open(self, count: int) -> None:
        """So many more."""
        for _ in range(count):
            self._give_back()

    async def reserve(self, urgent: bool = False) -> None:
        """Wait for a place; the caller owes a `seat`."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was let in at the very moment
                self._give_back()
            raise

    def seat(self, key: Key) -> None:
        """The place that was reserved is this key's."""
        self._inside.add(key)

    async def take(self, key: Key, urgent: bool) -> None:
        """A place for this key, if it has none."""
        if key not in self._inside:
            await self.reserve(urgent)
            self.seat(key)

    def leave(self, key: Key) -> None:
        """The key's place is free again, if it had one."""
        if key in self._inside:
            self._inside.remove(key)
            self._give_back()

    def _give_back(self) -> None:
        turn = next(_waiting((self._urgent, self._others)), None)
        if turn:
            turn.set_result(None)
        else:
            self._free += 1


def _waiting(lanes: Iterable[Lane]) -> Iterator[asyncio.Future[None]]:
    """Who still waits, first come first; taken out of the lane."""
    for lane in lanes:
        while lane:
            turn = lane.popleft()
            if not turn.done():
                yield turn
