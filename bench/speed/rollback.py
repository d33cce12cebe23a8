"""Canaries that turn bad at one instant: how long from the answer that shows it until the route is written.

The wall is a raw client that writes the same for the same objects, each at a moment of its own within an interval.
Metrics come from a stand-in that speaks Prometheus' API, a gateway is played by taking every route as it is written.
When each canary is looked at is the schedule; what lies between that look's answer and the write is our own part.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.speed.contestants import OURS, started
from bench.speed.converge import LIMIT, bare, create
from bench.speed.report import RAW
from bench.speed.rig import MERGE, Client, Object, Process, fresh_plane, side_by_side, until
from bench.speed.settling import still
from bench.speed.ways import INTERVAL, OUR_WAY, Clocked, Way
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
    cpu: float | None  # seconds of a core, from the flip to the last write; None of the raw client, which is the bench


@dataclass
class Gateway:
    """Takes each route as it comes, and notes when one gave a revision nothing again."""

    client: Client
    way: Way
    given: dict[str, dict[str, int]] = field(default_factory=dict)  # weights by route and revision, as they stand
    taken_off: dict[str, float] = field(default_factory=dict)  # when, by revision

    async def keep(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
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

    async def all_off(self, names: list[str], what: str) -> dict[str, float]:
        """When each was taken off, once all are."""

        async def done() -> bool:
            return all(name in self.taken_off for name in names)

        await until(done, LIMIT, what)
        return self.taken_off

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


def measure(way: Way, jobs: int) -> list[dict[str, Any]]:
    """One flip on a control plane of its own; after ours the raw client's, of the same objects."""
    with fresh_plane() as plane:
        way.install(plane)
        return [asdict(one) for one in asyncio.run(_rollback(way, plane, jobs))]


async def _rollback(way: Way, plane: ControlPlane, jobs: int) -> list[Rollback]:
    source = way.source()
    runner = await source.start()
    async with Client(plane.kubeconfig, CONNECTIONS) as client, asyncio.TaskGroup() as group:
        gateway = Gateway(client, way)
        keeping = group.create_task(gateway.keep())  # what ends it ends the run: without it nothing is ever taken off
        with started(lambda folder: way.command(plane.kubeconfig, folder, source.url)) as process:
            flip = Flip(jobs, source, gateway, process)
            tried = await _expose(way, client, flip)
            held = await _standing(client) if way is OUR_WAY else None
            runs = [await _flip(way, flip, tried)]
            if held:
                await still(client)
        if held:
            runs.append(await _replay(client, gateway, held))
        keeping.cancel()
        await runner.cleanup()
    return runs


@dataclass(frozen=True)
class Standing:
    """Objects by name."""

    models: dict[str, Object]
    routes: dict[str, Object]


@dataclass(frozen=True)
class Flip:
    """What one flip is made with."""

    jobs: int
    source: Clocked
    gateway: Gateway
    process: Process


async def _expose(way: Way, client: Client, flip: Flip) -> list[str]:
    """The candidates, each of which has half of the requests and has been looked at."""
    names, log = [f"model-{number:04}" for number in range(flip.jobs)], flip.process.log
    await create(client, [each for name in names for each in way.job(name, flip.source.url)])
    await _all(way.serves, client, (flip.jobs, f"{way.name}: a first version; log: {log}"))
    asked = [way.newer(name) for name in names]
    await side_by_side(client.send("PATCH", path, patch, MERGE) for path, patch in asked)
    await _all(way.holds, client, (flip.jobs, f"{way.name}: 50 %; log: {log}"))
    tried = await way.tried(client)
    await asyncio.sleep(STEADY)  # the schedule itself
    assert all(flip.gateway.weight(name) == 50 for name in tried), flip.gateway.given
    return tried


async def _flip(way: Way, flip: Flip, tried: list[str]) -> Rollback:
    """From the instant at which all are bad until all are taken off."""
    cpu, flipped = flip.process.cpu, time.monotonic()
    flip.source.bad |= dict.fromkeys(tried, BAD)
    off = await flip.gateway.all_off(tried, f"{way.name}: all are taken off; log: {flip.process.log}")
    own = [off[name] - flip.source.decisive(name, off[name]) for name in tried]
    whole = [off[name] - flipped for name in tried]
    return Rollback(way.name, flip.jobs, INTERVAL, STEADY, own, whole, flip.process.cpu - cpu)


async def _standing(client: Client) -> Standing:
    """What stands now."""
    models, routes = await client.list(OURS), await client.list(OUR_WAY.routes)
    return Standing(*({one["metadata"]["name"]: one for one in some} for some in (models, routes)))


async def _replay(client: Client, gateway: Gateway, held: Standing) -> Rollback:
    """The same canaries, exposed again and taken off by a client that decides nothing, each at its own moment.

    It writes what our operator wrote: a status, the route, a status. An interval has room for all the moments.
    """
    ended = await _standing(client)
    tried = {name: model["status"]["candidate"]["revision"] for name, model in held.models.items()}
    await side_by_side(client.apply(OUR_WAY.routes, bare(route)) for route in held.routes.values())
    await asyncio.sleep(STEADY)
    assert all(gateway.weight(revision) == 50 for revision in tried.values()), gateway.given
    gateway.taken_off.clear()
    began, moments = time.monotonic(), {}

    async def one(place: int, name: str) -> None:
        await asyncio.sleep(INTERVAL * (place + 0.5) / len(tried))
        moments[tried[name]] = time.monotonic()
        path, model = f"{OURS}/{name}/status", ended.models[name]
        seen = await client.send("PUT", path, model | {"status": held.models[name]["status"]})
        await client.apply(OUR_WAY.routes, bare(ended.routes[name]))
        await client.send("PUT", path, seen | {"status": model["status"]})

    async with asyncio.TaskGroup() as group:
        for place, name in enumerate(tried):
            group.create_task(one(place, name))
    off = await gateway.all_off(list(tried.values()), "the raw client takes all off")
    own = [off[revision] - moment for revision, moment in moments.items()]
    return Rollback(RAW, len(tried), INTERVAL, STEADY, own, [off[name] - began for name in moments], None)


async def _all(count: Callable[[Client], Awaitable[int]], client: Client, what: tuple[int, str]) -> None:
    async def done() -> bool:
        return await count(client) == what[0]

    await until(done, LIMIT, what[1])
