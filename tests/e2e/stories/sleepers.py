"""A model that nobody asks for has no pods; those who wake it wait, and none of them is lost."""

import asyncio
import time
from typing import Any

from tests.e2e.stories.crowd import Crowd
from tests.e2e.stories.scene import Object, Scene

FIRST = 200  # requests that come all at once to a model that sleeps
SCALING = {
    "minReplicas": 0,
    "maxReplicas": 2,
    "metrics": [{"name": "requestsPerSecond", "target": 50}],
    "scaleToZero": {"idleFor": "1m", "waitTimeout": "90s", "maxWaiting": 1000},
}
STEPS = {"canary": {"steps": [{"weight": 50, "duration": "4s"}]}}


async def woken(scene: Scene) -> None:
    """200 requests at once wake it: all are answered."""
    await scene.apply("v1", STEPS, scaling=SCALING)
    await scene.settled("v1")
    await falls_asleep(scene)
    crowd, begin = patient(scene), time.time()
    await scene.until(lambda _: len(crowd.answers) >= FIRST)
    waits = sorted(answer.seconds for answer in crowd.answers[:FIRST])
    await scene.until(lambda s: "wakeMilliseconds" in _sleep(s))
    scene.note(first=FIRST, woken_in=f"{_sleep(scene)['wakeMilliseconds'] / 1000:.1f} s", **_spread(waits))
    assert _sleep(scene)["why"] == "a request waits"
    await scene.until(lambda s: s.ready.get("reason") == "Settled")
    await asyncio.sleep(max(0.0, begin + 20 - time.time()))  # the way back from the door to the pods is under load too
    scene.no_failure()


async def rolled_out(scene: Scene) -> None:
    """A version that comes while the other sleeps wakes both; nobody's request is lost."""
    await scene.apply("v1", STEPS, scaling=SCALING)
    await scene.settled("v1")
    await falls_asleep(scene, gone=False)
    stable = scene.status["stable"]["revision"]
    await scene.apply("v2", STEPS, scaling=SCALING)
    patient(scene)
    await scene.settled("v2")
    assert _sleep(scene)["why"] == "a rollout begins"
    assert any(_pods(s.seen) for s in scene.sights("Deployment", stable) if s.at > scene.sleeps), "both were awake"
    scene.no_failure()


async def falls_asleep(scene: Scene, gone: bool = True) -> None:
    """Wait until it sleeps and has no pod any more, or only some that are about to end."""
    await scene.until(lambda s: bool(_sleep(s).get("asleepSince")), 240)
    revision = scene.status["stable"]["revision"]
    await scene.until(lambda s: s.sights("Deployment", revision)[-1].seen["spec"]["replicas"] == 0)
    await scene.until(lambda s: _pods(s.sights("Deployment", revision)[-1].seen) == 0)
    if gone:
        await scene.kubectl("wait", "--for=delete", "pod", "-l", f"penstock.dev/revision={revision}", "--timeout=120s")
    told = {c["type"]: (c["status"], c["reason"]) for c in scene.status["conditions"]}
    assert told["Ready"] == ("True", "Asleep") and told["Available"][0] == "True", told
    scene.sleeps = time.time()


def patient(scene: Scene) -> Crowd:
    """So many at once, and then a few a second; each waits as long as a model needs to load."""
    url = f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    first = Crowd(url, scene.house.rows, 20.0, {"Host": scene.host}, patience=120.0, at_once=FIRST)
    return scene.send(first)


def _sleep(scene: Scene) -> Object:
    return dict(scene.status.get("sleep") or {})


def _pods(deployment: Object) -> int:
    return int(deployment.get("status", {}).get("replicas", 0))


def _spread(waits: list[float]) -> dict[str, Any]:
    return {"p50": f"{waits[len(waits) // 2]:.1f} s", "p95": f"{waits[int(len(waits) * 0.95)]:.1f} s"}
