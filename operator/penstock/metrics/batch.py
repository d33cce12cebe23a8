"""Questions of many objects to one source become one: what comes due within a short while is asked together.

Waits only where it pays: while few ask, each is answered at once. It must not judge an answer, and one asker that is
cancelled takes nothing from the others.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.metrics import Source
from penstock.model.measure import Answer, Question, Silence

log = logging.getLogger("penstock.metrics")
BUSY = 10  # askers within a second, from which on it pays to wait for more


@dataclass
class Batch:
    """The askers of one source. `busy` of them within a second make the next ones wait; 0: always."""

    name: str
    source: Source
    busy: int = BUSY
    _open: list[tuple[Sequence[Question], asyncio.Future[list[Answer]]]] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _recent: deque[float] = field(default_factory=deque)

    async def ask(self, questions: Sequence[Question], within: float) -> list[Answer]:
        """One answer for each question; the asking itself begins in `within` seconds at the latest."""
        mine: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._open.append((questions, mine))
        self._arm(within if self._is_busy() else 0.0)
        return await mine

    def _is_busy(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._recent.append(now)
        while self._recent[0] < now - 1.0:
            self._recent.popleft()
        return len(self._recent) >= self.busy

    def _arm(self, wait: float) -> None:
        """The earliest wish counts; whoever cannot wait takes all others along."""
        if wait <= 0:
            self._send()
            return
        loop = asyncio.get_running_loop()
        if self._timer and self._timer.when() <= loop.time() + wait:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_later(wait, self._send)

    def _send(self) -> None:
        if self._timer:
            self._timer.cancel()
        asked, self._open, self._timer = self._open, [], None
        task = asyncio.ensure_future(self._answer([each for each in asked if not each[1].done()]))
        self._under_way.add(task)  # or nothing would hold it
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, asked: list[tuple[Sequence[Question], asyncio.Future[list[Answer]]]]) -> None:
        """Ask for all, and give each its part; a bug of a source is Silence for all of them."""
        questions = [question for part, _ in asked for question in part]
        try:
            answers = await self.source.ask(questions)
            if len(answers) != len(questions):
                raise ValueError(f"{len(answers)} answers to {len(questions)} questions")
        except Exception as error:  # no source may stop a turn, which has more to do than to judge
            if not all(mine.done() for _, mine in asked):  # or nobody waits: the process ends
                log.exception("bug in a metric source", extra={"source": self.name})
            answers = [Silence(f"metric source {self.name}: a bug ({type(error).__name__})")] * len(questions)
        except asyncio.CancelledError:
            for _, mine in asked:
                mine.cancel()
            raise
        left = iter(answers)
        for part, mine in asked:
            own = [next(left) for _ in part]
            if not mine.done():  # cancelled meanwhile
                mine.set_result(own)
