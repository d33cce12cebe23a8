"""One healthy object among many that fail for ever, on an API server that is slow and sometimes says no.

What fails is a Deployment that a quota refuses each time. One edit after the other of the healthy object is timed.
"""

import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.speed.contestants import APPS, OURS, PENSTOCK, wish
from bench.speed.converge import LIMIT, create
from bench.speed.rig import MERGE, Client, fresh_plane, until
from bench.speed.settling import settle
from tests.conftest import ControlPlane
from tests.faults.proxy import Fault, Late, Proxy, Request, Say

FAILING = "failing"
DELAY, REFUSED, SEED = 0.2, 0.05, 8
STEP = 0.02
TRIES = 3  # of each failing object before it counts as one that fails for ever: who is new is everybody's equal


@dataclass(frozen=True)
class Fairness:
    """Seconds from an edit until it stands, with so many others that fail; and how often those are tried."""

    failing: int
    seconds: list[float]
    tries: float  # writes for failing objects, a minute and object
    longest: float  # seconds between two tries of one object, the longest seen


def measure(failing: int, edits: int) -> dict[str, Any]:
    """One run on a control plane of its own."""
    with fresh_plane() as plane, tempfile.TemporaryDirectory() as folder:
        PENSTOCK.install(plane)
        plane.kubectl("create", "namespace", FAILING)
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": FAILING}}
        quota |= {"spec": {"hard": {"count/deployments.apps": "0"}}}
        plane.kubectl("apply", "-f", "-", input=json.dumps(quota))
        return asdict(asyncio.run(_fairness(plane, Path(folder), failing, edits)))


async def _fairness(plane: ControlPlane, folder: Path, failing: int, edits: int) -> Fairness:
    chance = random.Random(SEED)

    def judge(_: Request) -> Fault:
        return Say(429, 1) if chance.random() < REFUSED else Late(DELAY)

    async with Proxy(plane.kubeconfig) as proxy, Client(plane.kubeconfig) as client:
        with PENSTOCK.up(proxy.write_kubeconfig(folder)):
            await create(client, PENSTOCK.jobs(0, 1))
            await settle(client, 1)
            where = OURS.replace("/speed/", f"/{FAILING}/")
            wishes = [wish(f"failing-{number:04}") for number in range(failing)]
            for one in wishes:
                one["metadata"]["namespace"] = FAILING
            await create(client, [(where, one) for one in wishes])
            await until(lambda: _all_tried(proxy, failing), LIMIT, f"each failing object was tried {TRIES} times")
            proxy.judge = judge
            began, seen = time.monotonic(), len(proxy.log)
            took = [await _edit(client, 2 + number % 2) for number in range(edits)]
            minutes = (time.monotonic() - began) / 60
            mine = [one for one in proxy.log[seen:] if one.place.namespace == FAILING and one.number]
            tries = len(mine) / minutes / failing if failing else 0.0
            return Fairness(failing, took, tries, _longest(mine))


async def _all_tried(proxy: Proxy, failing: int) -> bool:
    places = (one.place for one in proxy.log if one.number)
    tried = Counter(place.name for place in places if (place.namespace, place.resource) == (FAILING, "deployments"))
    return sum(tries >= TRIES for tries in tried.values()) >= failing


async def _edit(client: Client, size: int) -> float:
    began = time.monotonic()
    patch = {"spec": {"scaling": {"minReplicas": size}}}
    await client.send("PATCH", f"{OURS}/model-0000", patch, MERGE)
    while True:
        (live,) = await client.list(f"{APPS}/deployments")
        if live["spec"]["replicas"] == size:
            return time.monotonic() - began
        if time.monotonic() - began > LIMIT:
            raise RuntimeError(f"an edit was not applied within {LIMIT} s")
        await asyncio.sleep(STEP)


def _longest(tries: list[Request]) -> float:
    last: dict[str, float] = {}
    longest = 0.0
    for one in tries:
        longest = max(longest, one.at - last.get(one.place.name, one.at))
        last[one.place.name] = one.at
    return longest
