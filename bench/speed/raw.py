"""The raw client as a process: names, uids and versions of owners on stdin, their children and statuses written."""

import asyncio
import json
import sys
from pathlib import Path

from bench.speed.contestants import OURS
from bench.speed.converge import CHILDREN
from bench.speed.rig import Client, Object

CONNECTIONS = 32  # as many as the operator has


async def main(kubeconfig: Path, template: str) -> None:
    """Until killed. Children of one owner follow each other, owners run beside; Events by one writer, as ours."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    events: asyncio.Queue[Object] = asyncio.Queue()
    async with Client(kubeconfig, CONNECTIONS) as client, asyncio.TaskGroup() as group:
        group.create_task(_tell(client, events))
        while line := (await reader.readline()).decode().split():
            group.create_task(_write(client, json.loads(template.replace("model-0000", line[0])), line, events))


async def _write(client: Client, mine: Object, who: list[str], events: "asyncio.Queue[Object]") -> None:
    name, uid, version = who
    for kind, some in mine["children"].items():
        for one in some:
            for owner in one["metadata"].get("ownerReferences") or [one.get("regarding", {})]:
                owner["uid"] = uid
            if kind == "Event":
                events.put_nowait(one)
            else:
                await client.apply(CHILDREN[kind], one)
    owner = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment"}
    owner |= {"metadata": {"name": name, "uid": uid, "resourceVersion": version}, "status": mine["status"]}
    await client.send("PUT", f"{OURS}/{name}/status", owner)


async def _tell(client: Client, events: "asyncio.Queue[Object]") -> None:
    while True:
        await client.create(CHILDREN["Event"], await events.get())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]).read_text()))
