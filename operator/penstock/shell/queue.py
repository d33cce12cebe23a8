"""The keyed work queue between the watches and the turns, because kopf hands over every single change.

Promises: one turn per key at a time; any number of changes before a turn make one turn, any number during it make one
more; a key waits at most once for a later time, the earliest; however many keys try again what was refused, every other
turn is for one that does not. It must not know what a turn does, and never drops a key that was taken without `done`.
All methods but `wanted` return at once and must be called from the event loop's
thread.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from random import Random

Key = tuple[str, str]

FIRST_DELAY = 0.5
LONGEST_DELAY = 300.0
JITTER = 0.5  # a retry waits up to this much longer, so that keys that failed together do not come back together


class Queue:
    """Keys waiting for a turn."""

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        self._now, self._random = now, random
        self._dirty: dict[Key, float] = {}  # wants a turn, since when; in order of arrival
        self._busy: set[Key] = set()  # has a turn now
        self._ready: deque[Key] = deque()  # dirty and not busy
        self._again: deque[Key] = deque()  # the same, of those that come for nothing but to try again what was refused
        self._refused: set[Key] = set()
        self._turn = self._again  # the lane that the last key came from
        self._some = asyncio.Event()  # whether either lane has a key
        self._later: list[tuple[float, int, Key]] = []  # heap; an entry counts only if it is the key's time in _due
        self._due: dict[Key, float] = {}
        self._pushes = 0
        self._failures: dict[Key, int] = {}
        self._held: dict[Key, float] = {}  # until when a server has asked to be left alone
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: Key) -> None:
        """Ask for a turn now, or as soon as a server that asked for patience allows one."""
        self._add(key, self._ready)

    def _add(self, key: Key, lane: deque[Key]) -> None:
        held = self._held.get(key, 0.0) - self._now()
        if held > 0:
            self.add_after(key, held)
            return
        self._held.pop(key, None)
        if key not in self._dirty:
            self._dirty[key] = self._now()
            if key not in self._busy:
                self._line_up(key, lane)

    def add_after(self, key: Key, seconds: float) -> None:
        """Ask for a turn later; of several such wishes for a key the earliest counts."""
        at = self._now() + seconds
        if seconds <= 0:
            self.add(key)
        elif at < self._due.get(key, float("inf")):
            self._due[key] = at
            self._pushes += 1
            heapq.heappush(self._later, (at, self._pushes, key))
            self._arm()

    def refuse(self, key: Key) -> None:
        """Ask for a turn after the key's backoff, to try again what was refused."""
        self._refused.add(key)
        self.retry(key)

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Ask for a turn after the key's backoff, which grows with each call until `forget`; the seconds chosen."""
        failures = self._failures.get(key, 0)
        self._failures[key] = min(failures + 1, 30)
        ceiling = LONGEST_DELAY / (1 + JITTER)
        delay = max(self._spread(min(FIRST_DELAY * 2.0**failures, ceiling)), at_least)
        self.add_after(key, delay)
        return delay

    def hold(self, key: Key, asked: float) -> float:
        """Ask for a turn after the seconds that a server has asked for, or a little later; the seconds chosen.

        Nobody who asks for a turn of the key gets one before, not even who did so while this one failed. It is no
        failure: however often the server asks, the backoff stays as it is.
        """
        self._held[key] = self._now() + asked
        if key in self._busy:
            self._dirty.pop(key, None)
        delay = max(self._spread(FIRST_DELAY), asked)
        self.add_after(key, delay)
        return delay

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + JITTER * self._random.random())

    def forget(self, key: Key) -> None:
        """The key's last turn went well: its next retry starts from the shortest delay."""
        self._failures.pop(key, None)
        self._held.pop(key, None)
        self._refused.discard(key)

    async def wanted(self) -> None:
        """Return once a key waits for its turn, so that `take` finds one."""
        while not (self._ready or self._again):
            await self._some.wait()

    def take(self) -> Key:
        """The key whose turn it is; the caller owes a `done`. `IndexError` where none waits."""
        key = self._pick()
        del self._dirty[key]
        self._busy.add(key)
        if not (self._ready or self._again):
            self._some.clear()
        return key

    def done(self, key: Key) -> None:
        """The turn is over; the key gets another one if it changed meanwhile."""
        self._busy.remove(key)
        if key in self._dirty:
            self._line_up(key, self._ready)

    def ripen(self) -> None:
        """Move keys whose time has come into the queue; the timer calls this, a simulated clock may."""
        while self._later and self._later[0][0] <= self._now():
            at, _, key = heapq.heappop(self._later)
            if self._due.get(key) == at:
                del self._due[key]
                self._add(key, self._again if key in self._refused else self._ready)
        self._arm()

    def next_due(self) -> float | None:
        """When the next delayed key is due, on the queue's clock."""
        return min(self._due.values(), default=None)

    def depth(self) -> int:
        """How many keys want a turn now."""
        return len(self._dirty)

    def busy(self) -> int:
        """How many turns are under way."""
        return len(self._busy)

    def oldest(self) -> float:
        """For how many seconds the longest-waiting key has wanted its turn."""
        return self._now() - next(iter(self._dirty.values()), self._now())

    def close(self) -> None:
        """Stop the timer; waiting keys stay where they are."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _line_up(self, key: Key, lane: deque[Key]) -> None:
        lane.append(key)
        self._some.set()

    def _pick(self) -> Key:
        """The lanes take turns, as long as both have somebody."""
        self._turn = self._again if self._again and (self._turn is self._ready or not self._ready) else self._ready
        return self._turn.popleft()

    def _arm(self) -> None:
        """Set the one timer to the next delayed key."""
        self.close()
        if self._later:
            wait = max(0.0, self._later[0][0] - self._now())
            self._timer = asyncio.get_running_loop().call_later(wait, self.ripen)
