"""An event loop whose clock jumps to the next timer instead of waiting, so that tests of minutes take milliseconds.

Everything that asks the loop for the time (sleep, timeout, call_later) follows. It must not be used with real sockets
or threads: where nothing is left to wait for it fails at once instead of hanging.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Every task waits and no timer is set: on a real clock this test would hang for ever."""


class _JumpingSelector(selectors.SelectSelector):
    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Deadlock
            self.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its time starts at 1000 s, so that a forgotten zero shows."""

    def __init__(self) -> None:
        self.jumps = _JumpingSelector()
        super().__init__(self.jumps)

    def time(self) -> float:
        """The virtual monotonic clock."""
        return 1000.0 + self.jumps.elapsed


def run(story: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)


def now() -> float:
    """The running loop's clock."""
    return asyncio.get_running_loop().time()
