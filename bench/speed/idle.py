"""Many objects that want nothing: requests in so many seconds, as a proxy before the API server saw them, and CPU."""

import asyncio
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.speed.contestants import PENSTOCK, Contestant
from bench.speed.converge import LIMIT, create
from bench.speed.rig import Client, fresh_plane, until
from bench.speed.settling import settle
from tests.conftest import ControlPlane
from tests.faults.proxy import Proxy, Request


@dataclass(frozen=True)
class Idle:
    """What so many objects cost in so many seconds in which nobody changed anything."""

    who: str
    jobs: int
    seconds: float
    requests: dict[str, int]  # by verb and resource; without watches that go on, and without leases
    leases: int
    cpu: float  # seconds of a core
    rss: float  # MiB


def measure(who: Contestant, jobs: int, seconds: float) -> dict[str, Any]:
    """One quiet time on a control plane of its own."""
    with fresh_plane() as plane:
        who.install(plane)
        return asdict(asyncio.run(_idle(who, plane, jobs, seconds)))


async def _idle(who: Contestant, plane: ControlPlane, jobs: int, seconds: float) -> Idle:
    async with Proxy(plane.kubeconfig) as proxy, Client(plane.kubeconfig) as client:
        with tempfile.TemporaryDirectory() as folder, who.up(proxy.write_kubeconfig(Path(folder))) as process:
            async with who.watched(client) as done:
                await create(client, who.jobs(0, jobs))
                await until(lambda: done(jobs), LIMIT, f"{who.name}: {jobs} jobs; its log: {process.log}")
            if who is PENSTOCK:
                await settle(client, jobs)
            await quiet(proxy)
            seen, cpu, began = len(proxy.log), process.cpu, time.monotonic()
            await asyncio.sleep(seconds)  # the measured time itself
            took, cost = time.monotonic() - began, process.cpu - cpu
            found = proxy.log[seen:]
            lease = [one for one in found if one.place.resource == "leases"]
            rest = Counter(_named(one) for one in found if one.place.resource != "leases")
            return Idle(who.name, jobs, took, dict(rest), len(lease), cost, process.rss)


def _named(one: Request) -> str:
    return f"{one.verb} {one.place.resource}".strip() or "discovery"


async def quiet(proxy: Proxy, seconds: float = 15.0, most: float = 180.0) -> None:
    """Until nothing was written for a while; who never stops writing is measured as it is."""
    end = time.monotonic() + most
    while time.monotonic() < end:
        writes = [one.at for one in proxy.log if one.number]
        if not writes or time.monotonic() - writes[-1] > seconds:
            return
        await asyncio.sleep(1)
