"""The proxy itself, before a small server that answers as a Kubernetes API does: it adds nothing and loses nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from yarl import URL

from tests.faults.proxy import Cut, Fault, Kill, Late, Lose, Place, Proxy, Say, at, place_of, verb_of

EVENTS = [{"type": "MODIFIED", "object": {"metadata": {"resourceVersion": str(n)}}} for n in range(3)]
ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"
SPEC = "/apis/apps/v1/namespaces/ml/deployments/churn-1"


class Server:
    """Counts writes; its watch sends one event for each `news`, then stays open."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.news: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            out = web.StreamResponse(headers={"Content-Type": "application/json"})
            await out.prepare(request)
            while True:
                await out.write(json.dumps(await self.news.get()).encode() + b"\n")
        if request.method != "GET":
            self.written.append(f"{request.method} {request.raw_path} {(await request.read()).decode()}")
        return web.json_response({"metadata": {"resourceVersion": str(len(self.written))}})


@asynccontextmanager
async def between(folder: Path) -> AsyncIterator[tuple[Server, Proxy, ClientSession]]:
    server, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    kubeconfig = folder / "upstream"
    kubeconfig.write_text(json.dumps({"clusters": [{"cluster": {"server": url}}], "users": [{"user": {}}]}))
    try:
        async with Proxy(kubeconfig) as proxy, ClientSession(proxy.url) as client:
            yield server, proxy, client
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/v1/namespaces/ml/pods/a", Place("", "pods", "ml", "a")),
        ("/api/v1/nodes", Place("", "nodes")),
        ("/api/v1/namespaces/ml", Place("", "namespaces", "", "ml")),
        (SPEC + "/status", Place("apps", "deployments", "ml", "churn-1", "status")),
        (ROUTES, Place("gateway.networking.k8s.io", "httproutes")),
        ("/apis/apps/v1", Place()),
        ("/version", Place()),
    ],
)
def test_a_path_is_about(path: str, place: Place) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize(
    ("method", "path", "query", "verb"),
    [
        ("GET", SPEC, "", "get"),
        ("GET", ROUTES, "limit=500", "list"),
        ("GET", ROUTES, "watch=true&resourceVersion=1", "watch"),
        ("PATCH", SPEC, "force=true", "patch"),
        ("GET", "/apis", "", ""),
    ],
)
def test_rbac_calls_it(method: str, path: str, query: str, verb: str) -> None:
    assert verb_of(method, place_of(path), query) == verb


def test_a_request_passes_as_it_is_and_is_noted(tmp_path: Path) -> None:
    async def story() -> None:
        async with between(tmp_path) as (server, proxy, client):
            reply = await client.patch(URL(SPEC + "?fieldManager=a%2Fb", encoded=True), data=b'{"a": 1}')
            assert (await reply.json())["metadata"] == {"resourceVersion": "1"}
            assert server.written == [f'PATCH {SPEC}?fieldManager=a%2Fb {{"a": 1}}']
            (seen,) = proxy.written()
            assert (seen.where, seen.code, seen.version) == ("patch deployments churn-1", 200, "1")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("fault", "lands", "answered", "kills"),
    [
        (Kill(), False, False, 1),
        (Kill(after=True), True, False, 1),
        (Lose(), True, False, 0),
        (Cut(), False, False, 0),
        (Late(0.01), True, True, 0),
        (Say(429, 7), False, True, 0),
    ],
)
def test_the_second_write_meets(fault: Fault, lands: bool, answered: bool, kills: int, tmp_path: Path) -> None:
    async def story() -> None:
        async with between(tmp_path) as (server, proxy, client):
            killed: list[int] = []
            proxy.kill, proxy.judge = lambda: killed.append(1), at(2, fault)
            await client.put("/apis/coordination.k8s.io/v1/namespaces/ml/leases/penstock", data=b"no write")
            await client.patch(SPEC, data=b"first")
            if answered:
                reply = await client.patch(SPEC, data=b"second")
                assert reply.headers.get("Retry-After") == ("7" if isinstance(fault, Say) else None)
                assert (reply.status == 429) is isinstance(fault, Say)
            else:
                with pytest.raises(ClientConnectionError):
                    await client.patch(SPEC, data=b"second")
            assert len(server.written) == 2 + lands and len(killed) == kills

    asyncio.run(story())


def test_a_watch_brings_each_event_when_it_comes_unless_the_weather_is_bad(tmp_path: Path) -> None:
    async def story() -> None:
        async with between(tmp_path) as (server, proxy, client):
            stream = await client.get(ROUTES + "?watch=true")
            weather = proxy.weather["httproutes"]

            async def told() -> list[str]:
                line = await asyncio.wait_for(stream.content.readline(), 5)
                return [json.loads(line)["type"], json.loads(line)["object"].get("code")]

            server.news.put_nowait(EVENTS[0])
            assert await told() == ["MODIFIED", None]
            weather.freeze()
            server.news.put_nowait(EVENTS[1])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.content.readline(), 0.2)
            weather.thaw()
            assert await told() == ["MODIFIED", None]
            weather.edit = lambda line: [(0.0, line), (0.1, line)]
            server.news.put_nowait(EVENTS[2])
            assert [await told(), await told()] == [["MODIFIED", None]] * 2
            await weather.expire()
            assert await told() == ["ERROR", 410]
            assert await stream.content.readline() == b"", "the stream has ended"

    asyncio.run(story())


def test_a_deaf_stream_stays_open_and_a_new_one_hears(tmp_path: Path) -> None:
    async def story() -> None:
        async with between(tmp_path) as (server, proxy, client):
            first = await client.get(ROUTES + "?watch=true")
            proxy.weather["httproutes"].deafen()
            server.news.put_nowait(EVENTS[0])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(first.content.readline(), 0.2)
            first.close()
            second = await client.get(ROUTES + "?watch=true")
            server.news.put_nowait(EVENTS[1])
            server.news.put_nowait(EVENTS[2])
            assert json.loads(await asyncio.wait_for(second.content.readline(), 5))["type"] == "MODIFIED"

    asyncio.run(story())


def test_an_old_list_is_told_until_it_is_forgotten(tmp_path: Path) -> None:
    async def story() -> None:
        async with between(tmp_path) as (_, proxy, client):

            async def listed() -> str:
                return str((await (await client.get(ROUTES + "?limit=500")).json())["metadata"]["resourceVersion"])

            assert await listed() == "0"
            proxy.remember()
            await client.patch(SPEC, data=b"")
            assert await listed() == "0"
            proxy.forget()
            assert await listed() == "1"

    asyncio.run(story())
