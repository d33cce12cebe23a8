"""A real Prometheus that scrapes pretended pods, shared by the tests of the adapter.

The only pretence is the server under load: its counters move when a story says so, so that the truth is known.
"""

import asyncio
import contextlib
import itertools
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import (
    Answer,
    Arm,
    Measure,
    Question,
    Ratio,
    Selector,
)
from tests.conftest import program
from tests.ports import free_port

PATIENCE = 20.0
TOTAL = Selector("requests_total", 'path=~"/infer.*"')
ERRORS = Ratio(Selector("requests_total", 'path=~"/infer.*",code=~"5.."'), TOTAL)
FAST = Ratio(Selector("seconds_bucket", 'le="0.25"'), Selector("seconds_count"), part_is_good=True)


@dataclass
class Pod:
    """A server that tells its counters; a series is there from its first event on, as in real servers."""

    namespace: str
    revision: str
    name: str
    counters: Counter[str] = field(default_factory=Counter)
    port: int = 0

    def answers(self, code: int, times: int) -> None:
        self.counters[f'requests_total{{code="{code}",path="/infer"}}'] += times
        self.counters['requests_total{code="200",path="/ready"}'] += 1

    def takes(self, fast: int, slow: int) -> None:
        self.counters['seconds_bucket{le="0.25"}'] += fast
        self.counters['seconds_bucket{le="+Inf"}'] += fast + slow
        self.counters["seconds_count"] += fast + slow

    def restarts(self) -> None:
        self.counters.clear()

    async def exposition(self, _: web.Request) -> web.Response:
        lines = [f"{series} {value}" for series, value in self.counters.items()]
        return web.Response(text="\n".join([*lines, ""]), content_type="text/plain")


@dataclass
class Scene:
    """A running Prometheus, the pods that it scrapes, and the adapter that asks it."""

    url: str
    namespace: str
    pods: dict[str, Pod]
    session: aiohttp.ClientSession

    async def stored(self) -> datetime:
        """A time at which every pod's samples say what its counters say now, and after which all that comes is new."""
        wanted = {(pod.name, series): value for pod in self.pods.values() for series, value in pod.counters.items()}
        end = time.monotonic() + PATIENCE
        while True:
            since = await self._settled_since()
            # A scrape may be under way; the next sample of a pod is later than its last, so nothing new is before this.
            quiet = min(
                float(item["values"][-1][0]) for item in await self.query(f'up{{namespace="{self.namespace}"}}[1m]')
            )
            told = [at <= quiet and value == wanted[each] for each, (at, value) in since.items() if each in wanted]
            if len(told) == len(wanted) and all(told):
                return datetime.fromtimestamp(quiet, UTC)
            assert time.monotonic() < end, (wanted, since)
            await asyncio.sleep(0.02)

    async def _settled_since(self) -> dict[tuple[str, str], tuple[float, int]]:
        """The last value of each series, and the first of its last samples that had it."""
        found: dict[tuple[str, str], tuple[float, int]] = {}
        for item in await self.query(f'{{__name__=~"requests_total|seconds_.*",namespace="{self.namespace}"}}[1m]'):
            last = item["values"][-1][1]
            same = itertools.takewhile(lambda sample, last=last: sample[1] == last, reversed(item["values"]))
            found[item["metric"]["pod"], spelt(item["metric"])] = (float(list(same)[-1][0]), int(last))
        return found

    async def query(self, text: str) -> list[Any]:
        async with self.session.get(f"{self.url}/api/v1/query", params={"query": text}) as answer:
            answer.raise_for_status()
            result: list[Any] = (await answer.json())["data"]["result"]
            return result

    def source(self) -> Prometheus:
        return Prometheus("real", Http(self.url, self.session, timeout=4.4))

    def about(self, measure: Measure, window: tuple[datetime, datetime], born: bool = False) -> Question:
        return Question("real", self.namespace, Arm("churn-new", measure, born), Arm("churn-old", measure), *window)

    async def ask(self, ratio: Ratio, window: tuple[datetime, datetime], born: bool = False) -> Answer:
        (answer,) = await self.source().ask([self.about(ratio, window, born)])
        return answer


def spelt(labels: dict[str, str]) -> str:
    """A series as its pod spells it."""
    own = sorted((key, value) for key, value in labels.items() if key in ("code", "path", "le"))
    inner = ",".join(f'{key}="{value}"' for key, value in own)
    return labels["__name__"] + (f"{{{inner}}}" if inner else "")


def config(pods: list[Pod]) -> str:
    """Labels as the add-on's relabelling puts them."""
    targets = [
        {
            "targets": [f"127.0.0.1:{pod.port}"],
            "labels": {"namespace": pod.namespace, "pod": pod.name, "penstock_dev_revision": pod.revision},
        }
        for pod in pods
    ]
    job = {"job_name": "pods", "scrape_interval": "100ms", "scrape_timeout": "100ms", "static_configs": targets}
    return yaml.safe_dump({"scrape_configs": [job]})


@contextlib.contextmanager
def prometheus(folder: Path, pods: list[Pod]) -> Iterator[str]:
    """A real Prometheus with storage of its own; gone afterwards, whatever happened."""
    (folder / "prometheus.yml").write_text(config(pods))
    address = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as running:
        try:
            yield f"http://{address}"
        finally:
            running.terminate()
            running.wait(30)


async def until_it_scrapes(scene: Scene) -> None:
    """Every target was reached at least once."""
    end = time.monotonic() + PATIENCE
    up: list[Any] = []
    while len(up) < len(scene.pods):
        assert time.monotonic() < end, "Prometheus did not come up"
        with contextlib.suppress(aiohttp.ClientConnectionError, aiohttp.ClientResponseError):  # 503 while it starts
            up = await scene.query(f'up{{namespace="{scene.namespace}"}} == 1')
        await asyncio.sleep(0.02)


Story = Callable[[Scene], Awaitable[None]]
Tell = Callable[[str, Story], None]
NAMESPACES = (
    "windows",
    "slow",
    "born",
    "others",
    "shapes",
    "written",
    "neighbour",
)  # one for each story: a Prometheus takes 5 s to find targets


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, str, list[Pod]]]:
    """A Prometheus, and in each namespace two pods of the stable revision and one of the candidate."""
    names = (("churn-new", "new-1"), ("churn-old", "old-1"), ("churn-old", "old-2"))
    pods = [Pod(namespace, *each) for namespace in NAMESPACES for each in names]
    with asyncio.Runner() as runner:
        servers = [runner.run(listening(pod)) for pod in pods]
        with prometheus(tmp_path_factory.mktemp("prometheus"), pods) as url:
            yield runner, url, pods
        for server in servers:
            runner.run(server.cleanup())


@pytest.fixture
def play(stage: tuple[asyncio.Runner, str, list[Pod]]) -> Tell:
    """Run a story in a namespace of its own."""
    runner, url, pods = stage

    async def staged(namespace: str, story: Story) -> None:
        async with aiohttp.ClientSession() as session:
            mine = {pod.name: pod for pod in pods if pod.namespace == namespace}
            scene = Scene(url, namespace, mine, session)
            await until_it_scrapes(scene)
            await story(scene)

    return lambda namespace, story: runner.run(staged(namespace, story))


async def listening(pod: Pod) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/metrics", pod.exposition)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pod.port = int(runner.addresses[0][1])
    return runner
