"""A control plane for one run, a bare client for it, and what /proc says of a process.

It must know nothing of what is measured: contestants and questions are other modules' matter.
"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from tests.conftest import ControlPlane, new_control_plane

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
NAMESPACE = "speed"
CONNECTIONS = 16
PAUSE = 0.1  # seconds between two looks at a count: the resolution of every duration here
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@contextmanager
def fresh_plane() -> Iterator[ControlPlane]:
    """A control plane with pretended nodes and a namespace, gone afterwards: no run inherits another's objects."""
    with new_control_plane("speed") as plane:
        plane.kubectl("create", "namespace", NAMESPACE)
        yield plane


class Client:
    """JSON over a few connections, as the administrator of a kubeconfig that the local cluster wrote."""

    def __init__(self, kubeconfig: Path, connections: int = CONNECTIONS) -> None:
        said = json.loads(kubeconfig.read_text())
        cluster, user = said["clusters"][0]["cluster"], said["users"][0]["user"]
        self._server = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])
        self._connections = connections

    async def __aenter__(self) -> "Client":
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._tls)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, method: str, path: str, body: Object | None = None, media: str = "application/json") -> Object:
        """One request; an answer beyond 299 raises with what the server said."""
        headers = {"Content-Type": media}
        while True:
            async with self._session.request(method, self._server + path, json=body, headers=headers) as answer:
                said: Object = await answer.json()
                if answer.status < 300:
                    return said
                if answer.status != 429:
                    raise RuntimeError(f"{method} {path}: {answer.status} {said.get('message')}")
                wait = float(answer.headers["Retry-After"])
            await asyncio.sleep(wait)  # as the server says, and as every client of Kubernetes does

    async def create(self, where: str, body: Object) -> Object:
        """POST into a collection."""
        return await self.send("POST", where, body)

    async def apply(self, where: str, body: Object) -> Object:
        """Server-side apply by name."""
        path = f"{where}/{body['metadata']['name']}?fieldManager=bench&force=true"
        return await self.send("PATCH", path, body, APPLY)

    async def count(self, where: str) -> int:
        """How many objects a collection has, for the price of reading one."""
        page = await self.send("GET", f"{where}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    async def list(self, where: str) -> list[Object]:
        """All objects of a collection, 500 at a time."""
        found: list[Object] = []
        token = ""
        while True:
            page = await self.send("GET", f"{where}?limit=500" + (f"&continue={token}" if token else ""))
            facts = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}  # which items lack
            found += [facts | one for one in page["items"]]
            token = page["metadata"].get("continue") or ""
            if not token:
                return found

    async def watch(self, where: str) -> AsyncIterator[tuple[str, Object]]:
        """All objects of a collection as ADDED, then every change, until the caller stops.

        A watch that the API server ends begins again, as everybody's does: all are ADDED once more.
        """
        while True:
            listed = await self.send("GET", where)
            for one in listed["items"]:
                yield "ADDED", one
            query = f"{where}?watch=1&resourceVersion={listed['metadata']['resourceVersion']}"
            async with self._session.get(self._server + query, timeout=aiohttp.ClientTimeout(total=None)) as answer:
                async for line in answer.content:
                    told = json.loads(line)
                    yield told["type"], told["object"]


async def side_by_side(jobs: Iterable[Any], most: int = CONNECTIONS) -> None:
    """Await all of them, so many at a time."""
    gate = asyncio.Semaphore(most)

    async def one(job: Any) -> None:
        async with gate:
            await job

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(one(job))


class Late(RuntimeError):
    """It was not done within its limit."""


async def until(done: Callable[[], Any], seconds: float, what: str) -> None:
    """Ask until it holds; `Late` past the limit."""
    end = time.monotonic() + seconds
    while not await done():
        if time.monotonic() > end:
            raise Late(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(PAUSE)


@dataclass(frozen=True)
class Process:
    """A program that runs, by its id."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def cpu(self) -> float:
        """Seconds that it has computed."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss(self) -> float:
        """MiB of memory that are its own or shared with others, and not swapped out."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self.popen.wait(timeout=10)


def busy() -> float:
    """Seconds that the machine's cores have computed, for whomever; what a hypervisor took is not among them."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _, _, irq, soft = map(int, fields[:7])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """Ours, with the packages of the repository and of this interpreter."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "operator"), *sys.path])}


@contextmanager
def running(command: list[str], log: Path, more: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A program of ours, gone afterwards."""
    told = {**environment(), **(more or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=told, stdin=subprocess.PIPE)
    try:
        yield Process(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
