"""The adapter's counts against a real Prometheus that scrapes a real exposition: exact to the request.

The only pretence is the server under load: its counters move when a story says so, so that the truth is known.
"""

import asyncio
import contextlib
import itertools
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Answer, Arm, Counts, Question, Ratio, Selector
from tests.conftest import program

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

    async def ask(self, ratio: Ratio, window: tuple[datetime, datetime], born: bool = False) -> Answer:
        about = Question("real", self.namespace, Arm("churn-new", ratio, born), Arm("churn-old", ratio), *window)
        (answer,) = await Prometheus("real", Http(self.url, self.session, timeout=4.4)).ask([about])
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
NAMESPACES = ("windows", "slow", "born", "others")  # one for each story: a Prometheus takes 5 s to find targets


@pytest.fixture(scope="module")
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
def tell(stage: tuple[asyncio.Runner, str, list[Pod]]) -> Tell:
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


def test_adjoining_windows_count_every_request_once(tell: Tell) -> None:
    """Through births of series, an idle window and a restart; nothing is extrapolated and nothing is lost."""

    async def story(scene: Scene) -> None:
        new, old, other = scene.pods.values()
        old.answers(200, 1000)
        other.answers(200, 500)
        begin = await scene.stored()
        new.answers(200, 17)
        old.answers(200, 301)
        first = await scene.stored()
        assert await scene.ask(ERRORS, (begin, first), born=True) == Counts(0, 17, 0, 301)
        new.answers(500, 3)  # the first failures: their series begins at 3
        new.answers(200, 40)
        other.answers(503, 1)
        second = await scene.stored()
        assert await scene.ask(ERRORS, (first, second)) == Counts(3, 43, 1, 1)
        idle = second + timedelta(milliseconds=50)
        assert await scene.ask(ERRORS, (second, idle)) == Counts(0, 0, 0, 0)
        new.restarts()
        new.answers(200, 8)
        new.answers(500, 2)
        third = await scene.stored()
        assert await scene.ask(ERRORS, (idle, third)) == Counts(2, 10, 0, 0)
        assert await scene.ask(ERRORS, (begin, third), born=True) == Counts(5, 70, 1, 302)

    tell("windows", story)


def test_slow_requests_are_those_outside_the_bucket(tell: Tell) -> None:
    async def story(scene: Scene) -> None:
        new, old, _ = scene.pods.values()
        new.takes(fast=1, slow=0)
        old.takes(fast=100, slow=5)
        begin = await scene.stored()
        new.takes(fast=12, slow=4)
        old.takes(fast=90, slow=1)
        assert await scene.ask(FAST, (begin, await scene.stored())) == Counts(4, 16, 1, 91)

    tell("slow", story)


def test_increase_would_not_have_seen_the_first_failures(tell: Tell) -> None:
    """Why raw samples are added up here, and increase() is not asked."""

    async def story(scene: Scene) -> None:
        new = scene.pods["new-1"]
        new.answers(200, 10)
        begin = await scene.stored()
        new.answers(500, 3)
        end = await scene.stored()
        seen = await scene.query('sum(increase(requests_total{namespace="born",code="500"}[1m]))')
        assert not seen or float(seen[0]["value"][1]) == 0.0
        assert await scene.ask(ERRORS, (begin, end)) == Counts(3, 3, 0, 0)

    tell("born", story)


def test_nothing_of_another_namespace_or_revision_is_counted(tell: Tell) -> None:
    async def story(scene: Scene) -> None:
        begin = await scene.stored()
        for pod in scene.pods.values():
            pod.answers(500, 5)
        end = await scene.stored()
        for namespace, revision in (("windows", "churn-new"), ("others", "churn-ne"), ("others", "churn-.*")):
            new = namespace == "others"  # a new one's count begins some seconds before, when another test was at work
            about = Question("real", namespace, Arm(revision, ERRORS, born=new), None, begin, end)
            assert await Prometheus("real", Http(scene.url, scene.session)).ask([about]) == [Counts(0, 0)]

    tell("others", story)
