"""Nothing that is secret, and no body of an answer, gets into what the operator writes: it is planted, and looked for.

Planted are: Secrets that a spec names, the credential of the metric source, values of environment variables, and
every part of a broken answer of the source. Looked through is all that there is in the namespace, the log and the
operator's own metrics.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from penstock.model.kinds import KINDS
from tests.conftest import ControlPlane
from tests.integration.operator_process import Running, running_operator
from tests.integration.test_rollout import Scene, scene
from tests.sim.machine import model
from tests.walk.dry import deployment

Object = dict[str, Any]
BODY, TOKEN, SECRET, ENV = (f"canary-{what}-7f3a9" for what in ("body", "token", "secret", "env"))
WHERE_ENV_BELONGS = {"ModelDeployment", "ControllerRevision", "Deployment", "Pod"}
ODD: Object = {"metric": {BODY: BODY}, "values": [[1, BODY]]}
ANSWERS: list[tuple[int, Any]] = [
    (200, BODY),
    (200, {"status": "error", "errorType": BODY, "error": BODY}),
    (200, {"status": "success", "warnings": [BODY], "data": {"resultType": "matrix", "result": []}}),
    (200, {"status": "success", "data": {"resultType": BODY, "result": [{BODY: BODY}]}}),
    (
        200,
        {
            "status": "success",
            "data": {"resultType": "matrix", "result": [{"metric": {BODY: BODY}, "values": [[1, BODY]]}]},
        },
    ),
    (302, BODY),
    (400, {"status": "error", "errorType": "bad_data", "error": BODY}),
    (401, BODY),
    (422, {"status": "error", "error": BODY}),
    (500, BODY),
]


class Leaky:
    """A metric source that puts the canary into everything it says."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.heard = ""

    async def answer(self, request: web.Request) -> web.Response:
        """The next broken answer."""
        self.heard = request.headers.get("Authorization", "")
        status, body = ANSWERS[len(self.told) % len(ANSWERS)]
        self.told.append(status)
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"X-Error": BODY, "Location": f"http://127.0.0.1:9/{BODY}"}
        return web.Response(status=status, text=text, reason=BODY, headers=headers)

    async def start(self) -> tuple[web.AppRunner, str]:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/{BODY}"


def secret(name: str, namespace: str) -> Object:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"key": SECRET, SECRET: "x"}}


def test_nothing_secret_and_no_body_is_written_anywhere(control_plane: ControlPlane, tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(control_plane, "canary") as made:
            await _story(made, tmp_path)

    asyncio.run(story())


async def _story(made: Scene, folder: Path) -> None:
    for name in ("login", "keys", "tls"):
        made.plane.kubectl("apply", "-f", "-", input=json.dumps(secret(name, made.namespace)))
    (folder / "token").write_text(TOKEN)
    leaky = Leaky()
    runner, url = await leaky.start()
    auth = {"bearer": {"tokenFile": str(folder / "token")}}
    try:
        with running_operator(made.plane.kubeconfig, made.namespace, made.namespace, url, auth=auth) as running:
            await made.kube.apply(_guarded(made.namespace))
            await made.apply("v1", **_pods())
            await made.settled("v1")
            await made.apply("v2", **_pods())
            await made.until(lambda s: any(c["reason"] == "MetricsUnavailable" for c in s["conditions"]))
            await made.until(lambda _: len(leaky.told) > len(ANSWERS), seconds=120)
            assert leaky.heard == f"Bearer {TOKEN}", "or the law would hold for an operator that sends none"
            assert [place async for place in _written(made, running)] == []
    finally:
        await runner.cleanup()


def _pods() -> Object:
    """What belongs to the pods, and the wish for a Secret."""
    env = [{"name": "PASSWORD", "value": ENV}]
    return {"server": {"env": env}, "pod": {"imagePullSecrets": [{"name": "login"}]}}


def _guarded(namespace: str) -> Object:
    """A model whose policy names Secrets; it cannot be kept here, and that is told."""
    policy = {"apiKey": {"secret": {"name": "keys"}}, "tls": {"secret": {"name": "tls"}}}
    traffic = {"gateway": {"name": "models"}, "hostnames": ["churn.corp"], "policy": policy}
    spec = model("v1")["spec"] | {"traffic": traffic, "runtime": "rollout"} | _pods()
    return deployment(spec, "guarded", namespace)


async def _written(made: Scene, running: Running) -> Any:
    """Each place where a canary is, and should not be."""
    lives = [live async for live in _everything(made)]
    assert len(lives) > 10, "there is nothing to look through"
    for live in lives:
        for place in _found(live["kind"], live):
            yield place
    for name, text in (("log", running.log.read_text()), ("metrics", running.get("/metrics"))):
        for line in text.splitlines():
            if any(canary in line for canary in (BODY, TOKEN, SECRET, ENV)):
                yield f"in the {name}: {line[:500]}"


async def _everything(made: Scene) -> Any:
    for kind, known in KINDS.items():
        if known.namespaced and (not known.group or await made.kube.served([kind])):
            async for page in made.kube.pages(kind, made.namespace):
                for live in page:
                    yield live


def _found(kind: str, live: Object) -> Iterator[str]:
    belongs = {ENV} if kind in WHERE_ENV_BELONGS else set()
    for canary in {BODY, TOKEN, SECRET, ENV} - belongs:
        if canary in json.dumps(live):
            yield f"{canary} in {kind} {live['metadata']['name']}: {json.dumps(live)[:2000]}"
    if ENV in json.dumps(live.get("status")):
        yield f"{ENV} in the status of {kind} {live['metadata']['name']}"
