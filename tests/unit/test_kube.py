"""What `Kube` sends and how it takes every kind of answer, against a real HTTP server on loopback."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from kubernetes.aio.client.configuration import Configuration

from penstock.model.faults import Rejected, Retry, Stale
from penstock.shell import kube as kube_module
from penstock.shell.kube import Call, Kube

Object = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"namespace": "ml", "name": "churn-1", "resourceVersion": "7"},
}


def with_server(answer: Answer, story: Callable[[Kube], Awaitable[None]], pool: int = 32) -> None:
    """Run the story with a `Kube` whose API server is `answer`."""

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        kube = Kube(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"), pool)
        try:
            await story(kube)
        finally:
            await kube.close()
            await runner.cleanup()

    asyncio.run(main())


def status(code: int, message: str = "said the server", details: Object | None = None, **headers: str) -> web.Response:
    said = {"kind": "Status", "message": message, "code": code, "details": details or {}}
    return web.json_response(
        said, status=code, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


def fault_for(response: Callable[[], web.Response]) -> Exception:
    caught: list[Exception] = []

    async def answer(_: web.Request) -> web.StreamResponse:
        return response()

    async def story(kube: Kube) -> None:
        with pytest.raises((Retry, Rejected, Stale)) as raised:
            await kube.apply(DEPLOYMENT)
        caught.append(raised.value)

    with_server(answer, story)
    return caught[0]


QUOTA = "deployments.apps is forbidden: exceeded quota: small"
SCHEMA = (
    "failed to create typed patch object (ml/churn-1; apps/v1, Kind=Deployment): .spec.x: field not declared in schema"
)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda: status(400), "ApiInvalid"),
        (lambda: status(403), "ApiForbidden"),
        (lambda: status(403, QUOTA), "QuotaExceeded"),
        (lambda: status(403, "x", {"causes": [{"reason": "NamespaceTerminating"}]}), "NamespaceTerminating"),
        (lambda: status(404, 'namespaces "ml" not found', {"kind": "namespaces", "name": "ml"}), "NamespaceMissing"),
        (lambda: status(404, "the server could not find the requested resource"), "ApiKindMissing"),
        (lambda: status(413), "ApiTooLarge"),
        (lambda: status(418), "ApiRefused"),
        (lambda: status(422), "ApiInvalid"),
        (lambda: status(500, SCHEMA), "ApiInvalid"),
        (lambda: status(500, "etcdserver: request is too large"), "ApiTooLarge"),
    ],
)
def test_refusals_become_reasons(response: Callable[[], web.Response], reason: str) -> None:
    fault = fault_for(response)
    assert isinstance(fault, Rejected) and fault.reason == reason
    assert fault.message.startswith("Deployment/churn-1: ")


@pytest.mark.parametrize(
    ("response", "after", "asked"),
    [
        (lambda: status(429, Retry_After="7"), 7, True),
        (lambda: status(503, Retry_After="0"), 1, True),
        (lambda: status(503, Retry_After="99999"), 300, True),
        (lambda: status(503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 1, False),
        (lambda: status(504, details={"retryAfterSeconds": 4}), 4, True),
        (lambda: status(500), 1, False),
        (lambda: status(401), 1, False),
        (lambda: web.Response(status=502, text="<html>" + "secret " * 999), 1, False),
        (lambda: web.Response(status=200, text="<html>hello"), 1, False),
    ],
)
def test_outages_become_retries(response: Callable[[], web.Response], after: float, asked: bool) -> None:
    fault = fault_for(response)
    assert isinstance(fault, Retry) and (fault.after, fault.asked) == (after, asked)
    assert "html" not in fault.message and "secret" not in fault.message


@pytest.mark.parametrize(
    "response", [lambda: status(409), lambda: status(404, "x", {"name": "churn-1", "kind": "deployments"})]
)
def test_a_moved_on_world_is_stale(response: Callable[[], web.Response]) -> None:
    assert isinstance(fault_for(response), Stale)


def test_messages_are_one_short_line() -> None:
    fault = fault_for(lambda: status(422, "spec is\n wrong " * 100))
    assert isinstance(fault, Rejected) and len(fault.message) == 300 and "\n" not in fault.message


def test_no_server_and_no_answer_are_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    async def closed() -> None:
        kube = Kube(Configuration(host="http://127.0.0.1:1"))
        with pytest.raises(Retry, match="Deployment/churn-1: no answer from the API server"):
            await kube.apply(DEPLOYMENT)
        await kube.close()

    asyncio.run(closed())
    monkeypatch.setattr(kube_module, "TIMEOUT", ClientTimeout(total=0.2))

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def story(kube: Kube) -> None:
        seen: list[tuple[str, str, int]] = []
        kube.on_request = lambda verb, kind, code, _: seen.append((verb, kind, code))
        begin = time.monotonic()
        with pytest.raises(Retry):
            await kube.get("Deployment", "ml", "x")
        assert time.monotonic() - begin < 5 and seen == [("get", "Deployment", 0)]

    with_server(hang, story)


def test_what_an_answer_says_of_the_time_is_passed_on() -> None:
    date = "Fri, 27 Nov 2026 00:00:00 GMT"

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {}}, headers={"Date": date})

    async def story(kube: Kube) -> None:
        told: list[tuple[str, float]] = []
        kube.on_date = lambda said, sent: told.append((said, sent))
        begin = time.monotonic()
        await kube.get("Deployment", "ml", "x")
        ((said, sent),) = told
        assert said == date and begin <= sent <= time.monotonic()

    with_server(answer, story)


def test_what_is_sent() -> None:
    sent: list[tuple[str, str, str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        sent.append((request.method, request.path_qs, request.content_type, json.loads(body) if body else None))
        return web.json_response({"metadata": {}})

    async def story(kube: Kube) -> None:
        live = {
            **DEPLOYMENT,
            "metadata": {**DEPLOYMENT["metadata"], "uid": "u-7", "resourceVersion": "7"},
            "status": {"old": 1},
        }
        await kube.apply(DEPLOYMENT)
        await kube.create({"kind": "Event", "metadata": {"namespace": "ml", "name": "e"}})
        await kube.replace({"kind": "Lease", "metadata": {"namespace": "ml", "name": "l", "resourceVersion": "1"}})
        await kube.update_status(live, {"keep": {"a": 2}, "new": [1]})
        await kube.delete("Service", "ml", "../x", "u-1")
        await kube.get("ModelRuntime", None, "mlserver")
        await kube.apply(DEPLOYMENT, "somebody")

    with_server(answer, story)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u-1"}}
    told = {key: DEPLOYMENT[key] for key in ("apiVersion", "kind")} | {"status": {"keep": {"a": 2}, "new": [1]}}
    told["metadata"] = {"namespace": "ml", "name": "churn-1", "uid": "u-7", "resourceVersion": "7"}
    in_ml = "/apis/apps/v1/namespaces/ml/deployments/churn-1"
    owner = "fieldManager=penstock"
    assert [call[:3] for call in sent] == [
        ("PATCH", f"{in_ml}?{owner}&force=true", "application/apply-patch+yaml"),
        ("POST", f"/apis/events.k8s.io/v1/namespaces/ml/events?{owner}", "application/json"),
        ("PUT", f"/apis/coordination.k8s.io/v1/namespaces/ml/leases/l?{owner}", "application/json"),
        ("PUT", f"{in_ml}/status?{owner}", "application/json"),
        ("DELETE", "/api/v1/namespaces/ml/services/..%2Fx", "application/json"),
        ("GET", "/apis/penstock.dev/v1alpha1/modelruntimes/mlserver", "application/json"),
        ("PATCH", f"{in_ml}?fieldManager=somebody&force=true", "application/apply-patch+yaml"),
    ]
    assert (sent[0][3], sent[3][3]) == (DEPLOYMENT, told)
    assert sent[4][3] == options | {"propagationPolicy": "Background"}


def test_unfenced_writes_are_bugs() -> None:
    async def story() -> None:
        kube = Kube(Configuration(host="http://127.0.0.1:1"))
        with pytest.raises(ValueError):
            await kube.update_status({"kind": "Deployment", "metadata": {"name": "x", "namespace": "y"}}, {})
        with pytest.raises(ValueError):
            await kube.replace({"kind": "Lease", "metadata": {"name": "x", "namespace": "y"}})
        with pytest.raises(ValueError):
            await kube.delete("Service", "ml", "x", "")
        await kube.close()

    asyncio.run(story())


def test_a_write_that_waits_for_a_connection_is_still_stopped_by_the_fence() -> None:
    arrived, release, busy = [], asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        arrived.append(request.method)
        busy.set()
        await release.wait()
        return web.json_response({"metadata": {}})

    async def story(kube: Kube) -> None:
        held = True

        def fence() -> None:
            if not held:
                raise RuntimeError("lost")

        kube.fence = fence
        writes = [asyncio.create_task(kube.apply(DEPLOYMENT)) for _ in range(3)]
        await busy.wait()
        held = False
        release.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(result) for result in results] == [dict, RuntimeError, RuntimeError]
        assert await kube.get("Deployment", "ml", "x") is not None, "reading is always allowed"

    with_server(answer, story, pool=1)
    assert arrived == ["PATCH", "GET"]


def test_pages_are_chunked_and_an_expired_listing_starts_again() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        token = request.query.get("continue", "")
        asked.append(token)
        assert request.query["limit"] == "100" and request.query["labelSelector"] == "a=b"
        if token == "second" and asked.count("second") == 1:
            return status(410, "the provided continue parameter is too old")
        name = "two" if token else "one"
        item = {"metadata": {"name": name, "managedFields": [{"big": "x"}]}}
        return web.json_response({"metadata": {"continue": "" if token else "second"}, "items": [item]})

    async def story(kube: Kube) -> None:
        pages = [page async for page in kube.pages("Service", None, "a=b")]
        assert [item["metadata"] for page in pages for item in page] == [{"name": n} for n in ("one", "one", "two")]
        assert pages[0][0]["kind"] == "Service" and pages[0][0]["apiVersion"] == "v1"

    with_server(answer, story)
    assert asked == ["", "second", "", "second"]


def test_an_ever_expiring_listing_ends_as_a_retry() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return status(410)
        return web.json_response({"metadata": {"continue": "x"}, "items": []})

    async def story(kube: Kube) -> None:
        with pytest.raises(Retry):
            _ = [page async for page in kube.pages("Service")]

    with_server(answer, story)


def test_the_environment_cannot_redirect_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {}})

    async def story(kube: Kube) -> None:
        assert await kube.get("Service", "ml", "x") == {"metadata": {}}

    with_server(answer, story)


def test_a_create_path_has_no_name() -> None:
    assert Call("create", "POST", "Service", "ml", "x").url == "/api/v1/namespaces/ml/services"
    assert Call("list", "GET", "Service").url == "/api/v1/services"
