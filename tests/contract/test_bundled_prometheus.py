"""The chart's configuration and arguments in a real Prometheus: it starts, and believes a pod only what it may say.

Pods are servers on loopback; what the API server would tell of them comes from a file. Everything else is as rendered.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from bench.prometheus.chart import Pod, Rendered, render, running
from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Arm, Counts, Question, Ratio, Selector

PATIENCE = 20.0
HONEST = 'requests_total{code="200"} 40\nrequests_total{code="500"} 2\n'
PAGES = {
    "honest": HONEST,
    "liar": 'requests_total{code="500",namespace="ml",pod="honest",penstock_dev_revision="churn-1"} 900\n',
    "late": "requests_total 7 1000\n",  # a time of its own, long ago
    "noisy": "".join(f'requests_total{{code="{n}"}} 1\n' for n in range(2001)),
    "ballast": HONEST + "requests_created 1.7e9\npython_gc_collections_total 1\n",
}
UNTYPED = "nameless"  # answers as PAGES["honest"] does, and does not say in which format
AWAY = "away"  # sends whoever asks to another pod
REVISIONS = {"honest": "churn-1", "ballast": "churn-1"}


def pods(port: int) -> list[Pod]:
    """One for each page, and some that are not to be asked; a tenant that lies has a namespace of its own."""
    made = []
    for name in (*PAGES, UNTYPED, AWAY):
        namespace = "other" if name == "liar" else "ml"
        made.append(Pod(namespace, name, REVISIONS.get(name, f"{name}-1"), str(port), f"/{name}"))
    elsewhere = ("ml", "six", "six-1", str(port))
    return [
        *made,
        Pod("ml", "done", "done-1", str(port), "/honest", phase="Succeeded"),
        Pod("ml", "silent", "silent-1", str(port), "/honest", scrape="false"),
        Pod("ml", "portless", "portless-1", "", "/honest"),
        Pod(*elsewhere, "/honest", address="::1"),
    ]


@dataclass
class Scene:
    """The running Prometheus, as tests ask it."""

    runner: asyncio.Runner
    url: str
    rendered: Rendered

    def get(self, path: str, **params: str) -> Any:
        """The data of an answer of its API."""

        async def asked() -> Any:
            async with aiohttp.ClientSession() as session, session.get(self.url + path, params=params) as answer:
                answer.raise_for_status()
                return (await answer.json())["data"]

        return self.runner.run(asked())

    def series(self, query: str) -> list[dict[str, str]]:
        """Labels of what a query finds."""
        return [one["metric"] for one in self.get("/api/v1/query", query=query)["result"]]

    def targets(self) -> dict[str, list[dict[str, Any]]]:
        """What is scraped, by pod."""
        found: dict[str, list[dict[str, Any]]] = {}
        for one in self.get("/api/v1/targets", state="active")["activeTargets"]:
            found.setdefault(one["labels"]["pod"], []).append(one)
        return found


async def exposition(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name == AWAY:
        return web.Response(status=302, headers={"Location": "/honest"})
    if name == UNTYPED:
        return web.Response(body=HONEST.encode(), headers={"Content-Type": ""})
    return web.Response(text=PAGES[name], content_type="text/plain")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """It runs, and has asked every pod."""
    app = web.Application()
    app.router.add_get("/{name}", exposition)
    rendered = render("prometheus.scrapeInterval=1s", "watch.namespace=ml")
    with asyncio.Runner() as runner:
        server = web.AppRunner(app)
        runner.run(server.setup())
        runner.run(web.TCPSite(server, "127.0.0.1", 0).start())
        port = int(server.addresses[0][1])
        with running(tmp_path_factory.mktemp("bundled"), rendered, pods(port)) as run:
            made = Scene(runner, run.url, rendered)
            runner.run(until(made, run.url))
            yield made
        runner.run(server.cleanup())


async def until(scene: Scene, url: str) -> None:
    """Every target was asked."""
    end = time.monotonic() + PATIENCE
    healths = {"unknown"}
    async with aiohttp.ClientSession() as session:
        while "unknown" in healths or not healths:
            assert time.monotonic() < end, f"it never asked all of them: {healths}"
            await asyncio.sleep(0.05)
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url + "/api/v1/targets") as answer:
                    answer.raise_for_status()
                    healths = {one["health"] for one in (await answer.json())["data"]["activeTargets"]}


def test_the_operator_finds_the_counts_of_a_revision(scene: Scene) -> None:
    total, bad = Selector("requests_total"), Selector("requests_total", 'code=~"5.."')
    now = datetime.now(UTC)
    about = Question("own", "ml", Arm("churn-1", Ratio(bad, total), born=True), None, now - timedelta(minutes=1), now)

    async def ask() -> Any:
        async with aiohttp.ClientSession() as session:
            (answer,) = await Prometheus("own", Http(scene.url, session)).ask([about])
            return answer

    assert scene.runner.run(ask()) == Counts(4, 84), "both pods of the revision, and nothing of the liar"


def test_a_pod_is_asked_once_whatever_ports_it_declares(scene: Scene) -> None:
    asked = {pod: [one["health"] for one in found] for pod, found in scene.targets().items()}
    well = {"honest", "liar", "late", "ballast", UNTYPED}
    assert {pod: health for pod, health in asked.items() if pod in well} == {pod: ["up"] for pod in well}


@pytest.mark.parametrize("pod", ["done", "silent", "portless"])
def test_is_not_asked(scene: Scene, pod: str) -> None:
    assert pod not in scene.targets()


def test_nobody_speaks_for_another(scene: Scene) -> None:
    (found,) = scene.series('requests_total{exported_pod="honest"}')
    assert (found["namespace"], found["pod"], found["penstock_dev_revision"]) == ("other", "liar", "liar-1")


def test_the_time_of_a_sample_is_that_of_the_scrape(scene: Scene) -> None:
    (found,) = scene.get("/api/v1/query", query='timestamp(requests_total{pod="late"})')["result"]
    assert abs(float(found["value"][1]) - time.time()) < PATIENCE


@pytest.mark.parametrize(("pod", "words"), [("noisy", "sample limit"), (AWAY, "302")])
def test_is_not_believed(scene: Scene, pod: str, words: str) -> None:
    (target,) = scene.targets()[pod]
    assert target["health"] == "down" and words in target["lastError"]
    assert scene.series(f'requests_total{{pod="{pod}"}}') == []


def test_what_is_of_no_use_is_not_kept(scene: Scene) -> None:
    names = {one["__name__"] for one in scene.series('{pod="ballast",__name__!~"up|scrape_.*"}')}
    assert names == {"requests_total"}


def test_an_address_of_the_new_kind_is_put_in_brackets(scene: Scene) -> None:
    (target,) = scene.targets()["six"]
    assert target["scrapeUrl"].startswith("http://[::1]:")


def test_all_of_the_configuration_was_taken(scene: Scene) -> None:
    loaded = yaml.safe_load(scene.get("/api/v1/status/config")["yaml"])
    flags = scene.get("/api/v1/status/flags")
    (found,) = loaded["scrape_configs"][0]["kubernetes_sd_configs"]
    assert found["selectors"] == [{"role": "pod", "label": "penstock.dev/revision"}]
    assert found["namespaces"]["names"] == ["ml"]
    assert loaded["storage"]["tsdb"]["retention"] == {"time": "6h", "size": "512MiB"}
    assert (flags["query.max-samples"], flags["scrape.discovery-reload-interval"]) == ("5000000", "1s")
    assert [flags[name] for name in ("web.enable-admin-api", "web.enable-lifecycle")] == ["false", "false"]
