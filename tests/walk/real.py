"""The walk on a real API server, with the operator as a process: a -> b -> a, and away again.

Many objects walk side by side. Nobody needs to know what is right: at its second coming each wish must find, and leave,
the very objects that it had at its first. Real defaulting, real field ownership and the real garbage collector take
part, and pods that are only pretended.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.conftest import ControlPlane
from tests.integration.test_rollout import Scene, operator, scene
from tests.walk.dry import deployment
from tests.walk.grounds import GROUNDS, ground_of, planted
from tests.walk.leaves import Leaf, good
from tests.walk.meadow import OURS, config, plain, runtimes
from tests.walk.walk import bare, differences, walked

Object = dict[str, Any]
Way = Callable[[Leaf], list[Object]]
BATCH = 24  # objects at a time
PATIENCE = 120.0
# Grounds in which a model gets as far as it can where no gateway keeps policies and no autoscaler has numbers.
HERE = (
    *("pods", "tolerant", "config", "warmed", "custom", "scaled", "bounded", "paced", "weekly", "dated", "counted"),
    *("counted-good", "valued", "slow", "gateway", "istio", "sticky", "shadow", "cohort", "canary", "blue-green"),
    *("bake", "capacity", "frozen-weekly", "judged", "silent", "value", "orphan"),
)
SERVER_SET = ("clusterIP", "clusterIPs")
BY_OTHERS = {"ScalingActive", "Reconciling"}  # what autoscalers say, which look in their own time
SERVER = "walk"  # a runtime of its own: other tests of this control plane bring some for the same format
NOT_HERE = {"model.format", "runtime", "pod.nodeSelector{}"}  # of these a cluster has only what there is


def reachable() -> list[Leaf]:
    """The leaves that can be walked here."""
    here = (leaf for leaf in walked() if ground_of(leaf) in HERE and leaf.name not in NOT_HERE)
    return [leaf for leaf in here if leaf.path[:2] != ("scaling", "fallback")]  # time alone makes it act here


def there_and_back(leaf: Leaf) -> list[Object]:
    """Without it, a, b, a, without it."""
    first, second, *_ = [planted(GROUNDS[ground_of(leaf)], leaf, value) for value in good(leaf)]
    return [_placed(spec) for spec in (bare(leaf), first, second, first, bare(leaf))]


def there_and_away(leaf: Leaf) -> list[Object]:
    """Without it, b, without it: the shortest walk."""
    without, _, second, *_ = there_and_back(leaf)
    return [without, second, without]


def _placed(spec: Object) -> Object:
    """With this control plane's runtime, on any of its nodes, without a fallback and without empty maps.

    Server-side apply makes null of a map whose last field is taken away while the map is still wished for, and the API
    server then refuses its own null: a fault of its own, which a person meets as words of its own.
    """
    pod = {key: value for key, value in spec.get("pod", {}).items() if key != "nodeSelector"}
    scaling = {key: value for key, value in spec.get("scaling", {}).items() if key != "fallback"}
    made: Object = _filled(spec | {"runtime": SERVER, "pod": pod, "scaling": scaling})
    return made


def _filled(tree: Any) -> Any:
    if isinstance(tree, dict):
        kept = {key: _filled(value) for key, value in tree.items()}
        return {key: value for key, value in kept.items() if value != {}}
    return [_filled(each) for each in tree] if isinstance(tree, list) else tree


async def _prepare(made: Scene) -> None:
    """What wishes name here."""
    one, _ = runtimes()
    spaced = [config(name) for name in ("limits", "other")]
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": n}} for n in ("own", "one", "two.b")
    ]
    ranks = [
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1}
        for name in ("high", "one", "two.b")
    ]
    await made.kube.apply(one | {"metadata": {"name": SERVER}})
    for live in (*spaced, *accounts, *ranks):
        live["metadata"].pop("namespace", None)
        made.plane.kubectl("-n", made.namespace, "apply", "-f", "-", input=json.dumps(live))


def walked_on(plane: ControlPlane, namespace: str, leaves: Sequence[Leaf], way: Way = there_and_back) -> list[str]:
    """All findings of these leaves, in a namespace of their own with an operator of its own."""

    async def whole() -> list[str]:
        async with scene(plane, namespace) as made:
            with operator(made):
                return await walk(made, leaves, way)

    return asyncio.run(whole())


async def walk(made: Scene, leaves: Sequence[Leaf], way: Way) -> list[str]:
    """All findings of these leaves."""
    await _prepare(made)
    found: list[str] = []
    for start in range(0, len(leaves), BATCH):
        found += await _batch(
            made, {f"w{start + n}": leaf for n, leaf in enumerate(leaves[start : start + BATCH])}, way
        )
    return found


async def _batch(made: Scene, mine: dict[str, Leaf], way: Way) -> list[str]:
    paths = {name: way(leaf) for name, leaf in mine.items()}
    ends: list[dict[str, Object]] = []
    steps = len(next(iter(paths.values())))
    for step in range(steps):
        for name, path in paths.items():
            await made.kube.apply(deployment(path[step], name, made.namespace))
        ends.append(await _settled(made, list(mine)))
    for name in mine:
        live = await made.kube.get("ModelDeployment", made.namespace, name)
        assert live
        await made.kube.delete("ModelDeployment", made.namespace, name, live["metadata"]["uid"])
    pairs = [(name, step, steps - 1 - step) for name in mine for step in range(steps // 2)]
    return [f"{mine[n].name}, step {b}: {words}" for n, a, b in pairs for words in differences(ends[a][n], ends[b][n])]


async def _settled(made: Scene, names: list[str]) -> dict[str, Object]:
    """What there is of each once nothing is under way and two looks, a second apart, are the same."""
    end, before = time.monotonic() + PATIENCE, {}
    while True:
        await asyncio.sleep(1)
        now = await _look(made, names)
        if all(each["settled"] for each in now.values()) and now == before:
            return now
        late = [name for name in names if not now[name]["settled"] or now[name] != before.get(name)]
        assert time.monotonic() < end, (late, _shown(made))
        before = now


def _shown(made: Scene) -> str:
    """What a person would look at."""
    return made.plane.kubectl("-n", made.namespace, "get", "mdep,deploy,hpa,pods", "-o", "wide").stdout


async def _look(made: Scene, names: list[str]) -> dict[str, Object]:
    found: dict[str, Object] = {name: {"settled": False} for name in names}
    for kind in ("ModelDeployment", *OURS):
        if not await made.kube.served([kind]) and kind not in ("Service", "ConfigMap"):
            continue
        async for page in made.kube.pages(kind, made.namespace):
            for live in page:
                name = live["metadata"].get("labels", {}).get("penstock.dev/name", live["metadata"]["name"])
                if name in found:
                    found[name] |= dict(_of_wish(live) if kind == "ModelDeployment" else _of_child(live, name))
    return {name: _without_replicas(each) for name, each in found.items()}


def _of_wish(live: Object) -> Iterator[tuple[str, Any]]:
    status = live.get("status", {})
    seen = status.get("observedGeneration") == live["metadata"]["generation"]
    yield "settled", seen and not status.get("candidate") and not status.get("leaving") and bool(status.get("stable"))
    told = [c for c in status.get("conditions", []) if c["type"] not in BY_OTHERS]
    conditions = [{k: c[k] for k in ("type", "status", "reason")} for c in told]
    yield "status", {"conditions": conditions, "stable": status.get("stable"), "url": status.get("url")}
    yield "used", (status.get("stable") or {}).get("revision")


def _of_child(live: Object, name: str) -> Iterator[tuple[str, Any]]:
    made = plain(live)
    for key in ("status", "revision"):
        made.pop(key, None)
    made["spec"] = {key: value for key, value in made.get("spec", {}).items() if key not in SERVER_SET}
    yield f"{live['kind']} {live['metadata']['name']}", made


def _without_replicas(found: Object) -> Object:
    """Less what an autoscaler has set, and records of earlier revisions, which stay for a while."""
    scaled = {key.split()[1] for key in found if key.startswith("HorizontalPodAutoscaler")}
    for key, each in list(found.items()):
        kind, _, name = key.partition(" ")
        if kind == "ControllerRevision" and name != found.get("used"):
            del found[key]
        elif kind == "Deployment" and name in scaled:
            each["spec"].pop("replicas", None)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]
