"""The raw client as a process of its own: names and uids of owners on stdin, their children and statuses written."""

import asyncio
import json
import sys
from pathlib import Path

from bench.speed.contestants import OURS
from bench.speed.converge import CHILDREN
from bench.speed.rig import MERGE, Client, Object

CONNECTIONS = 32  # as many as the operator has


async def main(kubeconfig: Path, template: str) -> None:
    """Until stdin ends. Children of one owner follow each other, as the operator writes them; owners run beside."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Client(kubeconfig, CONNECTIONS) as client, asyncio.TaskGroup() as group:
        while line := (await reader.readline()).decode().split():
            group.create_task(_write(client, template, *line))


async def _write(client: Client, template: str, name: str, uid: str) -> None:
    mine = json.loads(template.replace("model-0000", name))
    for kind, some in mine["children"].items():
        for one in some:
            await _child(client, kind, one, uid)
    await client.send("PATCH", f"{OURS}/{name}/status", {"status": mine["status"]}, MERGE)


async def _child(client: Client, kind: str, one: Object, uid: str) -> None:
    for owner in one["metadata"].get("ownerReferences") or [one.get("regarding", {})]:
        owner["uid"] = uid
    if kind == "Event":
        await client.create(CHILDREN[kind], one)
    else:
        await client.apply(CHILDREN[kind], one)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]).read_text()))
