"""Random wishes: the knobs of a ModelDeployment, as small data, and the object that they describe."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.sim.machine import model

Object = dict[str, Any]
JUDGED = ("canary", "shadow", "abTest")
WEIGHTS = (1, 5, 10, 25, 50, 80, 99)
SATURDAY_NOON = ("12:17", "12:18", "12:19")  # stories begin at 12:16:40


IDLE = 60.0  # seconds, the least that the API takes
SLEEPING = {
    "minReplicas": 0,
    "maxReplicas": 4,
    "metrics": [{"name": "requestsPerSecond", "target": 50}],
    "scaleToZero": {"idleFor": f"{IDLE:.0f}s"},
}


def may_sleep(knobs: Object) -> bool:
    """Whether the wish lets the model have no pods; only where an autoscaler follows it."""
    return bool(knobs.get("sleeps") and knobs["autoscaled"])


def draw(random: Random) -> Object:
    """The knobs of a first wish."""
    routed = random.random() < 0.65
    return {
        "version": "v1",
        "replicas": random.randint(1, 3),
        "autoscaled": random.random() < 0.25,
        "deadline": "45s",
        "delay": random.choice(("0s", "3s", "10s")),
        "source": "default",
        "routed": routed,
        "sticky": routed and random.random() < 0.4,
        "named": routed and random.random() < 0.2,
        "share": random.choice(("Nearest", "Nearest", "Nearest", "Refuse")),
        **draw_rollout(random, routed),
    }


def draw_rollout(random: Random, routed: bool) -> Object:
    """How a new revision takes over."""
    made = _main(random, routed)
    for chance, gateway_only, part in PARTS:
        if random.random() < chance and (routed or not gateway_only):
            made |= part(random)
    needed = any(kind in made for kind in JUDGED) or "previewAnalysis" in made.get("blueGreen", {})
    return {"rollout": made, "judged": needed or ("bake" in made and random.random() < 0.7)}


def _main(random: Random, routed: bool) -> Object:
    if random.random() < 0.75:
        return {"canary": {"steps": _steps(random)}}
    return {"blueGreen": _blue_green(random, routed)} if random.random() < 0.6 else {}


def _shadow(random: Random) -> Object:
    return {"shadow": {"percent": random.choice((20, 100)), "duration": "8s"} | _approval(random)}


def _cohort(random: Random) -> Object:
    match = {random.choice(("header", "cookie", "query")): "x-cohort", "value": "beta"}
    return {"abTest": {"match": [match], "duration": "8s"} | _approval(random)}


def _bake(random: Random) -> Object:
    return {"bake": {"duration": random.choice(("5s", "15s"))} | random.choice(({}, {"onBreach": "Notify"}))}


def _freeze(random: Random) -> Object:
    return {"freeze": [{"days": ["Saturday"], "start": random.choice(SATURDAY_NOON), "duration": "1m"}]}


PARTS: tuple[tuple[float, bool, Callable[[Random], Object]], ...] = (  # how often, only with a gateway, what
    (0.1, True, _shadow),
    (0.1, True, _cohort),
    (0.25, False, _bake),
    (0.15, False, lambda _: {"rollbackWindow": "5m"}),
    (0.1, False, lambda random: {"capacityPolicy": random.choice(("Replace", "Refuse"))}),
    (0.06, False, _freeze),
)


def _steps(random: Random) -> list[Object]:
    """One to three shares that grow."""
    weights = sorted(random.sample(WEIGHTS, random.choice((1, 2, 2, 3))))
    more = random.choice(({}, {}, {}, {"capacity": "100%"}))
    return [{"weight": w, "duration": f"{random.choice((5, 8, 12, 20))}s"} | more | _approval(random) for w in weights]


def _approval(random: Random) -> Object:
    if random.random() > 0.08:
        return {}
    late = random.choice(({}, {"maxAge": "10s", "onTimeout": random.choice(("Wait", "Abort", "Promote"))}))
    return {"approval": {"minApprovals": random.choice((1, 1, 2))} | late}


def _blue_green(random: Random, routed: bool) -> Object:
    made: Object = {"duration": random.choice(("0s", "8s"))} | _approval(random)
    made |= {"previewHostnames": ["preview.corp"]} if routed and random.random() < 0.5 else {}
    return made | ({"previewAnalysis": "Require"} if random.random() < 0.4 else {})


# What may be judged beside the error rate, or otherwise: a metric more, or policies of the objective.
ACCURACY = {"name": "accuracy", "value": {"query": "accuracy"}, "min": "0.7", "failureBudget": 1}
MORE: dict[str, Object] = {
    "value": ACCURACY,
    "shift": {"name": "latencyShift", "max": "0.2"},
    "dry": {"name": "slowRate", "threshold": "500ms", "max": "1%", "dryRun": True},
    "errors end": {"errorBudget": "20s"},
    "nothing fails": {"noData": "Fail", "noDataFor": "15s"},
    "nothing is inconclusive": {"noData": "Inconclusive", "noDataFor": "15s"},
    "nothing passes": {"noData": "Pass", "noDataFor": "15s"},
}


def draw_more(random: Random) -> Object:
    """Up to two of them, in every third story."""
    return {"more": sorted(random.sample(list(MORE), random.choice((1, 2))))} if random.random() < 0.35 else {}


def _add_more(analysis: Object, more: list[str]) -> None:
    for part in (MORE[name] for name in more):
        if "name" in part:
            analysis["metrics"].append(part)
        else:
            analysis["metrics"][0] |= part


def make(knobs: Object) -> Object:
    """The ModelDeployment that the knobs describe."""
    scaling: Object = {"minReplicas": knobs["replicas"]}
    if may_sleep(knobs):
        scaling = SLEEPING
    elif knobs["autoscaled"]:
        scaling |= {"maxReplicas": 6, "metrics": [{"name": "cpu", "target": 70}]}
    rollout = knobs["rollout"] | {"deadline": knobs["deadline"], "scaleDownDelay": knobs["delay"]}
    made = model(knobs["version"], scaling=scaling, rollout=rollout)
    made["spec"]["analysis"] |= {"interval": "5s", "minRequests": 20, "source": knobs["source"]}
    _add_more(made["spec"]["analysis"], knobs.get("more", []))
    if not knobs["judged"]:
        del made["spec"]["analysis"]
    if not knobs["routed"]:
        made["spec"]["traffic"] = {"onShareUnreachable": knobs.get("share", "Refuse")}
    else:
        made["spec"]["traffic"] |= {"sticky": {}} if knobs.get("sticky") and "canary" in rollout else {}
        made["spec"]["traffic"] |= {"previewHeader": "x-revision"} if knobs.get("named") else {}
    return made


def kinds(rollout: Object) -> list[str]:
    """The steps of a plan that is pinned from this wish, in order."""
    made = ["Shadow"] * ("shadow" in rollout) + ["Cohort"] * ("abTest" in rollout)
    made += ["Canary"] * len(rollout.get("canary", {}).get("steps", []))
    made += ["Preview"] * ("blueGreen" in rollout)
    return [*made, "Full", *(["Bake"] if "bake" in rollout else [])]
