"""Live values for autoscalers: asked for one by one, worked out together, never old.

Whoever was asked for in the last minutes is worked out again every few seconds, all in one batch, so that an answer
comes from memory. Nothing is kept that the next asking would not bring back; each replica of the operator has its own.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from pydantic import ValidationError

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.core.load import Wanted, followed, question, total
from penstock.core.load_looks import with_target
from penstock.metrics.batch import Batch
from penstock.model.measure import Question, Silence
from penstock.model.values import Problem, Workload
from penstock.shell.cache import Cache
from penstock.shell.projection import Child, Scale
from penstock.shell.texts import Record

PERIOD = 10.0  # seconds; an autoscaler asks every fifteen
FRESH = timedelta(seconds=25)  # older than that a value is not told
PART = 50  # values that are worked out together
FORGOTTEN = 120.0  # seconds after the last asking


@dataclass(frozen=True)
class Value:
    """What a live metric says, and at which time; or why it says nothing."""

    at: datetime
    number: float | Silence


@dataclass
class Meter:
    """The live values that somebody wants."""

    cache: Cache
    batches: Mapping[str, Batch]
    clock: Callable[[], datetime]
    wanted: dict[Wanted, float] = field(default_factory=dict)
    known: dict[Wanted, Value] = field(default_factory=dict)

    async def read(self, wanted: Wanted) -> Value | Problem | None:
        """The value; a problem that a person must mend; None where no such metric is followed."""
        asked = self._question(wanted)
        if not isinstance(asked, tuple):
            return asked
        self.wanted[wanted] = time.monotonic()
        known = self.known.get(wanted)
        if not known or self.clock() - known.at > FRESH:
            await self._work_out({wanted: asked})
        return self.known[wanted]

    async def keep(self) -> None:
        """Work out all that is wanted again and again, for ever."""
        for turn in count():
            parts = 1 + len(self.wanted) // PART  # else a thousand would hold up whoever asks meanwhile
            await asyncio.sleep(PERIOD / parts)
            late = time.monotonic() - FORGOTTEN
            for wanted in [each for each, at in self.wanted.items() if at < late]:
                del self.wanted[wanted]
                self.known.pop(wanted, None)
            mine = islice(list(self.wanted), turn % parts, None, parts)
            asked = {each: self._question(each) for each in mine}
            await self._work_out({each: found for each, found in asked.items() if isinstance(found, tuple)})

    async def _work_out(self, asked: Mapping[Wanted, tuple[ScalingMetric, Question]]) -> None:
        """One batch for each source, side by side."""
        sources = {found.source for _, found in asked.values()}
        await asyncio.gather(*(self._ask(s, {w: f for w, f in asked.items() if f[1].source == s}) for s in sources))

    async def _ask(self, source: str, asked: Mapping[Wanted, tuple[ScalingMetric, Question]]) -> None:
        if source not in self.batches:
            silence = Silence(f"no metric source {source}; the operator has: {', '.join(sorted(self.batches))}")
            self._note(asked, [silence] * len(asked))
            return
        answers = await self.batches[source].ask([found for _, found in asked.values()], within=0.0)
        numbers = zip(asked.items(), answers, strict=True)
        self._note(asked, [total(metric, answer, self._workload(w)) for (w, (metric, _)), answer in numbers])

    def _note(self, asked: Mapping[Wanted, tuple[ScalingMetric, Question]], numbers: Iterable[float | Silence]) -> None:
        for (wanted, (_, found)), number in zip(asked.items(), numbers, strict=True):
            self.known[wanted] = Value(found.end, number)

    def _question(self, wanted: Wanted) -> tuple[ScalingMetric, Question] | Problem | None:
        live = self.cache.parents.get(wanted.owner)
        child = self._child("ControllerRevision", wanted)
        metric = followed(_scaling(live), wanted.metric) if live else None
        if not live or not metric or not child or not isinstance(child.seen, Record):
            return None
        if not child.is_ours(live["metadata"]["uid"]):
            return None
        made = question(wanted, metric, (child.seen.read(), self.clock()))
        return made if isinstance(made, Problem) else (metric, made)

    def _workload(self, wanted: Wanted) -> Workload:
        child = self._child("Deployment", wanted)
        scale = child.seen if child and isinstance(child.seen, Scale) else Scale(0, 0)
        return Workload(scale.desired, scale.ready)

    def _child(self, kind: str, wanted: Wanted) -> Child | None:
        return self.cache.children.get(wanted.owner, {}).get((kind, wanted.revision))


def _scaling(live: Mapping[str, Any]) -> Scaling:
    """With the target that was learned for an objective. A spec that cannot be read follows nothing."""
    known = ((live.get("status") or {}).get("objective") or {}).get("perReplica")
    try:
        return with_target(Scaling.model_validate(live["spec"].get("scaling") or {}), known)
    except ValidationError:
        return Scaling()
