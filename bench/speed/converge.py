"""Many jobs at once: how long until everything that should be there is there, and what it costs.

The wall is a raw client that writes the very bodies that the operator wrote, over as many connections as it has.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.speed.contestants import APPS, CORE, OURS, PDBS, PENSTOCK, Contestant, requests, wish
from bench.speed.report import RAW
from bench.speed.rig import NAMESPACE, Client, Late, Object, Process, busy, fresh_plane, running, side_by_side, until
from tests.conftest import ControlPlane

READS = ("get", "list", "watch", "discover")
LIMIT = 3600.0  # seconds: on a slow machine 5,000 models took more than 1,200
GIVEN_UP = 900.0  # seconds for a rival: one that asks for each job every few seconds may never be done
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
CHILDREN = {
    "ControllerRevision": f"{APPS}/controllerrevisions",
    "Deployment": f"{APPS}/deployments",
    "Service": f"{CORE}/services",
    "PodDisruptionBudget": PDBS,
    "Event": EVENTS,
}
OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")


@dataclass(frozen=True)
class Run:
    """What one run took; seconds, seconds of a core, MiB."""

    who: str
    jobs: int
    seconds: float
    cpu: float
    machine: float  # seconds of a core of all that ran, the API server and the controllers included
    rss_before: float
    rss_after: float
    writes: int  # of the contestant, where it counts them itself; 0 elsewhere
    children: int
    finished: bool = True  # False: given up after so many seconds


async def converge(who: Contestant, plane: ControlPlane, process: Process, jobs: int) -> Run:
    """From the first creation until all is there. One job more is done before, so that nobody is measured starting."""
    async with Client(plane.kubeconfig) as client, who.watched(client) as done:
        await create(client, who.jobs(0, 1))
        await until(lambda: done(1), 180, f"{who.name}: a first job; its log: {process.log}")
        cpu, rss, wrote, machine, began = process.cpu, process.rss, _writes(who, process), busy(), time.monotonic()
        await create(client, who.jobs(1, jobs))
        finished = True
        try:
            await until(lambda: done(jobs + 1), LIMIT if who is PENSTOCK else GIVEN_UP, f"{who.name}: {jobs} jobs")
        except Late:
            if who is PENSTOCK:
                raise
            finished = False
        seconds = time.monotonic() - began
        children, all_cost = sum(who.children.values()) * jobs, busy() - machine
        cost, kept = process.cpu - cpu, process.rss
        wrote = _writes(who, process) - wrote
        return Run(who.name, jobs, seconds, cost, all_cost, rss, kept, wrote, children, finished)


async def create(client: Client, jobs: list[tuple[str, Object]]) -> None:
    """All of them, over as many connections as the client has."""
    await side_by_side(client.create(where, body) for where, body in jobs)


def _writes(who: Contestant, process: Process) -> int:
    if who is not PENSTOCK:
        return 0
    return sum(n for name, n in requests(process).items() if name.split()[0] not in READS)


def measure(who: Contestant, jobs: int) -> dict[str, Any]:
    """One run on a control plane of its own."""
    with fresh_plane() as plane:
        who.install(plane)
        with who.up(plane.kubeconfig) as process:
            return asdict(asyncio.run(converge(who, plane, process, jobs)))


def bodies() -> dict[str, Any]:
    """What the operator writes for one job, as a raw client could write it: bodies of children, and the status."""
    with fresh_plane() as plane:
        PENSTOCK.install(plane)
        with PENSTOCK.up(plane.kubeconfig):
            return asyncio.run(_written(plane))


async def _written(plane: ControlPlane) -> dict[str, Any]:
    async with Client(plane.kubeconfig) as client, PENSTOCK.watched(client) as done:
        await create(client, PENSTOCK.jobs(0, 1))
        await until(lambda: done(1), 60, "the operator's bodies")
        await until(lambda: _is_told(client), 60, "the operator's Events")
        found = {kind: [bare(one) for one in await client.list(where)] for kind, where in CHILDREN.items()}
        (live,) = await client.list(OURS)
        return {
            "children": {kind: [one for one in some if _is_ours(one)] for kind, some in found.items()},
            "status": live["status"],
        }


async def _is_told(client: Client) -> bool:
    """Events are the last that is written."""
    return any(one["reason"] == "Promoted" for one in await client.list(EVENTS))


def _is_ours(one: Object) -> bool:
    owners = one["metadata"].get("ownerReferences") or [one.get("regarding") or {}]
    return any(owner.get("kind") == "ModelDeployment" for owner in owners)


def bare(one: Object) -> Object:
    """What of it a client can write."""
    meta = {key: value for key, value in one["metadata"].items() if key not in OF_THE_SERVER}
    made: Object = {key: value for key, value in one.items() if key not in ("status", "metadata")} | {"metadata": meta}
    for field in ("clusterIP", "clusterIPs"):  # drawn by the server
        made.get("spec", {}).pop(field, None)
    return made


def raw(jobs: int, written: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One run of the raw client."""
    with fresh_plane() as plane:
        PENSTOCK.install(plane)
        return asdict(asyncio.run(_raw(plane, jobs, written, folder)))


async def _raw(plane: ControlPlane, jobs: int, written: dict[str, Any], folder: Path) -> Run:
    (folder / "bodies.json").write_text(json.dumps(written))
    words = [sys.executable, "-m", "bench.speed.raw", str(plane.kubeconfig), str(folder / "bodies.json")]
    with running(words, folder / "raw.log") as process:
        assert process.popen.stdin
        async with Client(plane.kubeconfig) as client, PENSTOCK.watched(client) as done:

            async def one(number: int) -> None:
                made = await client.create(OURS, wish(f"model-{number:04}"))
                assert process.popen.stdin
                said = (made["metadata"][key] for key in ("name", "uid", "resourceVersion"))
                process.popen.stdin.write(f"{' '.join(said)}\n".encode())
                process.popen.stdin.flush()

            await one(0)
            await until(lambda: done(1), 60, f"the raw client's first; its log: {process.log}")
            cpu, rss, machine, began = process.cpu, process.rss, busy(), time.monotonic()
            await side_by_side(one(number) for number in range(1, jobs + 1))
            await until(lambda: done(jobs + 1), LIMIT, f"the raw client: {jobs} jobs")
            seconds, cost, all_cost = time.monotonic() - began, process.cpu - cpu, busy() - machine
            kept = process.rss
    writes = jobs * (sum(map(len, written["children"].values())) + 1)
    return Run(RAW, jobs, seconds, cost, all_cost, rss, kept, writes, sum(PENSTOCK.children.values()) * jobs)
