"""What a control plane without nodes lacks for a rollout: a gateway's answers and a metric source's numbers.

Both speak real protocols: the gateway writes HTTPRoute status through the API, the source answers the Prometheus API.
"""

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from penstock.model.faults import Retry, Stale
from penstock.shell.kube import Kube

Object = dict[str, Any]
RPS = 200.0


@dataclass
class Source:
    """A Prometheus that has seen every revision answer `RPS` requests a second, so many of them badly."""

    bad: dict[str, float] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)  # Unix seconds after which nobody asks a revision any more
    down: bool = False
    asked: int = 0
    url: str = ""
    every: int = 1  # seconds between two samples
    began: float = field(default_factory=lambda: time.time() - 3600)

    async def start(self) -> web.AppRunner:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_routes(self.handlers())
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://127.0.0.1:" + str(runner.addresses[0][1])
        return runner

    def handlers(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.post("/api/v1/query", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        self.asked += 1
        form = await request.post()
        query, at = str(form["query"]), float(str(form["time"]))
        labels = [re.search(rf'{name}=~?"([^"]+)"', query) for name in ("namespace", "penstock_dev_revision")]
        namespaces, revisions = (found[1].split("|") for found in labels if found)
        known = query.endswith("s]")  # of all else it has nothing
        result = [self._series((one, other), query, at) for one in namespaces for other in revisions if known]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    def _series(self, place: tuple[str, str], query: str, at: float) -> dict[str, Any]:
        rate = RPS * (self.bad.get(place[1], 0.0) if "5.." in query else 1.0)
        seconds = int(query.rsplit("[", 1)[1].rstrip("s]"))
        times = [at - seconds + i for i in range(self.every, seconds + 1, self.every)]
        labels = {"pod": "one", "namespace": place[0], "penstock_dev_revision": place[1]}
        end = self.until.get(place[1], at)
        return {"metric": labels, "values": [[t, str(int((min(t, end) - self.began) * rate))] for t in times]}


async def gateway(kube: Kube, namespace: str | None) -> None:
    """Take every route of the namespace, or of all, as a gateway's controller does."""
    while True:
        with suppress(Stale, Retry):  # somebody else wrote the route: look again
            await _take_all(kube, namespace)
        await asyncio.sleep(0.1)


async def _take_all(kube: Kube, namespace: str | None) -> None:
    async for page in kube.pages("HTTPRoute", namespace):
        for route in page:
            if route["spec"].get("parentRefs"):
                await _take(kube, route)


async def _take(kube: Kube, route: Object) -> None:
    generation = route["metadata"]["generation"]
    parents = (route.get("status") or {}).get("parents") or []
    if parents and parents[0]["conditions"][0]["observedGeneration"] == generation:
        return
    said = {
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-11-21T00:00:00Z",
    }
    conditions = [{"type": kind, **said} for kind in ("Accepted", "ResolvedRefs")]
    answer = {
        "parentRef": route["spec"]["parentRefs"][0],
        "controllerName": "tests.penstock.dev/gateway",
        "conditions": conditions,
    }
    await kube.update_status(route, {"parents": [answer]})
