"""A small cluster in which every field of a ModelDeployment can act: all that a wish may name is there, all gateways
answer, an autoscaler tells what it sees, and every kind of question gets an answer.

What requests do is the weather: a few kinds, each the same for everything that is tried in it.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from penstock.core.load import Wanted
from penstock.model.measure import (
    Answer,
    Counts,
    Gauge,
    Groups,
    Histogram,
    Levels,
    Query,
    Question,
    Rate,
    Ratio,
    Shapes,
    Silence,
)
from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.platform import Fence, Platform, Prices, TokenIssuer
from penstock.model.schedule import spell
from penstock.model.sinks import Sink
from penstock.routing import ROUTES
from penstock.shell.meter import Meter
from tests.sim.machine import RUNTIME, Nature, Object, Sim
from tests.sim.noted import Ear
from tests.walk.dry import deployment

RPS = 100.0
POLICIES = ("SecurityPolicy", "BackendTrafficPolicy", "EnvoyExtensionPolicy")
OURS = (
    *("Deployment", "Service", "ControllerRevision", "ConfigMap", "HorizontalPodAutoscaler", "PodDisruptionBudget"),
    *("HTTPRoute", "GRPCRoute", "VirtualService", "ListenerSet", "Certificate", "NetworkPolicy", *POLICIES),
)
PLATFORM = Platform(
    issuers={name: TokenIssuer(f"https://{name}", f"https://{name}/jwks") for name in ("corp", "other")},
    certificates=True,
    locks=True,
    fence=Fence(),
    sinks={name: Sink("sinks", name, 80) for name in ("lake", "other")},
    warmup_image="warmup:1",
    prices=Prices({"cpu": Decimal(4)}, "EUR"),
)
CONTAINER: Object = {
    "image": "mlserver:1",
    "grpcPort": 9000,
    "readiness": {"path": "/ready"},
    "resources": {"requests": {"cpu": "500m"}},
}
REVISION = re.compile(r"churn-[0-9a-f]{10}")


@dataclass(frozen=True)
class Weather:
    """What becomes of the requests to the newer version, and of what is asked about it."""

    bad: float = 0.0  # part of its requests that fail, are slow, belong to the wrong group
    late: bool = False  # only once it has everything
    silent: bool = False  # the metric source does not answer
    empty: bool = False  # nobody asks for anything
    ready: bool = True  # whether its pods ever are
    blind: bool = False  # whether autoscalers get no numbers


WEATHERS = {
    "fine": Weather(),
    "bad": Weather(bad=0.03),
    "worse": Weather(bad=0.3),
    "late": Weather(bad=0.3, late=True),
    "silent": Weather(silent=True),
    "empty": Weather(empty=True),
    "never": Weather(ready=False),
    "blind": Weather(blind=True),
}


def config(name: str) -> Object:
    """A tracked ConfigMap."""
    meta = {"name": name, "namespace": "ml", "labels": {"penstock.dev/config": "tracked"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": name}}


def own_route() -> Object:
    """A route of somebody else's that is handed over."""
    meta = {"name": "churn-route", "namespace": "ml", "labels": {"penstock.dev/name": "churn"}}
    rules = [{"name": name, "backendRefs": [{"name": "theirs", "port": 80}]} for name in ("main", "old")]
    spec = {"parentRefs": [{"name": "models"}], "rules": rules}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


def runtimes() -> list[Object]:
    """Two servers, each for a format of its own."""
    made = []
    for name, kind in (("mlserver", "sklearn"), ("other", "xgboost")):
        container = CONTAINER | {"image": f"{name}:1"}
        made.append(
            RUNTIME
            | {"metadata": {"name": name}, "spec": RUNTIME["spec"] | {"formats": [kind], "container": container}}
        )
    return made


@dataclass
class Meadow(Sim):
    """The cluster, in one weather."""

    weather: Weather = field(default_factory=Weather)
    platform: Platform = PLATFORM
    sources: Sequence[str] = ("default", "other")
    second: str = "v2"  # the version that the weather is about

    def __post_init__(self) -> None:
        self.ear = Ear()
        self.noted: list[str] = []
        self.asked: list[str] = []
        if not self.weather.ready:
            self.natures = {self.second: Nature(ready_after=None)}
        super().__post_init__()
        for live in (*runtimes(), config("limits"), config("other"), own_route()):
            self.store.apply(live, "admin")
        self.store.subscribe(self._note)

    def start_operator(self) -> None:
        """With an ear for its bugs, of which it only tells."""
        super().start_operator()
        self.loop.telemetry.bugs = self.ear  # type: ignore[assignment]

    def want(self, spec: Object) -> None:
        """What `kubectl apply` does."""
        self.apply(deployment(spec, namespace="ml"))

    async def settle(self, patience: float = 1500.0) -> bool:
        """Let time pass until nothing is under way and nothing has been written for a while."""
        began = seen = asyncio.get_running_loop().time()
        writes = -1
        while (now := asyncio.get_running_loop().time()) - began < patience:
            busy = bool(self.status.get("candidate") or self.status.get("leaving"))
            if not busy and writes == len(self.kube.writes) and now - seen >= 20:
                return True
            if writes != len(self.kube.writes):
                writes, seen = len(self.kube.writes), now
            await self.run(10)
        return False

    # the other controllers

    def _react(self, change: str, live: Object) -> None:
        super()._react(change, live)
        kind, name = live["kind"], live["metadata"]["name"]
        if change == "DELETED":
            return
        if kind in (*POLICIES, "ListenerSet"):
            asyncio.get_running_loop().call_later(0.4, self._answer_for, (kind, "ml", name))
        if kind in ("HorizontalPodAutoscaler", "Deployment"):
            asyncio.get_running_loop().call_later(0.2, self._follow, name)

    def _check_route(self, live: Object) -> None:
        """Laws of shares are other tests'; here nothing may be raised into the operator's own turn."""

    def _answer_for(self, ref: tuple[str, str, str]) -> None:
        live = self.store.get(*ref)
        generation = live["metadata"]["generation"] if live else 0
        if not live or live.get("status", {}).get("of") == generation:
            return
        base = {"status": "True", "reason": "Yes", "observedGeneration": generation}
        base["lastTransitionTime"] = spell(self.now())
        said = [{"type": kind, **base} for kind in ("Accepted", "Programmed", "ResolvedRefs")]
        both = {"ancestors": [{"ancestorRef": {"name": "models"}, "conditions": said}], "conditions": said}
        self._status(ref, lambda status: status.update(of=generation, listeners=[], **both))

    def _follow(self, name: str) -> None:
        live = self.store.get("HorizontalPodAutoscaler", "ml", name)
        if not live:
            return
        rate = "0" if self.weather.empty else "40"
        seen = [
            {"type": "External", "external": {"metric": each["external"]["metric"], "current": {"averageValue": rate}}}
            for each in live["spec"]["metrics"]
            if each["type"] == "External"
        ]
        active = {"type": "ScalingActive", "status": str(not self.weather.blind), "reason": "X", "message": "m"}
        said = {
            "desiredReplicas": 1,
            "currentMetrics": seen,
            "conditions": [active | {"lastTransitionTime": spell(self.now())}],
        }
        self._size(name, live["spec"])
        known = live.get("status", {})
        if known.get("currentMetrics") != seen:
            self._status(("HorizontalPodAutoscaler", "ml", name), lambda status: status.update(said))

    def _size(self, name: str, bounds: Object) -> None:
        """The autoscaler, for which the fewest replicas are enough."""
        deployment = self.store.get("Deployment", "ml", name)
        present = deployment["spec"].get("replicas", 1) if deployment else 0
        chosen = bounds.get("minReplicas", 1)
        if deployment and present and chosen != present:
            ref = ("Deployment", "ml", name)
            self.store.edit(ref, lambda live: live["spec"].update(replicas=chosen), "autoscaler")

    # the metric source

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Any question is answered as the weather has it."""
        for each in questions:
            self.asked.append(repr((each.source, each.candidate, each.stable, (each.end - each.start).total_seconds())))
        return [self._told(each) for each in questions]

    def _told(self, question: Question) -> Answer:
        if self.weather.silent:
            return Silence("metric source default does not answer")
        seconds = 0.0 if self.weather.empty else (question.end - question.start).total_seconds()
        if question.since:
            return self._shares(question, seconds)
        rate, total = self._rate(question.candidate.revision), round(RPS * seconds)
        bad = round(total * rate)
        match question.candidate.measure:
            case Ratio(by=by):
                groups = {"old": (bad, total), "young": (0, total)} if total else {}
                return Groups(groups) if by else Counts(bad, total, 0, total if question.stable else 0)
            case Histogram():
                return Shapes(("0.1", "+Inf"), (total - bad, bad), (total, 0))
            case Rate():
                return Levels((RPS,), pods=2) if seconds else Levels(())
            case Gauge() | Query():
                days = round((self.now() - question.end).total_seconds() / 86400)
                value = 50 + days * 20.0 if days else 1 - rate  # of earlier days the load is asked for
                return Levels((value,) if seconds else ())

    def _rate(self, revision: str) -> float:
        mine = self.version_of(revision) == self.second
        late = self.weather.late and self._carried().get(revision, 0) < 100
        return self.weather.bad if mine and not late else 0.0

    def _shares(self, question: Question, seconds: float) -> Counts:
        assert question.stable
        carried = self._carried()
        mine, home = (
            round(RPS * seconds * carried.get(arm.revision, 0) / 100) for arm in (question.candidate, question.stable)
        )
        return Counts(mine, mine, home, home)

    def _carried(self) -> dict[str, int]:
        """Who gets what part of the requests, in percent, as a route, or else the apex Service, really has it."""
        for kind, name in (("HTTPRoute", "churn"), ("GRPCRoute", "churn"), ("VirtualService", "churn")):
            live = self.store.get(kind, "ml", name)
            if live:
                return dict(ROUTES[kind].read(live).weights)
        apex = self.store.get("Service", "ml", "churn")
        selector = (apex or {}).get("spec", {}).get("selector") or {}
        pods = [
            p["metadata"]["labels"]
            for p in self.store.list("Pod", "ml")
            if p["status"]["conditions"][0]["status"] == "True" and selector.items() <= p["metadata"]["labels"].items()
        ]
        names = [labels["penstock.dev/revision"] for labels in pods if "penstock.dev/revision" in labels]
        return {name: round(100 * names.count(name) / len(names)) for name in set(names)}

    async def read_live_values(self) -> None:
        """What autoscalers read of live metrics, and what is asked for it."""
        meter = Meter(self.watch.cache, self.loop.batches, self.now)
        for scaler in self.store.list("HorizontalPodAutoscaler", "ml"):
            for each in scaler["spec"]["metrics"]:
                if each["type"] == "External":
                    name = scaler["metadata"]["name"]
                    self.asked.append(repr(await meter.read(Wanted("ml", name, each["external"]["metric"]["name"]))))

    # what came of it

    def _note(self, change: str, live: Object) -> None:
        if live["kind"] in (*OURS, "ModelDeployment"):
            self.noted.append(
                json.dumps([f"{asyncio.get_running_loop().time():.1f}", change, plain(live)], sort_keys=True)
            )

    def trace(self) -> str:
        """All that was written and asked, in order, with revisions by number."""
        return numbered("\n".join((*self.noted, *self.asked)))

    def end(self) -> Object:
        """What there is now: all objects of ours, and what status says of the present."""
        lives = [entry.live for ref, entry in sorted(self.store.entries.items()) if ref[0] in OURS]
        lives = [live for live in lives if live["kind"] != "ControllerRevision" or self._is_used(live)]
        scaled = {live["metadata"]["name"] for live in lives if live["kind"] == "HorizontalPodAutoscaler"}
        found = {f"{live['kind']} {live['metadata']['name']}": _end_of(live, scaled) for live in lives}
        self._keep_to_listed(found)
        kept = ("stable", "candidate", "replicas", "url", "next", "conditions", "cost", "sleep")
        told = {key: self.status[key] for key in kept if key in self.status}
        told["forecast"] = self.status.get("forecast", {}).get("replicas")  # its words stay while that number does
        told["conditions"] = [
            {k: c.get(k) for k in ("type", "status", "reason", "message")} for c in told["conditions"]
        ]
        return found | {"status": told}

    def _keep_to_listed(self, found: Object) -> None:
        """Of somebody's route the rules that are ours to set; what is no longer listed stays as it was."""
        wish = self.store.get("ModelDeployment", "ml", "churn")
        listed = (wish or {})["spec"].get("traffic", {}).get("route", {}).get("rules", [])
        theirs = found["HTTPRoute churn-route"]
        theirs["spec"] = {"rules": [rule for rule in theirs["spec"]["rules"] if rule["name"] in listed]}

    def _is_used(self, record: Object) -> bool:
        """Records of earlier revisions stay for a while, for undo."""
        used = [(self.status.get(role) or {}).get("revision") for role in ("stable", "candidate")]
        return record["metadata"]["name"] in used


GONE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


def plain(live: Object) -> Object:
    """An object without what the server counts; of a wish only its status."""
    meta = {key: value for key, value in live["metadata"].items() if key not in GONE}
    owners = [{**owner, "uid": ""} for owner in meta.get("ownerReferences") or []]
    notes = {key: text for key, text in (meta.get("annotations") or {}).items() if key != ANNOTATION_APPLIED}
    meta |= {"ownerReferences": owners, "annotations": notes}
    made = live | {"metadata": meta}
    if live["kind"] == "ModelDeployment":
        made.pop("spec")
        made["status"] = {key: each for key, each in live.get("status", {}).items() if key != "observedGeneration"}
    return made


def _end_of(live: Object, scaled: set[str]) -> Object:
    """Without what tells of the way: times, the number of a revision, replicas that an autoscaler has set."""
    made = plain(live)
    made.pop("status", None)
    made.pop("revision", None)
    if live["kind"] == "Deployment" and live["metadata"]["name"] in scaled:
        made["spec"] = {key: value for key, value in made["spec"].items() if key != "replicas"}
    return made


def numbered(text: str) -> str:
    """Names of revisions by the order in which they come."""
    found = list(dict.fromkeys(REVISION.findall(text)))
    for number, name in enumerate(found):
        text = text.replace(name, f"revision-{number}")
    return text
