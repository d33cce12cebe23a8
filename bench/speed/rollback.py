"""Canaries that turn bad at one instant: how long from the answer that shows it until the route is written.

Metrics come from a stand-in that speaks Prometheus' API, a gateway is played by taking every route as it is written.
When each canary is looked at is the schedule; what lies between that look's answer and the write is our own part.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.speed.contestants import started
from bench.speed.converge import LIMIT, create
from bench.speed.rig import MERGE, Client, Object, Process, fresh_plane, side_by_side, until
from bench.speed.ways import INTERVAL, Clocked, Way
from tests.conftest import ControlPlane

BAD = 0.5  # of the requests fail from one instant on
STEADY = 2 * INTERVAL  # seconds that all have stood before they turn bad: each is looked at, and nobody is exposed
CONNECTIONS = 64


@dataclass(frozen=True)
class Rollback:
    """Seconds for each canary: from the answer that shows it to the route's write; and from the flip to the write."""

    who: str
    jobs: int
    interval: int
    steady: int
    own: list[float]
    whole: list[float]
    cpu: float  # seconds of a core, from the flip to the last write


@dataclass
class Gateway:
    """Takes each route as it comes, and notes when one gave a revision nothing again."""

    client: Client
    way: Way
    given: dict[str, dict[str, int]] = field(default_factory=dict)  # weights by route and revision, as they stand
    taken_off: dict[str, float] = field(default_factory=dict)  # when, by revision

    async def keep(self) -> None:
        """Until cancelled. A watch that the API server ends begins again, as everybody's does."""
        async with asyncio.TaskGroup() as group:
            while True:
                async for change, route in self.client.watch(self.way.routes):
                    if change != "DELETED":
                        self._note(route)
                        group.create_task(self._take(route))

    def _note(self, route: Object) -> None:
        now = self.way.weights(route)
        for name, weight in self.given.get(route["metadata"]["name"], {}).items():
            if weight and not now.get(name):
                self.taken_off.setdefault(name, time.monotonic())
        self.given[route["metadata"]["name"]] = now

    def weight(self, name: str) -> int:
        """The share that a candidate has."""
        return next((shares[name] for shares in self.given.values() if name in shares), 0)

    async def _take(self, route: Object) -> None:
        if route["kind"] != "HTTPRoute":
            return
        generation = route["metadata"]["generation"]
        parents = (route.get("status") or {}).get("parents") or []
        if parents and parents[0]["conditions"][0]["observedGeneration"] == generation:
            return
        said = {"status": "True", "reason": "Accepted", "message": "", "observedGeneration": generation}
        said["lastTransitionTime"] = "2026-11-21T00:00:00Z"
        conditions = [{"type": kind, **said} for kind in ("Accepted", "ResolvedRefs")]
        named = {"controllerName": "bench.penstock.dev/gateway", "conditions": conditions}
        told = [{"parentRef": route["spec"]["parentRefs"][0], **named}]
        await self.client.send(
            "PATCH", f"{self.way.routes}/{route['metadata']['name']}/status", {"status": {"parents": told}}, MERGE
        )


def measure(way: Way, jobs: int) -> dict[str, Any]:
    """One flip on a control plane of its own."""
    with fresh_plane() as plane:
        way.install(plane)
        return asdict(asyncio.run(_rollback(way, plane, jobs)))


async def _rollback(way: Way, plane: ControlPlane, jobs: int) -> Rollback:
    source = way.source()
    runner = await source.start()
    async with Client(plane.kubeconfig, CONNECTIONS) as client, asyncio.TaskGroup() as group:
        gateway = Gateway(client, way)
        keeping = group.create_task(gateway.keep())  # what ends it ends the run: without it nothing is ever taken off
        with started(lambda folder: way.command(plane.kubeconfig, folder, source.url)) as process:
            cost, flipped = await _flip(way, client, Flip(jobs, source, gateway, process))
        tried = list(source.bad)
        keeping.cancel()
        await runner.cleanup()
    off = gateway.taken_off
    own = [off[name] - source.decisive(name, off[name]) for name in tried]
    return Rollback(way.name, jobs, INTERVAL, STEADY, own, [off[name] - flipped for name in tried], cost)


@dataclass(frozen=True)
class Flip:
    """What one flip is made with."""

    jobs: int
    source: Clocked
    gateway: Gateway
    process: Process


async def _flip(way: Way, client: Client, flip: Flip) -> tuple[float, float]:
    """Seconds of a core until all are taken off, and the instant from which they were bad."""
    names, log = [f"model-{number:04}" for number in range(flip.jobs)], flip.process.log
    await create(client, [each for name in names for each in way.job(name, flip.source.url)])
    await _all(way.serves, client, (flip.jobs, f"{way.name}: a first version; log: {log}"))
    asked = [way.newer(name) for name in names]
    await side_by_side(client.send("PATCH", path, patch, MERGE) for path, patch in asked)
    await _all(way.holds, client, (flip.jobs, f"{way.name}: 50 %; log: {log}"))
    tried = await way.tried(client)
    await asyncio.sleep(STEADY)  # the schedule itself
    assert all(flip.gateway.weight(name) == 50 for name in tried), flip.gateway.given
    cpu, flipped = flip.process.cpu, time.monotonic()
    flip.source.bad |= dict.fromkeys(tried, BAD)

    async def all_off() -> bool:
        return all(name in flip.gateway.taken_off for name in tried)

    await until(all_off, LIMIT, f"{way.name}: all are taken off; log: {log}")
    return flip.process.cpu - cpu, flipped


async def _all(count: Callable[[Client], Awaitable[int]], client: Client, what: tuple[int, str]) -> None:
    async def done() -> bool:
        return await count(client) == what[0]

    await until(done, LIMIT, what[1])
