"""The operator's own loop, batch and adapter over many canaries whose only work is to be looked at.

A turn asks, adds up what it is told and says when it is due again; what it would decide and write is left out.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.batching.exporter import place
from penstock.api.condition import SeenShare
from penstock.api.spec import Spec
from penstock.api.status import Serving, Status, Trying
from penstock.core import evidence, share, strategy
from penstock.metrics import Source
from penstock.metrics.http import Http, Request
from penstock.metrics.reading import HEAD_START
from penstock.model.measure import Answer, Question
from penstock.model.schedule import read, spell
from penstock.model.values import RouteSeen, Snapshot, World
from penstock.shell.loop import Loop
from penstock.shell.texts import Key

QUIET = "quiet"  # namespace of objects that only tick: what a slow source does to those who ask nothing
TICK = 1.0
PROFILE = {
    "requests": {"name": "requests_total"},
    "errors": {"name": "requests_total", "where": 'code=~"5.."'},
    "latency": {"histogram": {"name": "seconds"}, "bounds": ["0.1", "0.5"]},
}
METRICS = [
    {"name": "errorRate", "max": "50%"},
    {"name": "errorRate", "compare": "Stable", "tolerance": "100"},
    {"name": "slowRate", "threshold": "500ms", "max": "50%"},
]


def canary(number: int, interval: float, dice: random.Random) -> World:
    """A candidate in its only step, which is looked at for the first time within an interval."""
    namespace, name = place(number)
    wish = {
        "model": {"version": "v2", "format": "sklearn", "uri": "oci://registry.corp/churn:v2"},
        "rollout": {"canary": {"steps": [{"weight": 5, "duration": "24h"}]}, "deadline": "48h"},
        "traffic": {"gateway": {"name": "models"}},
        "analysis": {"interval": f"{interval:g}s", "source": "bench", "metrics": METRICS},
    }
    now = datetime.now(UTC)
    began = spell(now - timedelta(seconds=dice.uniform(0, interval)))
    stable = Serving(revision=f"{name}-old", version="v1", weight=95)
    bare = World(now, namespace, name, "uid", 1, Spec.model_validate(wish), Status(stable=stable))
    candidate = Trying(
        revision=f"{name}-new",
        version="v2",
        steps=strategy.pin(bare, direct=False),
        started_at=began,
        step_started_at=began,
        exposed_at=began,
        shifted_at=began,
        seen=SeenShare(since=began),
        deadline_at=spell(now + timedelta(hours=48)),
    )
    snapshots = {f"{name}-{role}": Snapshot(role, 8080, {}, PROFILE) for role in ("old", "new")}
    route = RouteSeen({f"{name}-old": 95, f"{name}-new": 5}, programmed=True)
    return replace(bare, status=Status(stable=stable, candidate=candidate), snapshots=snapshots, route=route)


@dataclass(frozen=True)
class Counted(Http):
    """Counts what goes out and what comes back."""

    seen: dict[str, int] = field(default_factory=lambda: {"queries": 0, "bytes": 0})

    async def fetch(self, request: Request) -> tuple[int, bytes]:
        status, body = await super().fetch(request)
        self.seen["queries"] += 1
        self.seen["bytes"] += len(body)
        return status, body


@dataclass
class Slow:
    """A source that takes its time."""

    source: Source
    seconds: float

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        await asyncio.sleep(self.seconds)
        return await self.source.ask(questions)


@dataclass
class Looking(Loop):
    """The loop; its turns note how late they ended (seconds after they were due)."""

    worlds: dict[Key, World] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    late_quiet: list[float] = field(default_factory=list)
    ticks: dict[Key, float] = field(default_factory=dict)
    gives_back: bool = True

    async def turn(self, key: Key) -> datetime | None:
        if key[0] == QUIET:
            return self._tick(key)
        world = replace(self.worlds[key], now=self.clock(), answers={})
        due = evidence.next_look(world)
        assert due and world.status.candidate
        asked = await self.ask(key, world)
        candidate = share.look(asked, evidence.look(asked, world.status.candidate))
        if candidate.evidence != world.status.candidate.evidence:
            self.late.append((self.clock() - due).total_seconds())
        self.worlds[key] = after = replace(world, status=world.status.model_copy(update={"candidate": candidate}))
        return max(evidence.next_look(after) or due, self.clock() + timedelta(seconds=0.05))

    def _tick(self, key: Key) -> datetime:
        now = time.monotonic()
        if key in self.ticks:
            self.late_quiet.append(now - self.ticks[key])
        self.ticks[key] = now + TICK
        return self.clock() + timedelta(seconds=TICK)

    async def _answers(self, due: Mapping[int, Question], within: float) -> dict[int, Answer]:
        if self.gives_back:
            return await super()._answers(due, within)
        return await self._ask("bench", due, within)  # as it was: who waits keeps the place

    def counted(self) -> dict[str, Any]:
        """What the judged metrics have seen, against what there was to see."""
        known = [each for w in self.worlds.values() if w.status.candidate for each in w.status.candidate.evidence]
        seen = wanted = 0.0
        for world in self.worlds.values():
            candidate = world.status.candidate
            assert candidate and candidate.exposed_at
            for each in candidate.evidence:
                if each.looked_at:
                    seen += each.candidate.total
                    wanted += (read(each.looked_at) - read(candidate.exposed_at) + HEAD_START).total_seconds()
        return {"metrics": len(known), "requests": seen, "seconds": wanted}
