"""What is done on the real cluster: one function for each case, which answers with what came of it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

from bench.scaling import keda
from bench.scaling.watched import Autoscalers
from cluster.addons import PROMETHEUS
from examples.demo.records import Answer
from tests.e2e.stories import sleepers
from tests.e2e.stories.scene import Scene

LOW, HIGH, PER_REPLICA, MOST = 6.0, 30.0, 10, 6  # requests/s; the step is times five
LIVE: dict[str, Any] = {"metrics": [{"name": "requestsPerSecond", "target": PER_REPLICA}]}
CPU: dict[str, Any] = {"metrics": [{"name": "cpu", "target": 70}]}
BOUNDS = {"minReplicas": 1, "maxReplicas": MOST}
CALM, PEAK, DOWN, OUTAGE = 60.0, 150.0, 600.0, 300.0  # seconds
WAKES = 3
Play = Callable[[Scene], Awaitable[dict[str, Any]]]


async def by_live_metric(scene: Scene) -> dict[str, Any]:
    """Five times the load and back, followed by requests per second."""
    return await _step(scene, LIVE)


async def by_cpu(scene: Scene) -> dict[str, Any]:
    """The same load, followed by CPU alone, as a plain HorizontalPodAutoscaler does."""
    return await _step(scene, CPU)


async def by_keda(scene: Scene) -> dict[str, Any]:
    """The same load, followed by KEDA, which asks the operator; at the peak it gives way, and takes over again."""
    with Autoscalers(scene.house.kubectl) as seen:
        found = await _step(scene, LIVE, lambda: _turns(scene, seen))
    return found | {"version": keda.version(), "most_at_once": seen.most_at_once(), "names": sorted(seen.names())}


async def _turns(scene: Scene, seen: Autoscalers) -> dict[str, Any]:
    """Who follows changes twice, under load; how long nobody did, and the fewest pods meanwhile."""
    revision, began = scene.status["stable"]["revision"], time.time()
    said = json.loads(await scene.kubectl("get", "scaledobject", revision, "-o", "json"))["status"]["conditions"]
    gaps = []
    for by_keda in (False, True):
        before = seen.now(revision)
        await asyncio.to_thread(keda.use, scene.house.kubectl, by_keda)
        await scene.until(lambda _, b=before: seen.now(revision) not in (set(), b), 240)  # type: ignore[misc]
        gaps.append(round(seen.gap(revision), 1))
        await asyncio.sleep(45.0)
    pods = [count for at, count in _replicas(scene) if at >= began] or [_replicas(scene)[-1][1]]
    told = {each["type"]: each["status"] for each in said}
    return {"told": told, "gaps": gaps, "fewest_in_turns": min(pods), "turns": _requests(_since(scene, began))}


async def outage(scene: Scene) -> dict[str, Any]:
    """The metrics are away for five minutes at the peak."""
    await _serves(scene, LIVE)
    begin = time.time()
    scene.crowd(rate=HIGH)
    await scene.until(lambda s: _replicas(s)[-1][1] >= ceil(HIGH / PER_REPLICA), 240)
    _, namespace, *_ = PROMETHEUS.removeprefix("http://").split(".")
    place = ("-n", namespace, "deployment/prometheus")
    gone = time.time()
    await asyncio.to_thread(scene.house.kubectl.run, "scale", "--replicas=0", *place)
    try:
        await scene.until(lambda s: s.says("ScalingActive") == "False", 240)
        noticed = time.time()
        await asyncio.sleep(max(0.0, gone + OUTAGE - time.time()))
    finally:
        await asyncio.to_thread(scene.house.kubectl.run, "scale", "--replicas=1", *place)
    back = time.time()
    await scene.until(lambda s: s.says("ScalingActive") == "True", 240)
    known = [count for at, count in _replicas(scene) if gone <= at] or [_replicas(scene)[-1][1]]
    return {
        "at_peak": ceil(HIGH / PER_REPLICA),
        "fewest_meanwhile": min(known),
        "told_after": round(noticed - gone, 1),
        "mended_after": round(time.time() - back, 1),
        **_requests(_since(scene, begin)),
    }


async def wakes(scene: Scene) -> dict[str, Any]:
    """Asleep, then 200 requests at once; again and again."""
    await scene.apply("v1", sleepers.STEPS, scaling=sleepers.SCALING)
    await scene.settled("v1")
    took: list[float] = []
    waits: list[float] = []
    lost: list[str] = []
    for _ in range(WAKES):
        await sleepers.falls_asleep(scene)
        crowd = sleepers.patient(scene)
        await scene.until(lambda _, c=crowd: len(c.answers) >= sleepers.FIRST)  # type: ignore[misc]
        await scene.until(lambda s: s.ready.get("reason") == "Settled" and "wakingSince" not in s.status["sleep"])
        took.append(scene.status["sleep"]["wakeMilliseconds"] / 1000)
        waits += [answer.seconds for answer in crowd.answers[: sleepers.FIRST]]
        await asyncio.sleep(5.0)
        await scene.quiet()
        begin = min(answer.sent for answer in crowd.answers)
        lost += [f"{a.status} sent {a.sent - begin:.2f} s, waited {a.seconds:.2f} s" for a in crowd.failed()]
    return {
        "seconds": took,
        "waits": sorted(round(each, 3) for each in waits),
        "lost": lost,
        **_requests(scene.answers()),
    }


CASES: dict[str, Play] = {
    "by_live_metric": by_live_metric,
    "by_cpu": by_cpu,
    "by_keda": by_keda,
    "outage": outage,
    "wakes": wakes,
}
TOGETHER = {"wakes": 3}  # models at the same time


async def _serves(scene: Scene, scaling: dict[str, Any]) -> None:
    await scene.apply("v1", None, scaling=BOUNDS | scaling)
    await scene.settled("v1")


async def _nothing() -> dict[str, Any]:
    return {}


async def _step(
    scene: Scene, scaling: dict[str, Any], at_peak: Callable[[], Awaitable[dict[str, Any]]] = _nothing
) -> dict[str, Any]:
    await _serves(scene, scaling)
    scene.crowd(rate=LOW)
    await asyncio.sleep(CALM)
    await scene.quiet()
    up = time.time()
    scene.crowd(rate=HIGH)
    await asyncio.sleep(PEAK)
    seen = time.time()
    more = await at_peak()
    await scene.quiet()
    down = time.time()
    peak = _replicas(scene)[-1][1]
    scene.crowd(rate=LOW)
    end = down + DOWN
    await scene.until(lambda s: time.time() > end or not _replicas(s)[-1][1] >= peak > 1, DOWN + 10)
    await scene.quiet()
    reached = next((at - up for at, count in _replicas(scene) if at >= up and count >= peak), 0.0)
    fell = next((at - down for at, count in _replicas(scene) if at >= down and count < peak), None)
    answers = scene.answers()
    return {
        "formula": ceil(HIGH / PER_REPLICA),
        "at_peak": peak,
        "reached_after": round(reached, 1),
        "fell_after": None if fell is None else round(fell, 1),
        "curve": [(round(at - up, 1), count) for at, count in _replicas(scene)],
        "calm": _requests([a for a in answers if a.sent < up]),
        "peak": _requests([a for a in answers if up <= a.sent < seen]),
        "back": _requests(_since(scene, down)),
        **more,
    }


def _replicas(scene: Scene) -> list[tuple[float, int]]:
    """Ready pods of the stable revision over time, each change."""
    revision = scene.status["stable"]["revision"]
    made: list[tuple[float, int]] = []
    for sight in scene.sights("Deployment", revision):
        count = int(sight.seen.get("status", {}).get("readyReplicas", 0))
        if not made or made[-1][1] != count:
            made.append((sight.at, count))
    return made or [(0.0, 0)]


def _since(scene: Scene, begin: float) -> list[Answer]:
    return [each for each in scene.answers() if each.sent >= begin]


def _requests(answers: list[Answer]) -> dict[str, Any]:
    waits = sorted(each.seconds for each in answers if not each.failed)
    at = {f"p{part}": round(waits[min(len(waits) - 1, len(waits) * part // 100)], 3) for part in (50, 95) if waits}
    return {"requests": len(answers), "failed": sum(each.failed for each in answers), **at}
