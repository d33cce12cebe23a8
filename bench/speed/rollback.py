"""Canaries that turn bad at one instant: how long from the answer that shows it until the route is written.

Metrics come from a stand-in that speaks Prometheus' API, a gateway is played by taking every route as it is written.
When each canary is looked at is the schedule; what lies between that look's answer and the write is our own part.
"""

import asyncio
import re
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from bench.speed.contestants import OURS, PENSTOCK, Contestant, operator, wish
from bench.speed.converge import LIMIT, create
from bench.speed.rig import MERGE, NAMESPACE, Client, Object, fresh_plane, side_by_side, until
from tests.conftest import ControlPlane
from tests.integration.surroundings import Source

ROUTES = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes"
BAD = 0.5  # of the requests fail from one instant on
CONNECTIONS = 64


@dataclass(frozen=True)
class Rollback:
    """Seconds for each canary: from the answer that shows it to the route's write; and from the flip to the write."""

    jobs: int
    interval: float
    own: list[float]
    whole: list[float]
    cpu: float  # seconds of a core, from the flip to the last write


@dataclass
class Clocked(Source):
    """Remembers when each revision was answered for."""

    answered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def _answer(self, request: web.Request) -> web.Response:
        answer = await super()._answer(request)
        found = re.search(r'penstock_dev_revision=~?"([^"]+)"', str((await request.post())["query"]))
        for name in found[1].split("|") if found else ():
            self.answered[name].append(time.monotonic())
        return answer

    def decisive(self, name: str, before: float) -> float:
        """When the last answer about it was given before that instant."""
        return max(at for at in self.answered[name] if at < before)


@dataclass
class Gateway:
    """Takes each route as it comes, and notes when one gave a revision nothing again."""

    client: Client
    given: dict[str, dict[str, int]] = field(default_factory=dict)  # weights by route and revision, as they stand
    taken_off: dict[str, float] = field(default_factory=dict)  # when, by revision

    async def keep(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            async for change, route in self.client.watch(ROUTES):
                if change != "DELETED":
                    self._note(route)
                    group.create_task(self._take(route))

    def _note(self, route: Object) -> None:
        backends = [b for rule in route["spec"]["rules"] for b in rule.get("backendRefs", [])]
        now = {each["name"]: each.get("weight", 1) for each in backends}
        for name, weight in self.given.get(route["metadata"]["name"], {}).items():
            if weight and not now.get(name):
                self.taken_off.setdefault(name, time.monotonic())
        self.given[route["metadata"]["name"]] = now

    async def _take(self, route: Object) -> None:
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
            "PATCH", f"{ROUTES}/{route['metadata']['name']}/status", {"status": {"parents": told}}, MERGE
        )


def measure(jobs: int, interval: float) -> dict[str, Any]:
    """One flip on a control plane of its own."""
    with fresh_plane() as plane:
        plane.install_gateway_api()
        PENSTOCK.install(plane)
        return asdict(asyncio.run(_rollback(plane, jobs, interval)))


async def _rollback(plane: ControlPlane, jobs: int, interval: float) -> Rollback:
    source = Clocked(every=5)
    runner = await source.start()

    def command(kubeconfig: Path, folder: Path) -> list[str]:
        return operator(kubeconfig, folder, source.url)

    ours = Contestant(PENSTOCK.name, PENSTOCK.job, PENSTOCK.children, PENSTOCK.work, PENSTOCK.crds, command)
    async with Client(plane.kubeconfig, CONNECTIONS) as client:
        gateway = Gateway(client)
        keeping = asyncio.create_task(gateway.keep())
        with ours.up(plane.kubeconfig) as process:
            await create(client, [(OURS, _wish(number, interval)) for number in range(jobs)])
            await until(lambda: _serves(client, jobs, "v1"), LIMIT, "all serve v1")
            version = {"spec": {"model": {"version": "v2", "uri": "oci://registry.corp/churn:v2"}}}
            names = [f"{OURS}/model-{number:04}" for number in range(jobs)]
            await side_by_side(client.send("PATCH", name, version, MERGE) for name in names)
            await until(lambda: _holds(client, jobs), LIMIT, "all hold at 50 %")
            tried = [one["status"]["candidate"]["revision"] for one in await client.list(OURS)]
            cpu, flipped = process.cpu, time.monotonic()
            source.bad |= dict.fromkeys(tried, BAD)
            await until(lambda: _all_off(gateway, tried), LIMIT, "all are taken off")
            cost = process.cpu - cpu
        keeping.cancel()
        await runner.cleanup()
    off = gateway.taken_off
    own = [off[name] - source.decisive(name, off[name]) for name in tried]
    return Rollback(jobs, interval, own, [off[name] - flipped for name in tried], cost)


def _wish(number: int, interval: float) -> Object:
    analysis = {"interval": f"{interval:.0f}s", "minRequests": 50, "metrics": [{"name": "errorRate", "max": "2%"}]}
    return wish(f"model-{number:04}", analysis=analysis, traffic={"gateway": {"name": "models"}})


async def _serves(client: Client, jobs: int, version: str) -> bool:
    found = [one.get("status") or {} for one in await client.list(OURS)]
    return sum((one.get("stable") or {}).get("version") == version for one in found) == jobs


async def _holds(client: Client, jobs: int) -> bool:
    found = [(one.get("status") or {}).get("candidate") or {} for one in await client.list(OURS)]
    return sum(one.get("weight") == 50 for one in found) == jobs


async def _all_off(gateway: Gateway, tried: list[str]) -> bool:
    return all(name in gateway.taken_off for name in tried)
