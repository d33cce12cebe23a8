"""A small cluster around the real loop: the fake API, and the controllers that answer it.

Time is virtual. Requests of clients are imagined, not sent: a revision has an error rate, a readiness and a share.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.model.measure import Answer, Counts, Question, Silence
from penstock.model.platform import Platform
from penstock.routing import ROUTES
from penstock.shell.cache import Cache
from penstock.shell.loop import Loop
from penstock.shell.queue import Queue
from penstock.shell.telemetry import Telemetry
from penstock.shell.watch import Watch
from tests.fake.endpoints import Endpoints
from tests.fake.kube import Crash, FakeKube
from tests.fake.store import Ref, Store
from tests.sim.gate import carried_by
from tests.sim.pods import Pods
from tests.sim.selecting import Selecting

Object = dict[str, Any]
CARRYING = ("churn", "churn-route")  # names of routes that carry the shares
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RPS = 50.0

RUNTIME: Object = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "ModelRuntime",
    "metadata": {"name": "mlserver"},
    "spec": {
        "formats": ["sklearn"],
        "protocol": "OpenInferenceV2",
        "container": {"image": "mlserver:1", "readiness": {"path": "/v2/health/ready"}},
        "metrics": {
            "requests": {"name": "requests_total"},
            "errors": {"name": "requests_total", "where": 'code=~"5.."'},
            "latency": {"histogram": {"name": "seconds"}, "bounds": ["0.1", "0.5"]},
        },
    },
}


def model(version: str, **spec: Any) -> Object:
    """A ModelDeployment with a short canary; what is None is left out."""
    steps = [{"weight": 5, "duration": "30s"}, {"weight": 25, "duration": "30s"}, {"weight": 50, "duration": "30s"}]
    wish: Object = {
        "model": {"version": version, "format": "sklearn", "uri": f"oci://registry.corp/churn:{version}"},
        "scaling": {"minReplicas": 2},
        "traffic": {"gateway": {"name": "models"}},
        "rollout": {"canary": {"steps": steps}, "deadline": "3m", "scaleDownDelay": "20s"},
        "analysis": {
            "interval": "10s",
            "minRequests": 30,
            "metrics": [{"name": "errorRate", "max": "2%"}, {"name": "errorRate", "compare": "Stable"}],
        },
    }
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {field: value for field, value in (wish | spec).items() if value is not None},
    }


@dataclass
class Nature:
    """What a version would do in the real world."""

    ready_after: float | None = 5.0
    error_rate: float = 0.0
    trouble: str = ""


@dataclass
class Sim:
    """One cluster, one operator process at a time."""

    natures: dict[str, Nature] = field(default_factory=dict)
    gateway: bool = True
    metrics: Callable[["Sim", Question], Answer] | None = None
    platform: Platform = field(default_factory=Platform)
    sources: Sequence[str] = ("default",)

    def __post_init__(self) -> None:
        self.store = Store(wall=self.now)
        self.random = random.Random(7)
        self.history: list[dict[str, int]] = []
        self.born: dict[str, float] = {}
        self.jump = timedelta()
        self.pods = Pods(self.store)
        self.endpoints = Endpoints(self.store)
        self.store.subscribe(self._react)
        self.store.apply(RUNTIME, "admin")
        self.start_operator()
        self.store.subscribe(Selecting(self).see)

    def now(self) -> datetime:
        """Wall clock on the loop's virtual time."""
        try:
            return START + timedelta(seconds=asyncio.get_running_loop().time()) + self.jump
        except RuntimeError:
            return START

    def start_operator(self) -> None:
        """A fresh process that knows only what the API tells."""
        self.kube = self.connect()
        self.queue = Queue(asyncio.get_running_loop().time, random.Random(1))
        self.watch = Watch(self.kube, Cache(), self.queue, None)  # type: ignore[arg-type]
        self.watch.watched |= {*self.watch.kinds}  # all is told from here on
        sources = dict.fromkeys(self.sources, self)
        parts = (self.kube, self.watch.cache, self.queue, sources, Telemetry(), self.now, self.watch.look)
        self.loop = Loop(*parts, platform=self.platform)  # type: ignore[arg-type]
        tasks = (self.watch.keep(), self.loop.work(2), self.loop.voice.work())
        self.tasks = [asyncio.ensure_future(task) for task in tasks]

    def connect(self) -> FakeKube:
        """The operator's client."""
        return FakeKube(self.store)

    def deliver(self, event: str, live: Object) -> None:
        """What the watches tell the operator: everything, at once; of what it found missing nothing is watched."""
        if live["kind"] not in self.watch.missing:
            self.watch.see(live["kind"], event, live)

    async def restart(self) -> None:
        """kill -9, then a new process."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.start_operator()

    async def run(self, seconds: float) -> None:
        """Let time pass; a crashed process is followed by the next."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self.tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            ended = [t for t in self.tasks if t.done()]
            for task in ended:
                error = task.exception()
                assert isinstance(error, Crash), error
            if ended:
                await self.restart()

    def apply(self, wish: Object) -> None:
        """What `kubectl apply` does."""
        self.store.apply(wish, "kubectl")

    @property
    def status(self) -> Object:
        """The status as a user sees it."""
        live = self.store.get("ModelDeployment", "ml", "churn")
        assert live
        return live.get("status", {})

    def condition(self, kind: str) -> Object:
        """One condition; empty where it is absent."""
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def reasons(self) -> list[str]:
        """Reasons of all Events, in the order written."""
        return [live["reason"] for change, live in self.store.history if live["kind"] == "Event" and change == "ADDED"]

    def version_of(self, revision: str) -> str:
        """The version that a revision serves."""
        live = self.store.get("ControllerRevision", "ml", revision)
        return str(live["data"]["version"]) if live else ""

    def weights(self) -> dict[str, int]:
        """Weights in the route now, by version."""
        live = self.store.get("HTTPRoute", "ml", "churn")
        return {self.version_of(name): weight for name, weight in carried_by(live).weights.items()}

    def _react(self, change: str, live: Object) -> None:
        """The other controllers."""
        kind, name = live["kind"], live["metadata"]["name"]
        if change == "DELETED":
            self.born.pop(name, None) if kind == "Deployment" else None
        elif kind == "Deployment" and live.get("status", {}).get("seen") != live["spec"].get("replicas", 1):
            self._roll(name, live["spec"].get("replicas", 1))
        elif kind in ROUTES and self.gateway and kind != "VirtualService":  # of that nobody says anything
            self._program(live)
        if kind in ROUTES and name in CARRYING and change != "DELETED":
            self._check_route(live)

    def _roll(self, name: str, replicas: int) -> None:
        nature = self.natures.get(self.version_of(name), Nature())
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, self._scaled, name, replicas)
        if nature.ready_after is not None:
            loop.call_later(nature.ready_after, self.set_ready, name, replicas)

    def _scaled(self, name: str, replicas: int) -> None:
        self._status(("Deployment", "ml", name), lambda s: s.update(seen=replicas))

    def set_ready(self, name: str, ready: int) -> None:
        """So many pods of a revision are ready."""
        self._status(("Deployment", "ml", name), lambda s: s.update(readyReplicas=ready))

    def _status(self, ref: tuple[str, str, str], change: Callable[[Object], None]) -> None:
        if ref in self.store.entries:
            self.store.edit(ref, lambda live: change(live.setdefault("status", {})), "controller")

    def _program(self, live: Object) -> None:
        generation = live["metadata"]["generation"]
        parents = live.get("status", {}).get("parents", [])
        if not parents or parents[0]["conditions"][0]["observedGeneration"] != generation:
            ref = (live["kind"], live["metadata"]["namespace"], live["metadata"]["name"])
            asyncio.get_running_loop().call_later(0.5, self._accept, ref, generation)

    def _accept(self, ref: Ref, generation: int) -> None:
        conditions = [
            {"type": t, "status": "True", "observedGeneration": generation} for t in ("Accepted", "ResolvedRefs")
        ]
        asked = (self.store.get(*ref) or {"spec": {}})["spec"].get("parentRefs") or [{"name": "models"}]
        parents = [{"parentRef": each, "conditions": conditions} for each in asked]
        self._status(ref, lambda s: s.update(parents=parents))

    def _check_route(self, live: Object) -> None:
        """Safety, at every write of the route: weights sum to 100, and none goes to a revision without ready pods."""
        seen = ROUTES[live["kind"]].read(live)
        now = dict(seen.rules.get("main", seen.weights))
        if (live["kind"], live["metadata"]["name"]) == ("HTTPRoute", "churn"):
            now = carried_by(live).weights
        if list(now) in ([], ["churn"]):  # as a user wrote it
            return
        assert sum(now.values()) == 100, now
        before = self.history[-1] if self.history else {}
        for name, weight in now.items():
            if weight > before.get(name, 0):
                found = self.store.get("EndpointSlice", "ml", f"{name}-slice")
                assert found and found["endpoints"], f"{name} got {weight} unready"
        if now != before:
            self.history.append(now)

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The metric source. A story may say what becomes of requests, never who gets them."""
        own = self.metrics
        return [own(self, each) if own and not each.since else self.count(each) for each in questions]

    def count(self, question: Question) -> Answer:
        """Requests by the weights in the route, errors by nature."""
        seconds = (question.end - question.start).total_seconds()
        weights = self.history[-1] if self.history else {}
        arms = [question.candidate.revision, question.stable.revision if question.stable else ""]
        made: list[int] = []
        for revision in arms:
            total = round(RPS * seconds * weights.get(revision, 0) / 100)
            rate = 0.0 if question.since else self.natures.get(self.version_of(revision), Nature()).error_rate
            made += [sum(self.random.random() < rate for _ in range(total)), total]
        return Counts(*made)


def silent(sim: Sim, question: Question) -> Answer:
    """A dead metric source."""
    return Silence("metric source default does not answer: ClientConnectorError")


async def settled(natures: dict[str, Nature] | None = None) -> Sim:
    """A cluster where v1 is stable."""
    sim = Sim(natures or {})
    sim.apply(model("v1"))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    return sim
