"""The same for ModelRuntimes: each leaf is walked under a model that uses all of a runtime.

A runtime belongs to the revision that was made with it. So an edit must change nothing that runs, and act on the next
revision as on a fresh object.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.fake.clock import run
from tests.walk.grounds import GATEWAY, QUICK, STEPS, planted
from tests.walk.leaves import Leaf, bad, good, leaves
from tests.walk.meadow import Meadow
from tests.walk.walk import differences

Object = dict[str, Any]
KIND = "modelruntimes"
_SLOW = {"threshold": "500ms", "max": "50%"}
JUDGED: list[Object] = [
    {"name": "errorRate", "max": "50%"},
    *({"name": name} | _SLOW for name in ("slowRate", "timeToFirstToken", "timePerOutputToken")),
    *({"name": name, "max": "1000"} for name in ("inFlight", "queueDepth", "kvCacheUsage", "latencyShift")),
]
WISH: Object = {
    "model": {"version": "v1", "format": "sklearn", "uri": "pvc://claim/churn"},
    "scaling": {"minReplicas": 2},
    "traffic": GATEWAY,
    "rollout": QUICK | {"canary": {"steps": STEPS}},
    "analysis": {"interval": "5s", "minRequests": 20, "metrics": JUDGED},
}


def _series(name: str) -> Object:
    return {"name": name, "where": 'a="b"'}


def _latency(name: str) -> Object:
    return {
        "histogram": _series(name),
        "bounds": ["0.1", "0.5", "500", "500000"],
        "unit": "Seconds",
    }  # half a second, in each unit


ERRORS: Object = {
    "formats": ["sklearn"],
    "protocol": "OpenInferenceV2",
    "container": {
        "image": "mlserver:1",
        "command": ["serve"],
        "args": ["--a"],
        "env": [{"name": "A", "value": "b"}],
        "port": 8080,
        "grpcPort": 9000,
        "metricsPort": 8082,
        "metricsPath": "/metrics",
        "modelPath": "/mnt/models",
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}},
        "readiness": {"path": "/ready", "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "shutdownSeconds": 30,
    },
    "warmup": {
        "request": "Custom",
        "port": 7979,
        "count": 1,
        "timeoutSeconds": 10,
        "custom": {"path": "/p", "method": "POST", "body": "x", "contentType": "text/plain", "status": 200},
    },
    "metrics": {
        "requests": _series("all_total"),
        "errors": _series("bad_total"),
        "latency": _latency("seconds"),
        "timeToFirstToken": _latency("first_seconds"),
        "timePerOutputToken": _latency("each_seconds"),
        "inFlight": _series("flying"),
        "queueDepth": _series("queued"),
        "kvCacheUsage": _series("cached"),
    },
}
SUCCESSES: Object = ERRORS | {
    "metrics": {k: v for k, v in ERRORS["metrics"].items() if k != "errors"} | {"successes": _series("good_total")}
}
WARMED: Object = ERRORS | {"warmup": {"request": "OpenAI", "port": 7979}}
GROUNDS = {"successes": SUCCESSES, "request": WARMED}  # where a part of the leaf's path asks for it
UNWALKED = {"protocol": "words for people and for tools: nothing of what is made follows from it"}
PICKS = "formats[]"  # picks the runtime: where it no longer does, there is no next version
GOOD: dict[str, list[Any]] = {
    PICKS: ["sklearn", "another"],
    "container.port": [8081, 8443],
    "container.grpcPort": [9001, 65535],
    "container.metricsPort": [8083, 65535],
    "container.metricsPath": ["/one", "/" + "x" * 511],
    "container.modelPath": ["/one", "/two/three"],
    "container.readiness.path": ["/one", "/v2/{{model.name}}"],
    "container.command[]": ["one", "{{model.path}}"],
    "container.args[]": ["one", "{{model.version}}"],
    "warmup.port": [1024, 65535],
    "warmup.request": ["OpenInferenceV2", "OpenAI", "None"],
}


def walked() -> list[Leaf]:
    """The leaves that are walked."""
    return [leaf for leaf in leaves(KIND) if leaf.name not in UNWALKED]


def values(leaf: Leaf) -> list[Any]:
    """Good values: of its own, or as for the same words of a ModelDeployment."""
    if leaf.name in GOOD:
        return GOOD[leaf.name]
    if leaf.path[0] == "metrics" and leaf.path[-1] in ("name", "where"):
        return {"name": ["one", "two"], "where": ['c="d"', 'c=~"e.."']}[leaf.path[-1]]
    if leaf.path[-2:] == ("bounds", "[]"):
        return ["0.1", "0.05"]
    path = leaf.path[1:] if leaf.path[0] == "container" else leaf.path
    return good(Leaf(("server", *path), leaf.schema, leaf.required))


def ground_of(leaf: Leaf) -> Object:
    """The runtime in which a leaf is walked."""
    return next((spec for key, spec in GROUNDS.items() if key in leaf.path), ERRORS)


async def _told(*specs: Object) -> list[Object]:
    """A model is made with the first runtime; each next one is an edit, and the last is followed by a new version."""
    sim = Meadow()
    ends = []
    for spec in specs:
        serve(sim, spec)
        sim.want(WISH)
        await sim.settle(900)
        ends.append(sim.end())
    sim.want(WISH | {"model": WISH["model"] | {"version": "v2"}})
    await sim.settle(900)
    return [*ends, sim.end(), {"trace": sim.trace(), "bugs": sim.ear.bugs}]


def serve(sim: Meadow, spec: Object) -> None:
    """The runtime is as it says."""
    meta = {"name": "mlserver"}
    sim.apply({"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRuntime", "metadata": meta, "spec": spec})


@cache
def _whole(spelt: str) -> list[Object]:
    return run(_told(json.loads(spelt)))


def whole(spec: Object) -> list[Object]:
    """The ends of a model that never had another runtime."""
    return _whole(json.dumps(spec, sort_keys=True))


def edited(leaf: Leaf) -> Iterator[str]:
    """What an edit of this leaf does to a model that runs, or does otherwise to the next version than it should."""
    first, second = (planted(ground_of(leaf), leaf, value) for value in values(leaf)[:2])
    before, after, last, heard = run(_told(first, second))
    yield from (f"what runs: {words}" for words in differences(before, after))
    if leaf.name != PICKS:
        yield from (f"the next version: {words}" for words in differences(whole(second)[1], last))
    yield from heard["bugs"]


def acts(leaf: Leaf) -> bool:
    """Whether any two values make a difference to a model."""
    specs = [planted(ground_of(leaf), leaf, value) for value in values(leaf)]
    return len({whole(spec)[-1]["trace"] for spec in specs}) > 1


def tried(leaf: Leaf) -> Iterator[tuple[str, Object, bool]]:
    """Runtimes for the API server, and whether it must take them."""
    ground = ground_of(leaf)
    yield from ((f"good {value!r}", planted(ground, leaf, value), True) for value in values(leaf))
    yield from ((f"bad {value!r}", planted(ground, leaf, value), False) for value in bad(leaf))
