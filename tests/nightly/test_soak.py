"""A thousand models for an hour while versions come and go: memory stays, and at rest nothing is asked.

SOAK_OBJECTS and SOAK_SECONDS make it smaller. Prints its progress; writes docs/reports/soak.md where SOAK_REPORT names
a file. Memory is the resident set of the operator's process; the first part of the churn is compared with its last.
"""

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from bench.speed.contestants import OURS, PENSTOCK, operator, started, wish
from bench.speed.converge import create
from bench.speed.idle import quiet
from bench.speed.rig import MERGE, Client, Process, fresh_plane
from bench.speed.settling import settle
from tests.conftest import ControlPlane
from tests.faults.proxy import Proxy
from tests.integration.surroundings import Source

Object = dict[str, Any]
OBJECTS = int(os.environ.get("SOAK_OBJECTS", "1000"))
SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
PART = min(600.0, SECONDS / 3)  # seconds at the beginning, and at the end, whose memory is compared
EVERY = 1.0  # seconds between two changes
SAMPLE = 5.0  # seconds between two looks at the memory
GROWTH = 1.05
IDLE = 60.0  # seconds


@dataclass
class Run:
    """What was seen: changes by kind; seconds of the churn and MiB; requests at rest by verb and resource."""

    changes: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    settled: float = 0.0  # MiB before the churn
    rested: float = 0.0  # MiB after it

    @property
    def parts(self) -> tuple[float, float]:
        """Median MiB of the first part and of the last."""
        first = median(size for at, size in self.memory if at <= PART)
        return first, median(size for at, size in self.memory if at >= SECONDS - PART)


def model(number: int, version: int) -> Object:
    """Two pods, a step of some seconds, and a metric that judges it."""
    made = wish(
        f"model-{number:04}",
        scaling={"minReplicas": 2},
        traffic={"onShareUnreachable": "Nearest"},
        rollout={"canary": {"steps": [{"weight": 50, "duration": "5s"}]}, "deadline": "10m", "scaleDownDelay": "5s"},
        analysis={"interval": "5s", "minRequests": 30, "metrics": [{"name": "errorRate", "max": "2%"}]},
    )
    made["spec"]["model"]["version"] = f"v{version}"
    return made


@dataclass
class Churn:
    """Somebody who changes one model after the other."""

    client: Client
    run: Run
    random: Random = field(default_factory=lambda: Random(8))
    versions: Counter[int] = field(default_factory=Counter)

    async def once(self) -> None:
        """One change of one model: mostly a new version, now and then back to the one before, or away and anew."""
        number = self.random.randrange(OBJECTS)
        what = self.random.choices(("new version", "revert", "delete and create"), (6, 2, 2))[0]
        self.run.changes[what] += 1
        if what == "delete and create":
            await self.client.send("DELETE", f"{OURS}/model-{number:04}")
            await self.client.create(OURS, model(number, self.versions[number]))
            return
        self.versions[number] += 1 if what == "new version" or not self.versions[number] else -1
        spec = {"spec": {"model": {"version": f"v{self.versions[number]}"}}}
        await self.client.send("PATCH", f"{OURS}/model-{number:04}", spec, MERGE)

    async def keep(self, process: Process) -> None:
        """At a steady rate, looking at the memory now and then."""
        begin, looks = time.monotonic(), 0
        while (now := time.monotonic() - begin) < SECONDS:
            assert process.popen.poll() is None, f"the operator has ended: {process.log.read_text()[-2000:]}"
            if now >= looks * SAMPLE:
                looks += 1
                self.run.memory.append((now, process.rss))
                _say(f"{now:.0f} s: {process.rss:.1f} MiB, {self.run.changes.total()} changes", looks % 12 == 1)
            await self.once()
            await asyncio.sleep(max(0.0, EVERY * self.run.changes.total() - (time.monotonic() - begin)))  # the rate


def _say(line: str, is_due: bool = True) -> None:
    if is_due:
        print(line, flush=True)


async def soak(plane: ControlPlane) -> Run:
    """Make them, let them settle, change them for long, let them settle again, and listen."""
    run, source = Run(), Source()
    runner = await source.start()
    try:
        async with Proxy(plane.kubeconfig) as proxy, Client(plane.kubeconfig) as client:
            with started(lambda at: operator(proxy.write_kubeconfig(at), at, source.url)) as process:
                await create(client, [(OURS, model(number, 0)) for number in range(OBJECTS)])
                await settle(client, OBJECTS)
                run.settled = process.rss
                _say(f"{OBJECTS} models have settled: {run.settled:.1f} MiB")
                await Churn(client, run).keep(process)
                await settle(client, OBJECTS)
                await quiet(proxy)
                seen = len(proxy.log)
                await asyncio.sleep(IDLE)  # the measured time itself
                run.requests = Counter(f"{one.verb} {one.place.resource}" for one in proxy.log[seen:])
                run.rested = process.rss
    finally:
        await runner.cleanup()
    return run


def test_memory_stays_and_at_rest_nothing_is_asked() -> None:
    with fresh_plane() as plane:
        PENSTOCK.install(plane)
        plane.install_gateway_api()
        plane.install_schemas()  # what is missing would be looked for each minute
        run = asyncio.run(soak(plane))
    lines = report(run)
    print(*lines, sep="\n")
    if path := os.environ.get("SOAK_REPORT"):
        Path(path).write_text("\n".join(lines) + "\n")
    first, last = run.parts
    assert last <= GROWTH * first, f"{first:.1f} MiB at first, {last:.1f} MiB in the end"
    rest = {what: count for what, count in run.requests.items() if not is_always(what)}
    assert rest == {}, "at rest nothing is sent but watches and the Lease"


def is_always(what: str) -> bool:
    """What goes on whatever happens."""
    return what.startswith("watch ") or what.endswith(" leases")


def report(run: Run) -> list[str]:
    """The page."""
    first, last = run.parts
    changes = ", ".join(f"{count:,} x {what}" for what, count in sorted(run.changes.items()))
    sent = ", ".join(f"{count} x {what}" for what, count in sorted(run.requests.items())) or "nothing"
    step = max(1, len(run.memory) // 12)
    return [
        "# Soak",
        "",
        "Written by `SOAK_REPORT=docs/reports/soak.md make nightly` (`tests/nightly/test_soak.py`): the operator's",
        f"process on a bare control plane with pretended nodes, {OBJECTS:,} models of two pods each, one change",
        f"a second for {_minutes(SECONDS)} minutes ({changes}), each a rollout with a step of 5 s",
        "that a metric judges. Memory is the process's resident set.",
        "",
        "| when | MiB |",
        "|---|---|",
        f"| settled, before the churn | {run.settled:.1f} |",
        *(f"| minute {_minutes(at)} | {size:.1f} |" for at, size in run.memory[::step]),
        f"| settled again, after it | {run.rested:.1f} |",
        "",
        f"Median of the first {_minutes(PART)} minutes: {first:.1f} MiB; of the last: {last:.1f} MiB;",
        f"{last / first:.3f} times (the law: {GROWTH}). Then, in {IDLE:.0f} seconds at rest: {sent}.",
    ]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f}"
