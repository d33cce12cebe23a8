"""What stories on the machine share: wishes, people, requests that follow copies and cohorts, and what was written."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from penstock.model.measure import Answer, Counts, Question
from penstock.model.values import RouteSeen
from penstock.routing import gateway, service
from tests.sim.machine import RPS, Nature, Object, Sim, model
from tests.sim.pods import is_in, is_ready

Wish = Callable[[str], Object]
STEP = {"weight": 50, "duration": "20s"}
SHADOW = {"percent": 50, "duration": "20s"}
COHORT = {"match": [{"header": "x-cohort", "value": "beta"}], "duration": "20s"}
BAKE = {"duration": "60s"}
WALK: Object = {"shadow": SHADOW, "abTest": COHORT, "canary": {"steps": [STEP]}, "bake": BAKE}
PREFIX = "penstock.dev/"


def wishing(rollout: Object, routed: bool = True, judged: bool = True, **spec: Any) -> Wish:
    """A wish with this rollout, by version."""

    def wish(version: str) -> Object:
        made = model(version, rollout={"deadline": "3m", "scaleDownDelay": "20s"} | rollout, **spec)
        for name, kept in (("traffic", routed), ("analysis", judged)):
            if not kept:
                del made["spec"][name]
        return made

    return wish


async def rolling(wish: Wish, natures: dict[str, Nature] | None = None, seconds: float = 0) -> Sim:
    """v1 is stable, v2 was asked for so many seconds ago."""
    sim = Sim(natures or {}, metrics=count)
    sim.apply(wish("v1"))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    sim.apply(wish("v2"))
    await sim.run(seconds)
    return sim


def seen(sim: Sim) -> RouteSeen:
    """Who gets which requests now, by revision."""
    route = sim.store.get("HTTPRoute", "ml", "churn")
    apex = sim.store.get("Service", "ml", "churn")
    if route:
        return gateway.read(route)
    found = service.read(apex or {})
    return replace(found, weights=rotated(sim)) if found.rotating else found


def rotated(sim: Sim) -> dict[str, int]:
    """Percent by revision that the pods in rotation give, counted one by one."""
    alive = (live for live in sim.store.list("Pod") if not live["metadata"].get("deletionTimestamp"))
    names = [live["metadata"]["labels"]["penstock.dev/revision"] for live in alive if is_ready(live) and is_in(live)]
    return {name: round(100 * names.count(name) / len(names)) for name in sorted(set(names))}


def share(sim: Sim, revision: str) -> float:
    """Of all requests, what a revision gets: the cohort is a tenth of them."""
    now = seen(sim)
    if now.mirror and now.mirror[0] == revision:
        return now.mirror[1] / 100
    return 0.1 if now.cohort == revision else now.weights.get(revision, 0) / 100


def count(sim: Sim, question: Question) -> Answer:
    """Requests as the route gives them, errors by nature."""
    seconds = (question.end - question.start).total_seconds()
    made: list[int] = []
    for revision in (question.candidate.revision, question.stable.revision if question.stable else ""):
        total = round(RPS * seconds * share(sim, revision))
        rate = sim.natures.get(sim.version_of(revision), Nature()).error_rate
        made += [sum(sim.random.random() < rate for _ in range(total)), total]
    return Counts(*made)


def revision(sim: Sim, version: str) -> str:
    """The revision that has this version; one that is gone has none."""
    found = [live["metadata"]["name"] for live in sim.store.list("ControllerRevision")]
    return next((name for name in found if sim.version_of(name) == version), "")


def ask(sim: Sim, by: str = "ann", groups: str = "leads", **actions: str) -> None:
    """A person annotates; underscores are hyphens, and what is empty is taken away."""

    def change(live: Object) -> None:
        there = live["metadata"].setdefault("annotations", {})
        there |= {PREFIX + "requested-by": by, PREFIX + "requested-groups": groups}
        there |= {PREFIX + name.replace("_", "-"): value for name, value in actions.items()}
        live["metadata"]["annotations"] = {key: value for key, value in there.items() if value}

    sim.store.edit(("ModelDeployment", "ml", "churn"), change, "kubectl-annotate")


def path(sim: Sim, version: str = "v2") -> list[str]:
    """From now on: what the route gives a version, each change once; read it when the story is over."""
    told = ["0"]

    def note(_: str, live: Object) -> None:
        apex = (live["kind"] == "Pod" or live["metadata"]["name"] == "churn") and "HTTPRoute" not in kinds
        if live["kind"] not in ("HTTPRoute", "Service", "Pod") or (live["kind"] != "HTTPRoute" and not apex):
            return
        name, now = revision(sim, version), seen(sim)
        word = (
            "cohort"
            if now.cohort == name
            else f"copies {now.mirror[1]}"
            if now.mirror
            else str(now.weights.get(name, 0))
        )
        if name and (not told or told[-1] != word):
            told.append(word)

    kinds = {live["kind"] for live in sim.store.list("HTTPRoute")}
    sim.store.subscribe(note)
    return told


def front(sim: Sim) -> str:
    """The version that answers under the plain name."""
    return sim.version_of(next(iter(service.read(sim.store.get("Service", "ml", "churn") or {}).weights), ""))


def labelled(sim: Sim) -> dict[str, list[str]]:
    """What each pod's rotation label says, by version, in the order of names; "" where it has none."""
    found: dict[str, list[str]] = {}
    for live in sim.store.list("Pod"):
        if not live["metadata"].get("deletionTimestamp"):
            labels = live["metadata"]["labels"]
            version = sim.version_of(labels["penstock.dev/revision"])
            found.setdefault(version, []).append(labels.get("penstock.dev/rotation", ""))
    return found


def replicas(sim: Sim) -> dict[str, int]:
    """Of each version, as its Deployment says."""
    return {sim.version_of(live["metadata"]["name"]): live["spec"]["replicas"] for live in sim.store.list("Deployment")}


def step(sim: Sim) -> int | None:
    """Number, from 1, of the step that the candidate is in; None where nothing is tried."""
    tried = sim.status.get("candidate")
    return tried.get("step", 0) + 1 if tried else None


def stable(sim: Sim) -> str:
    """The version that is trusted."""
    return str(sim.status["stable"]["version"])


def why(sim: Sim) -> str:
    """Reason of the condition Ready."""
    return str(sim.condition("Ready")["reason"])


def ends(sim: Sim) -> list[tuple[str, str]]:
    """Rollouts that are over: version and reason."""
    return [(each["version"], each["reason"]) for each in sim.status.get("history", [])]


async def spent(sim: Sim, seconds: float) -> dict[str, int]:
    """The writes of the next seconds, by kind; deletions apart."""
    before = len(sim.kube.writes)
    await sim.run(seconds)
    new = sim.kube.writes[before:]
    return dict(Counter(("-" if verb == "delete" else "") + kind for verb, kind, _ in new))
