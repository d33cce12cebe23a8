"""A canary at 50 % that may turn bad: what each contestant's user applies, where its shares stand, what it asks.

All look every ten seconds, which is the least that Flagger can, and all give up at the first look that is bad enough.
"""

import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bench.speed.contestants import (
    APPS,
    CANARIES,
    OURS,
    PENSTOCK,
    ROLLOUTS,
    argo,
    crds_of_argo,
    crds_of_flagger,
    flagger,
    install,
    operator,
    services,
    wish,
    workload,
)
from bench.speed.rig import NAMESPACE, Client, Object
from cluster.addons import schemas
from tests.conftest import ControlPlane
from tests.integration.surroundings import Source

INTERVAL = 10  # seconds between two looks
ROUTES = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes"
VIRTUAL = f"/apis/networking.istio.io/v1/namespaces/{NAMESPACE}/virtualservices"
Posts = list[tuple[str, Object]]


@dataclass(frozen=True)
class Way:
    """One contestant in this question. A candidate has one name, by which routes and source know it."""

    name: str
    source: "Callable[[], Clocked]"  # where it asks
    routes: str  # the collection that holds the shares
    weights: Callable[[Object], dict[str, int]]
    install: Callable[[ControlPlane], None]
    command: Callable[[Path, Path, str], list[str]]  # kubeconfig, folder for its files, address of the source
    job: Callable[[str, str], Posts]  # name, address of the source
    newer: Callable[[str], tuple[str, Object]]  # the merge patch that asks for the next version, and of what
    serves: Callable[[Client], Awaitable[int]]  # how many have their first version
    holds: Callable[[Client], Awaitable[int]]  # how many know of a candidate that has its share
    tried: Callable[[Client], Awaitable[list[str]]]  # the candidates


def backends(route: Object) -> dict[str, int]:
    """The shares of an HTTPRoute."""
    return {b["name"]: b.get("weight", 1) for rule in route["spec"]["rules"] for b in rule.get("backendRefs", [])}


def hosts(route: Object) -> dict[str, int]:
    """The shares of a VirtualService."""
    return {each["destination"]["host"]: each.get("weight", 0) for each in route["spec"]["http"][0]["route"]}


def _counting(where: str, holds: Callable[[Object], bool]) -> Callable[[Client], Awaitable[int]]:
    async def count(client: Client) -> int:
        return sum(holds(one.get("status") or {}) for one in await client.list(where))

    return count


def _named(where: str) -> Callable[[Client], Awaitable[list[str]]]:
    async def names(client: Client) -> list[str]:
        return [f"{one['metadata']['name']}-canary" for one in await client.list(where)]

    return names


def _of_argo(plane: ControlPlane) -> None:
    for kind in ("VirtualService", "DestinationRule"):
        plane.install_crd(schemas.istio(), kind)
    install(plane, crds_of_argo())


def _of_flagger(plane: ControlPlane) -> None:
    plane.install_gateway_api()
    install(plane, crds_of_flagger())


def _of_ours(plane: ControlPlane) -> None:
    plane.install_gateway_api()
    PENSTOCK.install(plane)


def _our_job(name: str, _: str) -> Posts:
    metrics = [{"name": "errorRate", "max": "2%"}]
    analysis = {"interval": f"{INTERVAL}s", "minRequests": 50, "metrics": metrics}
    return [(OURS, wish(name, analysis=analysis, traffic={"gateway": {"name": "models"}}))]


def _our_newer(name: str) -> tuple[str, Object]:
    return f"{OURS}/{name}", {"spec": {"model": {"version": "v2", "uri": "oci://registry.corp/churn:v2"}}}


async def _our_tried(client: Client) -> list[str]:
    return [one["status"]["candidate"]["revision"] for one in await client.list(OURS)]


def _template(where: str) -> Callable[[str], tuple[str, Object]]:
    def newer(name: str) -> tuple[str, Object]:
        return f"{where}/{name}", {"spec": {"template": {"metadata": {"annotations": {"version": "v2"}}}}}

    return newer


def _argo_job(name: str, url: str) -> Posts:
    meta = {"name": name, "namespace": NAMESPACE}
    asked = {"prometheus": {"address": url, "query": f'errors{{revision="{name}-canary"}}'}}
    metric = {"name": "errors", "interval": f"{INTERVAL}s", "failureLimit": 0, "successCondition": "result[0] <= 2"}
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": meta}
    template["spec"] = {"metrics": [metric | {"provider": asked}]}
    shares = [{"destination": {"host": f"{name}-{side}"}, "weight": w} for side, w in (("stable", 100), ("canary", 0))]
    virtual: Object = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": meta}
    virtual["spec"] = {"hosts": [f"{name}.test"], "http": [{"name": "primary", "route": shares}]}
    canary = {
        "stableService": f"{name}-stable",
        "canaryService": f"{name}-canary",
        "trafficRouting": {"istio": {"virtualService": {"name": name, "routes": ["primary"]}}},
        "analysis": {"templates": [{"templateName": name}], "startingStep": 1},
        "steps": [{"setWeight": 50}, {"pause": {}}],
    }
    rollout = workload(name, "Rollout", "argoproj.io/v1alpha1", {"strategy": {"canary": canary}})
    templates = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/analysistemplates"
    return [
        *services(name, f"{name}-stable", f"{name}-canary"),
        (VIRTUAL, virtual),
        (templates, template),
        (ROLLOUTS, rollout),
    ]


def _flagger_job(name: str, url: str) -> Posts:
    meta = {"name": name, "namespace": NAMESPACE}
    template: Object = {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": meta}
    query = f'errors{{revision="{name}-canary"}}'
    template["spec"] = {"provider": {"type": "prometheus", "address": url}, "query": query}
    metric = {"name": "errors", "templateRef": {"name": name}, "thresholdRange": {"max": 2}, "interval": "1m"}
    # It would promote one that has its whole share: asked before, the source says no, and it goes on looking.
    waiting = {"name": "hold", "type": "confirm-promotion", "url": f"{url}/confirm"}
    analysis = {"interval": f"{INTERVAL}s", "threshold": 1, "stepWeight": 50, "maxWeight": 50}
    service = {"port": 80, "targetPort": 8080, "hosts": [f"{name}.test"], "gatewayRefs": [{"name": "models"}]}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    canary: Object = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta}
    canary["spec"] = {"targetRef": target, "service": service}
    canary["spec"]["analysis"] = analysis | {"metrics": [metric], "webhooks": [waiting]}
    templates = f"/apis/flagger.app/v1beta1/namespaces/{NAMESPACE}/metrictemplates"
    made = workload(name, "Deployment", "apps/v1", {})
    return [(templates, template), (f"{APPS}/deployments", made), (CANARIES, canary)]


@dataclass
class Clocked(Source):
    """Remembers when each revision was answered for."""

    answered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def _answer(self, request: web.Request) -> web.Response:
        answer = await super()._answer(request)
        found = re.search(r'penstock_dev_revision=~?"([^"]+)"', str((await request.post())["query"]))
        for name in found[1].split("|") if found else ():
            self.answered[name].append(time.monotonic())
        return answer

    def decisive(self, name: str, before: float) -> float:
        """When the last answer about it was given before that instant."""
        return max(at for at in self.answered[name] if at < before)


class Vectors(Clocked):
    """A Prometheus for rivals: of a revision, the per cent that fails. It confirms no promotion."""

    def handlers(self) -> list[web.RouteDef]:
        """What it answers."""
        query = "/api/v1/query"
        return [web.get(query, self._say), web.post(query, self._say), web.post("/confirm", self._refuse)]

    async def _say(self, request: web.Request) -> web.Response:
        query = request.query.get("query") or str((await request.post())["query"])
        name = [*query.split('"'), ""][1]  # Flagger asks for a number first, to see whether anybody answers
        self.answered[name].append(time.monotonic())
        value = [time.time(), str(100 * self.bad.get(name, 0.0))]
        data = {"resultType": "vector", "result": [{"metric": {}, "value": value}]}
        return web.json_response({"status": "success", "data": data})

    async def _refuse(self, _: web.Request) -> web.Response:
        return web.Response(status=403)


OUR_WAY = Way(
    PENSTOCK.name,
    lambda: Clocked(every=5),
    ROUTES,
    backends,
    _of_ours,
    operator,
    _our_job,
    _our_newer,
    _counting(OURS, lambda s: (s.get("stable") or {}).get("version") == "v1"),
    _counting(OURS, lambda s: (s.get("candidate") or {}).get("weight") == 50),
    _our_tried,
)
THEIR_WAYS = (
    Way(
        "Argo Rollouts",
        Vectors,
        VIRTUAL,
        hosts,
        _of_argo,
        lambda kubeconfig, folder, _: argo()(kubeconfig, folder),
        _argo_job,
        _template(ROLLOUTS),
        _counting(ROLLOUTS, lambda s: s.get("phase") == "Healthy"),
        _counting(ROLLOUTS, lambda s: s.get("currentStepIndex") == 1),
        _named(ROLLOUTS),
    ),
    Way(
        "Flagger",
        Vectors,
        ROUTES,
        backends,
        _of_flagger,
        lambda kubeconfig, folder, _: flagger("-mesh-provider=gatewayapi:v1")(kubeconfig, folder),
        _flagger_job,
        _template(f"{APPS}/deployments"),
        _counting(CANARIES, lambda s: s.get("phase") == "Initialized"),
        _counting(CANARIES, lambda s: s.get("phase") == "WaitingPromotion"),
        _named(CANARIES),
    ),
)
