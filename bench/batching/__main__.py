"""A thousand canaries on a real Prometheus: `python -m bench.batching`; `--quick` is a tenth and writes nothing."""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench.batching.canaries import QUIET, Counted, Looking, Slow, canary
from bench.batching.exporter import PODS, ROLES, SLICES
from bench.batching.report import report
from penstock.metrics.prometheus import Prometheus
from penstock.shell.cache import Cache
from penstock.shell.queue import Queue
from penstock.shell.telemetry import Telemetry
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
COMMAND = "python -m bench.batching"
SEED, WORKERS, INTERVAL, QUIET_ONES = 7, 32, 15.0, 50
SETTLE = 20.0  # seconds of each run that do not count
MODES: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "every turn asks alone": {"patience": 0.0},
    "a waiting turn keeps its place": {"gives_back": False},
    "source that takes 2 s": {"delay": 2.0},
    "source that takes 2 s, a waiting turn keeps its place": {"delay": 2.0, "gives_back": False},
}


def cpu(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[int]:
    """A program of ours, gone afterwards."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "operator"), *sys.path])}
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment) as started,
    ):
        try:
            yield started.pid
        finally:
            started.terminate()
            started.wait(30)


@contextlib.contextmanager
def surroundings(canaries: int) -> Iterator[tuple[str, dict[str, int]]]:
    """The exporter and a Prometheus that scrapes it every 5 s: its address, and the process numbers."""
    path = (sys.executable, "-m", "cluster", "path", "prometheus")
    program = subprocess.run(path, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as name:
        folder, port, address = Path(name), free_port(), f"127.0.0.1:{free_port()}"
        jobs = [
            {
                "job_name": f"slice-{n}",
                "honor_labels": True,
                "scrape_interval": "5s",
                "metrics_path": f"/metrics/{n}",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
            for n in range(SLICES)
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))
        shows = [sys.executable, "-m", "bench.batching.exporter", f"--canaries={canaries}", f"--port={port}"]
        scrapes = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--log.level=warn"]
        scrapes.append(f"--web.listen-address={address}")
        with running(shows, folder) as exporter, running(scrapes, folder) as prometheus:
            yield f"http://{address}", {"exporter": exporter, "prometheus": prometheus}


async def until_scraped(url: str, session: aiohttp.ClientSession, seconds: float) -> None:
    """Every slice is there, and there is a past of so many seconds."""
    end, query = time.monotonic() + 120, f"count(count_over_time(up[{seconds:.0f}s]) >= {seconds / 5 - 1:.0f})"
    while time.monotonic() < end:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{url}/api/v1/query", params={"query": query}) as answer:
                found = (await answer.json())["data"]["result"] if answer.status == 200 else []
                if found and int(found[0]["value"][1]) == SLICES:
                    return
        await asyncio.sleep(1.0)
    raise SystemExit("the Prometheus did not scrape")


@contextlib.asynccontextmanager
async def looking(how: dict[str, Any], source: Any, canaries: int) -> AsyncIterator[Looking]:
    """The loop with its workers, and all canaries due within an interval."""
    dice = random.Random(SEED)
    queue = Queue(time.monotonic, dice)
    asked = Slow(source, how["delay"]) if "delay" in how else source
    rest = {key: value for key, value in how.items() if key != "delay"}
    loop = Looking(None, Cache(), queue, {"bench": asked}, Telemetry(), **rest)  # type: ignore[arg-type]
    for number in range(canaries):
        world = canary(number, INTERVAL, dice)
        loop.worlds[world.namespace, world.name] = world
        queue.add_after((world.namespace, world.name), dice.uniform(0.01, INTERVAL))
    for number in range(QUIET_ONES):
        queue.add_after((QUIET, str(number)), dice.uniform(0.01, 1.0))
    working = asyncio.create_task(loop.work(WORKERS))
    try:
        yield loop
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        queue.close()


def parts(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile and the largest, in seconds."""
    found = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(found[min(len(found) - 1, int(share * len(found)))], 3) for name, share in at.items()}


async def measure(how: dict[str, Any], where: tuple[str, dict[str, int]], canaries: int, seconds: float) -> Any:
    """One run; its first seconds do not count."""
    url, pids = where
    async with aiohttp.ClientSession(trust_env=False) as session:
        http = Counted(url, session)
        async with looking(how, Prometheus("bench", http), canaries) as loop:
            await asyncio.sleep(SETTLE)
            loop.late.clear()
            loop.late_quiet.clear()
            before, computed = (
                dict(http.seen),
                {**{n: cpu(p) for n, p in pids.items()}, "operator": time.process_time()},
            )
            began = time.monotonic()
            await asyncio.sleep(seconds)
            took, looks = time.monotonic() - began, len(loop.late)
            after = {**{n: cpu(p) for n, p in pids.items()}, "operator": time.process_time()}
            counted = loop.counted()
            silences = sum(s.value for m in loop.telemetry.silences.collect() for s in m.samples if "total" in s.name)
    share = counted["requests"] / (counted["seconds"] * ROLES["new"][0] * PODS) if counted["seconds"] else 0.0
    return {
        "seconds": round(took, 1),
        "looks": looks,
        "looks_wanted": round(canaries * took / INTERVAL),
        "queries_per_look": round((http.seen["queries"] - before["queries"]) / max(1, looks), 3),
        "kB_per_look": round((http.seen["bytes"] - before["bytes"]) / max(1, looks) / 1000, 1),
        "late_seconds": parts(loop.late),
        "late_share_p99": round(parts(loop.late)["p99"] / INTERVAL, 4),
        "quiet_late_seconds": parts(loop.late_quiet),
        "silences": int(silences),
        "counted_share": round(share, 3),
        "cpu_share": {name: round((after[name] - computed[name]) / took, 3) for name in after},
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """All modes one after the other over the same Prometheus."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started goes, too
    canaries = 100 if args.quick else 1000
    about = {"command": COMMAND, "seed": SEED, "canaries": canaries, "interval": INTERVAL, "workers": WORKERS}
    about |= {"revisions": 2 * canaries, "pods": 2 * PODS * canaries, "python": platform.python_version()}
    about |= {"cpus": os.cpu_count(), "machine": platform.machine(), "quiet": QUIET_ONES}
    runs: dict[str, Any] = {}
    with surroundings(canaries) as where:

        async def settle() -> None:
            async with aiohttp.ClientSession(trust_env=False) as session:
                await until_scraped(where[0], session, 60.0)

        asyncio.run(settle())
        for name, how in MODES.items():
            runs[name] = asyncio.run(measure(how, where, canaries, args.seconds))
            print(name, json.dumps(runs[name]), flush=True)
    if not args.quick:
        results = {"about": about, "runs": runs}
        (ROOT / "bench/results").mkdir(exist_ok=True)
        (ROOT / "bench/results/batching.json").write_text(json.dumps(results, indent=2) + "\n")
        (ROOT / "docs/reports/batching.md").write_text(report(results))


if __name__ == "__main__":
    main()
