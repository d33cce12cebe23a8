"""When nothing more is to come."""

import asyncio

from bench.speed.contestants import OURS
from bench.speed.converge import LIMIT
from bench.speed.rig import Client, Object, until


def is_settled(one: Object) -> bool:
    """Whether nothing more is to come."""
    said = {c["type"]: c["status"] for c in (one.get("status") or {}).get("conditions", [])}
    return said.get("Ready") == "True"


async def settle(client: Client, jobs: int) -> None:
    """Until all are ready and nothing happens."""

    async def all_ready() -> bool:
        return await client.count(OURS) == jobs and all(map(is_settled, await client.list(OURS)))

    await until(all_ready, LIMIT, f"{jobs} objects that are ready")
    await still(client)


async def still(client: Client) -> None:
    """Until no status has changed between two looks, ten seconds apart."""
    versions: set[str] = set()
    while True:
        now = {one["metadata"]["resourceVersion"] for one in await client.list(OURS)}
        if now == versions:
            return
        versions = now
        await asyncio.sleep(10)  # what is awaited is that nothing happens
