"""A model that may sleep, in random stories: when nobody asks, what autoscalers see, who waits at the door; its laws.

What is true is in the store: who is ready, where Services lead. Whether somebody waits follows from the requests.
"""

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any

from penstock.model.names import LABEL_COMPONENT, LABEL_DOOR
from penstock.model.platform import Platform
from tests.sim.gate import is_rotating, selected, values_since
from tests.sim.laws import Scene, law
from tests.sim.machine import Sim
from tests.sim.rough import Rough

Object = dict[str, Any]
DOOR = "churn-door"
HAS_DOORS = Platform(warmup_image="penstock.local/operator:1")
SHARE = 0.05  # of all stories


def draw(seed: int) -> Object:
    """The knobs of a wish that may sleep, in some stories. Of its own, so that all other stories stay as they are."""
    return {"sleeps": True, "autoscaled": True, "replicas": 1} if Random(f"sleep {seed}").random() < SHARE else {}


def events(seed: int, length: float) -> Iterator[tuple[float, str, Object]]:
    """When nobody asks, long enough to fall asleep, or not quite; and what becomes of the door."""
    random = Random(f"quiet {seed}")
    for _ in range(random.randint(1, 3)):
        yield round(random.uniform(0.0, length), 2), "traffic", {"rps": 0.0, "for": random.choice((40, 75, 90, 150))}
    for _ in range(random.choice((0, 0, 1, 2))):
        what = {"what": random.choice(("pod", "Deployment", "Service")), "for": random.choice((2, 15))}
        yield round(random.uniform(0.0, length), 2), "door", what


async def keep(sim: Rough) -> None:
    """The autoscalers' eyes, and the door's own word; for ever."""
    while True:
        for live in sim.store.list("HorizontalPodAutoscaler"):
            name = live["metadata"]["name"]
            sees(sim, name, round(sim.gate.rps * sim.gate.now.part(name)))
        for pod in sim.pods.of(DOOR):
            _says(sim, pod)
        await asyncio.sleep(1.0)


def sees(sim: Sim, name: str, rate: int) -> None:
    """What the cluster's autoscaler of a revision writes down of one live metric."""
    metric = {"metric": {"name": "requestsPerSecond"}, "current": {"averageValue": str(rate)}}
    status = {
        "desiredReplicas": 1,
        "conditions": [{"type": "ScalingActive", "status": "True", "lastTransitionTime": "2026-11-21T00:00:00Z"}],
        "currentMetrics": [{"type": "External", "external": metric}],
    }
    ref = ("HorizontalPodAutoscaler", "ml", name)
    sim.store.edit(ref, lambda live: live.update(status=status), "kube-controller-manager")


def _says(sim: Rough, pod: Object) -> None:
    """Not ready while somebody waits: whose requests come to it, and whom it cannot pass them on to."""
    runs = any(one["started"] for one in pod.get("status", {}).get("containerStatuses", []))
    up = runs and (sim.live("Deployment", DOOR) or {}).get("status", {}).get("readyReplicas", 0)
    waits = sim.gate.rps > 0 and bool(leading(sim)) and not behind(sim)
    ready = [{"type": "Ready", "status": str(bool(up) and not waits)}]
    if up and pod.get("status", {}).get("conditions") != ready:
        ref = ("Pod", "ml", pod["metadata"]["name"])
        sim.store.edit(ref, lambda live: live["status"].update(conditions=ready), "kubelet")


def leading(sim: Rough) -> set[str]:
    """The Services that lead to the door."""
    selectors = {live["metadata"]["name"]: live["spec"].get("selector") or {} for live in sim.store.list("Service")}
    return {name for name, selector in selectors.items() if LABEL_DOOR in selector}


def behind(sim: Rough) -> int:
    """The model's pods that the door can reach."""
    live = sim.live("EndpointSlice", f"{DOOR}-slice")
    return len(live["endpoints"]) if live else 0


def sleeps(scene: Scene) -> bool:
    """Whether the stable revision has no pods, by the status."""
    return bool((scene.status.get("sleep") or {}).get("asleepSince"))


def is_fronted(scene: Scene) -> bool:
    """Whether the door is to stand in front of it, by the status: it sleeps, or wakes."""
    return sleeps(scene) or bool((scene.status.get("sleep") or {}).get("wakingSince"))


def has_door(scene: Scene) -> bool:
    """Whether there was a door that takes requests in, as far as could be known."""
    return max(values_since(scene.sim.ready[DOOR], scene.known), default=0) > 0


def is_door(live: Object | None) -> bool:
    """Whether a Service leads to the door."""
    return LABEL_DOOR in ((live or {}).get("spec", {}).get("selector") or {})


def is_shut(live: Object | None) -> bool:
    """Whether a Service leads to nobody."""
    return ((live or {}).get("spec", {}).get("selector") or {}).get(LABEL_COMPONENT) == "nobody"


@law("Deployment")
def pods_go_only_behind_a_door(scene: Scene) -> Iterator[str]:
    """The last one of home: its Service and the common one lead to the door, which passes nothing on meanwhile."""
    home, sim = scene.revision("stable"), scene.sim
    if scene.name != home or not scene.after or not sleeps(scene) or scene.after["spec"].get("replicas") != 0:
        return
    if not scene.landed.changes or (scene.before or {}).get("spec", {}).get("replicas") == 0:
        return
    lacking = [name for name in (home, "churn") if not is_door(sim.live("Service", name))]
    if lacking and not any(_edited(sim, name, scene.known) for name in lacking):
        yield f"{home} loses its pods, and {lacking} lead to them"
    if sim.live("Service", DOOR) and not is_shut(sim.live("Service", DOOR)):
        yield "what the door takes in goes to a pod that is about to end"


def _edited(sim: Rough, name: str, since: float) -> bool:
    """Whether somebody has changed or removed a Service since then."""
    return any(at >= since for at, what in sim.meddled if what == name)


@law("ModelDeployment")
def it_is_awake_once_somebody_is_reached(scene: Scene) -> Iterator[str]:
    """The door is left when it can reach a pod of the model's, or there is nothing any more that could have one."""
    was, sim = scene.former.get("sleep") or {}, scene.sim
    if not was.get("wakingSince") or is_fronted(scene) or not sim.live("Deployment", was["revision"]):
        return
    if not max(values_since(sim.listed[DOOR], scene.known), default=0):
        yield f"{was['revision']} is said to be awake, and nobody can reach it"


@law("Service")
def nothing_leads_past_the_door_while_it_stands_in_front(scene: Scene) -> Iterator[str]:
    """A Service that led to the door leads to it until the model is awake; or to another's pods, if they answer."""
    home, now = scene.revision("stable"), selected(scene.after or {})
    if scene.name not in (home, "churn") or not scene.after or not is_door(scene.before) or is_door(scene.after):
        return
    if is_rotating(scene.after):
        return  # `the_rotation_is_never_emptied`
    if is_fronted(scene) and (now == home or not scene.sim.was_ready(now, scene.known)):
        yield f"{scene.name} leads from the door to {now}"
