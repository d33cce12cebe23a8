"""kill -9 among many settled objects, one edit while nobody looks, and how long until it is applied."""

import asyncio
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.speed.contestants import APPS, OURS, PENSTOCK, requests
from bench.speed.converge import LIMIT, READS, create
from bench.speed.rig import ROOT, Client, Object, environment, fresh_plane, until
from tests.conftest import ControlPlane

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/penstock"
STEP = 0.02  # seconds between two looks


@dataclass(frozen=True)
class Restart:
    """Seconds from the start of the new process until the edit stands, and until a bare reader has read it all."""

    jobs: int
    seconds: float
    listing: float
    writes: dict[str, int]  # of the new process until a while after, by verb and kind
    rss: float  # MiB of the new process


def is_settled(one: Object) -> bool:
    """Whether nothing more is to come."""
    said = {c["type"]: c["status"] for c in (one.get("status") or {}).get("conditions", [])}
    return said.get("Ready") == "True"


async def settle(client: Client, jobs: int) -> None:
    """Until all are ready and no status has changed between two looks, ten seconds apart."""

    async def all_ready() -> bool:
        return await client.count(OURS) == jobs and all(map(is_settled, await client.list(OURS)))

    await until(all_ready, LIMIT, f"{jobs} objects that are ready")
    versions: set[str] = set()
    while True:
        now = {one["metadata"]["resourceVersion"] for one in await client.list(OURS)}
        if now == versions:
            return
        versions = now
        await asyncio.sleep(10)  # what is awaited is that nothing happens


def measure(jobs: int) -> dict[str, Any]:
    """One restart on a control plane of its own."""
    with fresh_plane() as plane:
        PENSTOCK.install(plane)
        return asdict(asyncio.run(_restart(plane, jobs)))


async def _restart(plane: ControlPlane, jobs: int) -> Restart:
    async with Client(plane.kubeconfig) as client:
        with PENSTOCK.up(plane.kubeconfig) as former:
            await create(client, PENSTOCK.jobs(0, jobs))
            await settle(client, jobs)
            former.kill()
        words = [sys.executable, "-m", "bench.speed.listing", str(plane.kubeconfig)]
        began = time.monotonic()
        subprocess.run(words, cwd=ROOT, env=environment(), check=True)
        listing = time.monotonic() - began
        size = {"spec": {"scaling": {"minReplicas": 2}}}
        await client.send("PATCH", f"{OURS}/model-0000", size, "application/merge-patch+json")
        await client.send("DELETE", LEASE)  # that the dead is respected for 15 s is a setting, and not measured here
        (one,) = [d for d in await client.list(f"{APPS}/deployments") if d["metadata"]["name"].startswith("model-0000")]
        began = time.monotonic()
        with PENSTOCK.up(plane.kubeconfig) as new:
            while (await client.send("GET", f"{APPS}/deployments/{one['metadata']['name']}"))["spec"]["replicas"] != 2:
                await asyncio.sleep(STEP)
                if time.monotonic() - began > LIMIT:
                    raise RuntimeError(f"the edit was never applied; log: {new.log}")
            seconds = time.monotonic() - began
            await settle(client, jobs)
            wrote = {name: n for name, n in requests(new).items() if name.split()[0] not in READS}
            return Restart(jobs, seconds, listing, wrote, new.rss)
