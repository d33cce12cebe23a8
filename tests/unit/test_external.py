"""The API for live metrics over real TLS: whom it answers, and what autoscalers read."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cluster.certs import Authority
from penstock.metrics.batch import Batch
from penstock.model.measure import Answer, Levels, Question, Silence
from penstock.shell.cache import Cache
from penstock.shell.external import Trust, make_app, make_context, value_of
from penstock.shell.meter import FRESH, Meter
from penstock.shell.projection import Child, Scale
from penstock.shell.texts import Record
from penstock.shell.web import serve
from tests.ports import free_port

KEY = ("ml", "churn")
REVISION = "churn-a1b2"
PLACE = "/apis/external.metrics.k8s.io/v1beta1"
METRIC = f"{PLACE}/namespaces/ml/requestsPerSecond"
OURS = {"labelSelector": f"penstock.dev/revision={REVISION}"}


class Source:
    """Answers every question alike, and counts how often it is asked."""

    def __init__(self) -> None:
        self.answer: Answer = Levels((120.0,), pods=2)
        self.asked: list[int] = []

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked.append(len(questions))
        return [self.answer] * len(questions)


def child(kind: str, seen: Any) -> Child:
    return Child(kind, REVISION, "u", 1, REVISION, "x", "", "owner", seen)


def make_cache() -> Cache:
    cache = Cache()
    metrics = [{"name": "requestsPerSecond", "target": 50}, {"name": "inFlight", "target": 4}]
    spec = {"scaling": {"maxReplicas": 5, "metrics": metrics}}
    cache.parents[KEY] = {"metadata": {"uid": "owner", "namespace": "ml", "name": "churn"}, "spec": spec}
    data = {"version": "7", "port": 8080, "template": {}, "profile": {"requests": {"name": "requests_total"}}}
    mine = [child("ControllerRevision", Record.of({"data": data, "revision": 1})), child("Deployment", Scale(2, 2))]
    cache.children[KEY] = {(c.kind, c.name): c for c in mine}
    return cache


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    for name, hosts in (("front-proxy", ()), ("server", ("127.0.0.1",)), ("stranger", ())):
        authority = Authority(folder, f"{name}-ca")
        authority.create()
        authority.issue(name, f"/CN={name}", hosts)
    Authority(folder, "front-proxy-ca").issue("other", "/CN=other")
    return folder


def client(pki: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki / "server-ca.crt"))
    if name:
        context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    return context


def ask(pki: Path, meter: Meter, who: str | None, *paths: tuple[str, dict[str, str]]) -> list[tuple[int, Any]]:
    """What a client with this certificate is answered, one after the other."""

    async def run() -> list[tuple[int, Any]]:
        trust = Trust((pki / "front-proxy-ca.crt").read_text(), frozenset({"front-proxy"}))
        context = make_context(str(pki / "server.crt"), str(pki / "server.key"), trust)
        runner = await serve(make_app(meter, trust), port := free_port(), context)
        try:
            async with aiohttp.ClientSession() as session:
                found = []
                for path, query in paths:
                    url = f"https://127.0.0.1:{port}{path}"
                    async with session.get(url, params=query, ssl=client(pki, who)) as answer:
                        found.append((answer.status, await answer.json()))
                return found
        finally:
            await runner.cleanup()

    return asyncio.run(run())


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def meter(source: Source) -> Iterator[Meter]:
    yield Meter(make_cache(), {"default": Batch("default", source)}, Clock())


def test_the_front_proxy_is_told_the_value(pki: Path, meter: Meter) -> None:
    ((code, body),) = ask(pki, meter, "front-proxy", (METRIC, OURS))
    assert code == 200 and body["kind"] == "ExternalMetricValueList"
    (item,) = body["items"]
    assert item["value"] == "120" and item["metricLabels"] == {"penstock.dev/revision": REVISION}
    assert item["timestamp"] == "2025-12-31T23:59:59Z"


def test_nobody_else_is_told_anything(pki: Path, meter: Meter, source: Source) -> None:
    for who in (None, "stranger"):
        with pytest.raises(aiohttp.ClientError):
            ask(pki, meter, who, (METRIC, OURS))
    ((code, body),) = ask(pki, meter, "other", (METRIC, OURS))
    assert (code, body["reason"]) == (403, "Forbidden")
    assert source.asked == []


def test_the_group_describes_itself(pki: Path, meter: Meter) -> None:
    (_, group), (_, resources) = ask(pki, meter, "front-proxy", ("/apis/external.metrics.k8s.io", {}), (PLACE, {}))
    assert group["preferredVersion"]["version"] == "v1beta1"
    assert resources["kind"] == "APIResourceList" and resources["resources"][0]["namespaced"]


def test_many_askings_are_one_question_until_the_value_is_old(pki: Path, meter: Meter, source: Source) -> None:
    ask(pki, meter, "front-proxy", (METRIC, OURS), (METRIC, OURS), (METRIC, OURS))
    assert source.asked == [1]
    assert isinstance(meter.clock, Clock)
    meter.clock.now += FRESH
    source.answer = Silence("no answer")
    ((code, body),) = ask(pki, meter, "front-proxy", (METRIC, OURS))
    assert (code, body["reason"]) == (503, "ServiceUnavailable"), "an old value must not be told"
    assert "no answer" in body["message"] and source.asked == [1, 1]


@pytest.mark.parametrize(
    ("path", "query", "code", "said"),
    [
        (METRIC, {}, 400, "labelSelector"),
        (METRIC, {"labelSelector": "app=churn"}, 400, "labelSelector"),
        (METRIC, {"labelSelector": "penstock.dev/revision=other-a1b2"}, 404, "other-a1b2"),
        (f"{PLACE}/namespaces/other/requestsPerSecond", OURS, 404, "other"),
        (f"{PLACE}/namespaces/ml/cpu", OURS, 404, "cpu"),
        (f"{PLACE}/namespaces/ml/inFlight", OURS, 404, "does not say what inFlight is"),
    ],
)
def test_what_is_not_followed_is_refused_in_words(
    pki: Path, meter: Meter, source: Source, path: str, query: dict[str, str], code: int, said: str
) -> None:
    ((answered, body),) = ask(pki, meter, "front-proxy", (path, query))
    assert answered == code and said in body["message"]
    assert source.asked == []


def test_a_revision_of_somebody_elses_is_not_followed(pki: Path, meter: Meter) -> None:
    """A ControllerRevision with our labels that another controller owns must not lend its profile."""
    meter.cache.children[KEY]["ControllerRevision", REVISION].owner_uid = "somebody"
    ((code, _),) = ask(pki, meter, "front-proxy", (METRIC, OURS))
    assert code == 404


def test_keda_reads_the_same_numbers_by_name() -> None:
    async def story() -> None:
        source, clock = Source(), Clock()
        meter = Meter(make_cache(), {"default": Batch("default", source)}, clock)
        app = web.Application()
        app.router.add_get("/live/{namespace}/{revision}/{metric}", value_of(meter))
        port = free_port()
        runner = await serve(app, port)
        async with aiohttp.ClientSession() as session:

            async def asked(place: str) -> tuple[int, Any]:
                async with session.get(f"http://127.0.0.1:{port}/live/{place}") as answer:
                    return answer.status, await answer.json()

            assert await asked(f"ml/{REVISION}/requestsPerSecond") == (200, {"requestsPerSecond": 120.0})
            assert await asked(f"ml/{REVISION}/errorRate") == (404, {}), "nobody follows it"
            assert await asked(f"other/{REVISION}/requestsPerSecond") == (404, {})
            source.answer = Silence("away")
            clock.now += FRESH + timedelta(seconds=1)
            assert await asked(f"ml/{REVISION}/requestsPerSecond") == (503, {})
        await runner.cleanup()

    asyncio.run(story())
