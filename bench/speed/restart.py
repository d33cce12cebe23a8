"""kill -9 among many settled objects, one edit while nobody looks, and how long until it is applied."""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.speed.contestants import APPS, OURS, PENSTOCK, requests
from bench.speed.converge import LIMIT, READS, converge
from bench.speed.rig import MERGE, ROOT, Client, environment, fresh_plane
from bench.speed.settling import settle
from tests.conftest import ControlPlane

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/penstock"
STEP = 0.02  # seconds between two looks


RESTARTS = 5  # of each life


@dataclass(frozen=True)
class Restart:
    """A killed operator started again; seconds and MiB."""

    restart: float  # from the start of the new process until an edit made meanwhile stands
    listing: float  # until a bare process has started and read all of it
    writes: dict[str, int]  # of the new process, by verb and kind
    after: float  # MiB of the new process


def measure(jobs: int) -> dict[str, Any]:
    """Many jobs made, settled (MiB once nothing happens any more), and restarts among them.

    On a control plane of its own.
    """
    with fresh_plane() as plane:
        PENSTOCK.install(plane)
        return asyncio.run(_life(plane, jobs))


async def _life(plane: ControlPlane, jobs: int) -> dict[str, Any]:
    async with Client(plane.kubeconfig) as client:
        with PENSTOCK.up(plane.kubeconfig) as former:
            made = await converge(PENSTOCK, plane, former, jobs)
            await settle(client, jobs + 1)
            settled = former.rss
            former.kill()
        restarts = [asdict(await _restart(plane, client, jobs, 2 + number % 2)) for number in range(RESTARTS)]
        return {"made": asdict(made), "settled": settled, "restarts": restarts}


async def _restart(plane: ControlPlane, client: Client, jobs: int, size: int) -> Restart:
    words = [sys.executable, "-m", "bench.speed.listing", str(plane.kubeconfig)]
    began = time.monotonic()
    reader = await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=environment())
    assert await reader.wait() == 0
    listing = time.monotonic() - began
    await client.send("PATCH", f"{OURS}/model-0000", {"spec": {"scaling": {"minReplicas": size}}}, MERGE)
    await client.send("DELETE", LEASE)  # that the dead is respected for 15 s is a setting, and not measured here
    (one,) = [d for d in await client.list(f"{APPS}/deployments") if d["metadata"]["name"].startswith("model-0000")]
    began = time.monotonic()
    with PENSTOCK.up(plane.kubeconfig) as new:
        while (await client.send("GET", f"{APPS}/deployments/{one['metadata']['name']}"))["spec"]["replicas"] != size:
            await asyncio.sleep(STEP)
            if time.monotonic() - began > LIMIT:
                raise RuntimeError(f"the edit was never applied; log: {new.log}")
        seconds = time.monotonic() - began
        await settle(client, jobs + 1)
        wrote = {name: n for name, n in requests(new).items() if name.split()[0] not in READS}
        after = new.rss
        new.kill()
        return Restart(seconds, listing, wrote, after)
