"""`python -m bench.prometheus ...`: scrapes N pretended pods, replaces them all, twice; measures.

The figures go to bench/results/prometheus.json; what they mean is in docs/reports/prometheus.md.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.prometheus.asking import Asker, number, own_figures
from bench.prometheus.chart import ROOT, Pod, Rendered, Running, render, running, write_pods
from bench.prometheus.meter import Meter, size
from tests.ports import free_port

PODS_OF_A_REVISION = 5
QUESTIONS = 16.0  # a second: 20 canaries, each asking 12 series every 15 s
PATIENCE = 60.0
GENERATIONS = {"steady": "aa", "all pods replaced": "bb", "all pods replaced again": "cc"}
OWN = {
    "series in memory": "prometheus_tsdb_head_series",
    "samples taken": 'prometheus_tsdb_head_samples_appended_total{type="float"}',
    "write-ahead log bytes": "prometheus_tsdb_wal_storage_size_bytes",
    "chunk bytes on disk": "prometheus_tsdb_head_chunks_storage_size_bytes",
}


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    pods: int
    seconds: float
    parts: int
    interval: str

    @property
    def command(self) -> str:
        """How to measure it again."""
        size = f"--pods {self.pods} --seconds {self.seconds:.0f} --parts {self.parts} --interval {self.interval}"
        return f"python -m bench.prometheus {size}"


def pods(count: int, port: int, generation: str) -> list[Pod]:
    """Pods of one generation, some to each revision; a new generation has other names and revisions."""
    made = []
    for n in range(count):
        group = n // PODS_OF_A_REVISION
        revision = f"model-{group}-{generation}"
        made.append(Pod(f"team-{group % 10}", f"{revision}-{n}", revision, str(port), f"/pods/{n}"))
    return made


async def scraped(session: aiohttp.ClientSession, url: str, generation: str, count: int) -> None:
    """Until every pod of a generation was reached."""
    end = time.monotonic() + PATIENCE
    reached = 0.0
    while reached < count:
        if time.monotonic() > end:
            raise SystemExit(f"bench: {reached:.0f} of {count} pods were reached")
        with suppress(aiohttp.ClientError):  # while it starts
            reached = await number(session, url, f'sum(up{{pod=~".*-{generation}-.*"}})')
        await asyncio.sleep(0.5)


async def phase(scene: tuple[Running, Meter, aiohttp.ClientSession], seconds: float, made: list[Pod]) -> dict[str, Any]:
    """Some time with these pods, questions asked all the while."""
    run, meter, session = scene
    asker = Asker(run.url, session, QUESTIONS, sorted({(pod.namespace, pod.revision) for pod in made}))
    task = asyncio.create_task(asker.run())
    before, begin = await own_figures(session, run.url), time.monotonic()
    await asyncio.sleep(seconds)
    after, end = await own_figures(session, run.url), time.monotonic()
    task.cancel()
    window = f"up[{seconds:.0f}s]"
    failed = await number(session, run.url, f"sum(count_over_time({window})) - sum(sum_over_time({window}))")
    own = {word: after[name] for word, name in OWN.items()}
    grown = {f"{word}, per second": round((after[n] - before[n]) / (end - begin), 1) for word, n in OWN.items()}
    questions = {"questions": asker.figures(), "failed scrapes": failed}
    return {**meter.between(begin, end), **own, **grown, **questions, "disk bytes": size(run.folder / "data")}


async def measure(run: Running, plan: Plan, port: int) -> dict[str, Any]:
    """The same pods for a while, then all of them replaced by others, and again: what a rollout of everything costs."""
    meter = Meter(run.pid)
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(meter.run())
        found = {}
        for part, generation in list(GENERATIONS.items())[: plan.parts]:
            made = pods(plan.pods, port, generation)
            write_pods(run.folder, made)
            await scraped(session, run.url, generation, plan.pods)
            found[part] = await phase((run, meter, session), plan.seconds, made)
        task.cancel()
    return found


def bench(plan: Plan) -> dict[str, Any]:
    """Exporter and Prometheus in a folder of their own; both are gone afterwards."""
    rendered, port = render(f"prometheus.scrapeInterval={plan.interval}"), free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.prometheus.exporter", str(port)]
        with subprocess.Popen(command, cwd=ROOT) as exporter:
            try:
                with running(Path(folder), rendered, []) as run:
                    found = asyncio.run(measure(run, plan, port))
            finally:
                exporter.terminate()
    return {"command": plan.command, **_given(rendered), **found}


def _given(rendered: Rendered) -> dict[str, Any]:
    limits = {"memory limit of the chart, MiB": rendered.limit >> 20, "cores of this machine": os.cpu_count()}
    return {"scrape interval": rendered.config["global"]["scrape_interval"], **limits}


def main() -> None:
    """Measures, writes, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.prometheus", description=__doc__)
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=65.0, help="of each part")
    parser.add_argument("--parts", type=int, default=3, choices=(1, 2, 3), help="how many, of the three")
    parser.add_argument("--interval", default="5s", help="between two scrapes")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/prometheus.json")
    given = parser.parse_args()
    found = json.dumps(bench(Plan(given.pods, given.seconds, given.parts, given.interval)), indent=2)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(found + "\n")
    print(found)


if __name__ == "__main__":
    main()
