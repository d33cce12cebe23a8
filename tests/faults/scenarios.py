"""What a ModelDeployment goes through: each first as it was before the story, then the story that faults meet."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.scene import Scene

Object = dict[str, Any]
Act = Callable[[Scene], Awaitable[None]]
PODS: Object = {"traffic": None, "scaling": {"minReplicas": 3}}
BY_PODS: Object = {
    "rollout": {"canary": {"steps": [{"weight": 25, "duration": "1s"}]}, "deadline": "60s", "scaleDownDelay": "1s"}
}
LONG: Object = {
    "rollout": {
        "canary": {"steps": [{"weight": 20, "duration": "1s"}, {"weight": 60, "duration": "10m"}]},
        "deadline": "20m",
        "scaleDownDelay": "1s",
    }
}
SCALED: Object = {"minReplicas": 2, "maxReplicas": 4, "metrics": [{"name": "cpu", "target": 70}]}


@dataclass(frozen=True)
class Scenario:
    """A story in two parts."""

    before: Act
    story: Act
    rises: bool = False  # whether who becomes stable only ever gets more until it has everything
    rests: bool = True  # whether nothing is written between the two parts; a candidate's evidence is, with each look


async def nothing(scene: Scene) -> None:
    """Nobody has asked for anything."""


async def first(scene: Scene) -> None:
    """v1 serves."""
    await scene.apply("v1")
    await scene.settled("v1")


async def promote(scene: Scene) -> None:
    """v2 walks its steps and gets everything."""
    await scene.apply("v2")
    await scene.settled("v2")


async def reject(scene: Scene) -> None:
    """v3 fails requests and is taken off."""
    await scene.apply("v3")
    status = await scene.until(lambda s: s.get("candidate") or s.get("rejected"))
    if "candidate" in status:
        scene.house.source.bad[status["candidate"]["revision"]] = 0.4
    await scene.until(lambda s: s.get("rejected"))
    await scene.until(_is_home("v1"))


def _is_home(version: str) -> Callable[[Object], bool]:
    return lambda s: s.get("stable", {}).get("version") == version and not s.get("candidate") and not s.get("leaving")


async def grow(scene: Scene) -> None:
    """More pods, and no more than that."""
    await scene.apply("v1", scaling={"minReplicas": 4})
    await _replicas(scene, 4)


async def autoscale(scene: Scene) -> None:
    """An autoscaler takes the number over."""
    await scene.apply("v1", scaling=SCALED)
    await _present(scene, "HorizontalPodAutoscaler", True)
    await scene.until(lambda s: any(c["type"] == "ScalingActive" for c in s.get("conditions", [])))  # it has looked


async def scaled(scene: Scene) -> None:
    """An autoscaler has the number of v1."""
    await first(scene)
    await autoscale(scene)


async def fix(scene: Scene) -> None:
    """The number comes back from the autoscaler."""
    await scene.apply("v1", scaling={"minReplicas": 3})
    await _present(scene, "HorizontalPodAutoscaler", False)
    await _replicas(scene, 3)


async def begun(scene: Scene) -> None:
    """v2 is at its second step, which lasts."""
    await first(scene)
    await scene.apply("v2", **LONG)
    await scene.until(lambda s: s.get("candidate", {}).get("step") == 1)


async def supersede(scene: Scene) -> None:
    """A third version comes in the middle of it."""
    await scene.apply("v4")
    await scene.settled("v4")


async def revert(scene: Scene) -> None:
    """The version that serves is asked for again in the middle of it."""
    await scene.apply("v1", **LONG)
    await scene.settled("v1")


async def promoted(scene: Scene) -> None:
    """v2 serves, and v1 is kept."""
    await first(scene)
    await promote(scene)


async def undo(scene: Scene) -> None:
    """A person goes back to v1."""
    kept = [one async for page in scene.house.kube.pages("ControllerRevision", scene.namespace) for one in page]
    (name,) = (one["metadata"]["name"] for one in kept if one["data"]["version"] == "v1")
    live = await scene.live()
    note = {"op": "add", "path": "/metadata/annotations", "value": {"penstock.dev/undo": name}}
    await scene.house.kube.edit(live, [note])
    await scene.until(_is_home("v1"))


async def delete(scene: Scene) -> None:
    """The whole model goes."""
    live = await scene.live()
    await scene.house.kube.delete("ModelDeployment", scene.namespace, "churn", live["metadata"]["uid"])
    for kind in ("HTTPRoute", "Deployment", "Service", "ControllerRevision"):
        await _present(scene, kind, False)


async def orphan(scene: Scene) -> None:
    """Its parts are let go."""
    await scene.apply("v1", deletionPolicy="Orphan")

    async def seen() -> bool:
        kinds = ("Deployment", "Service", "HTTPRoute", "ControllerRevision")
        owned = [one for kind in kinds for one in await scene.children(kind) if one["metadata"].get("ownerReferences")]
        return not owned

    await scene.sees(seen)


async def pods(scene: Scene) -> None:
    """v1 serves without a gateway."""
    await scene.apply("v1", **PODS, **BY_PODS)
    await scene.settled("v1")


async def by_pods(scene: Scene) -> None:
    """v2 gets one pod in four, then everything."""
    await scene.apply("v2", **PODS, **BY_PODS)
    await scene.settled("v2")


async def off_by_pods(scene: Scene) -> None:
    """v3 gets one pod in four, fails, and is out of the Service again."""
    await scene.apply("v3", **PODS, **BY_PODS)
    status = await scene.until(lambda s: s.get("candidate") or s.get("rejected"))
    if "candidate" in status:
        scene.house.source.bad[status["candidate"]["revision"]] = 0.4
    await scene.until(lambda s: s.get("rejected") and _is_home("v1")(s))


async def configured(scene: Scene) -> None:
    """v1 serves, with a ConfigMap of the user's."""
    await configure(scene, "one")
    await scene.apply("v1", **MOUNTED)
    await scene.settled("v1")


async def edit_config(scene: Scene) -> None:
    """The ConfigMap is edited in place: another revision of the same version."""
    home = (await scene.live())["status"]["stable"]["revision"]
    await configure(scene, "two")
    await scene.until(lambda s: s.get("stable", {}).get("revision") != home and _is_home("v1")(s))


MOUNTED: Object = {"server": {"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]}}


async def configure(scene: Scene, content: str) -> None:
    """The user's ConfigMap, with this content."""
    meta = {"name": "limits", "namespace": scene.namespace, "labels": {"penstock.dev/config": "tracked"}}
    await scene.house.kube.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"limits": content}}
    )


async def _replicas(scene: Scene, count: int) -> None:
    async def seen() -> bool:
        (live,) = await scene.children("Deployment")
        return bool(live["spec"]["replicas"] == count == live["status"].get("readyReplicas"))

    await scene.sees(seen)


async def _present(scene: Scene, kind: str, wanted: bool) -> None:
    async def seen() -> bool:
        return bool(await scene.children(kind)) is wanted

    await scene.sees(seen)


SCENARIOS: dict[str, Scenario] = {
    "create": Scenario(nothing, first),
    "scale": Scenario(first, grow),
    "autoscale": Scenario(first, autoscale),
    "fix the size": Scenario(scaled, fix),
    "promote": Scenario(first, promote, rises=True),
    "rollback": Scenario(first, reject),
    "supersede": Scenario(begun, supersede, rises=True, rests=False),
    "revert": Scenario(begun, revert, rests=False),
    "undo": Scenario(promoted, undo),
    "config": Scenario(configured, edit_config, rises=True),
    "promote by pods": Scenario(pods, by_pods),
    "rollback by pods": Scenario(pods, off_by_pods),
    "orphan": Scenario(first, orphan),
    "delete": Scenario(first, delete),
}
