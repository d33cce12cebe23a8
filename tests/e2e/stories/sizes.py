"""How many replicas there are, by a real autoscaler on a real Prometheus: for an objective, and within a budget.

The server of the objective has one device that each request holds for 20 ms, and requests come by chance: a queue that
hardly anybody stands in at 10 requests/s, and every tenth for too long at 34.
"""

import asyncio
import time

from examples.demo.records import Answer
from tests.e2e.stories import small
from tests.e2e.stories.crowd import Crowd
from tests.e2e.stories.scene import Object, Scene

HELD, SLOW, MOST = 0.02, 0.1, 0.05  # seconds, seconds, share
CALM, BUSY = 10.0, 34.0  # requests/s
SCALING: Object = {
    "minReplicas": 1,
    "maxReplicas": 4,
    "objective": {"slowRate": {"threshold": "100ms", "max": "5%"}},
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
}
PER_REPLICA, PRICE = 5, 0.02  # requests/s; by the stage's prices: 20m of a cpu at 1 EUR
SETTLED = 75.0  # seconds after which a new size shows


async def objective(scene: Scene) -> None:
    """Too many are slow: a target is learned, replicas follow it, at twice the load too, and it stays as load falls."""
    await small.first(scene, scaling=SCALING, held=HELD)
    crowd = _strangers(scene)
    await asyncio.sleep(90)
    assert _pods(scene) == 1 and not _target(scene)
    crowd.rate, begin = BUSY, time.time()
    await scene.until(lambda s: _target(s) > 0, 360)
    learned = time.time()
    await scene.until(lambda s: _pods(s) > 1, 120)
    few = _pods(scene)
    late = _late([a for a in crowd.answers if begin < a.sent < time.time()])
    eased = await _share(crowd)
    crowd.rate = 2 * BUSY
    await scene.until(lambda s: _pods(s) > few, 120)
    doubled = await _share(crowd)
    many, known = _pods(scene), scene.status["objective"]
    why = scene.status["scaling"]["decisions"][-1]["why"]
    crowd.rate = CALM
    await scene.until(lambda s: _pods(s) == 1, 240)
    told = [_target_of(sight.seen.get("status", {})) for sight in scene.sights("ModelDeployment")]
    targets = [each for each in told if each]
    scene.note(
        learned_after=f"{learned - begin:.0f} s",
        learned=known["message"],
        pods=f"1, {few}, {many}, {_pods(scene)}",
        slow=f"{late:.1%}, {eased:.1%}, {doubled:.1%}",
        why=why,
    )
    assert late > MOST > max(eased, doubled)
    assert why.startswith("requestsPerSecond"), why
    assert targets == sorted(targets, reverse=True), targets
    assert scene.says("ObjectiveReachable") == "True"
    scene.no_failure()


async def in_vain(scene: Scene) -> None:
    """A model that is slow at any load: more replicas are tried, given back, and it is said that they do not help."""
    await small.first(scene, scaling=SCALING | {"maxReplicas": 12}, slow=1.5 * SLOW)
    _strangers(scene)
    began = time.time()
    await scene.until(lambda s: s.says("ObjectiveReachable") == "False", 900)
    message, seconds = scene.status["objective"]["message"], time.time() - began
    tried = max(sight.seen.get("status", {}).get("replicas", 0) for sight in scene.sights("ModelDeployment"))
    scene.note(said=message, after=f"{seconds:.0f} s", tried=tried)
    assert "more replicas do not help" in message, message
    await scene.until(lambda s: 0 < _pods(s) <= 2, 240)  # the load of the minute it began in, give or take
    scene.no_failure()


def _strangers(scene: Scene) -> Crowd:
    """Calm at first."""
    url = f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    return scene.send(Crowd(url, scene.house.rows, CALM, {"Host": scene.host}, by_chance=True))


async def budget(scene: Scene) -> None:
    """A budget holds four wanted replicas to two that it pays for, gives four for more, and says what is too dear."""
    await small.first(scene, scaling=_paid(2))
    scene.crowd(rate=4 * PER_REPLICA)
    await scene.until(lambda s: _wanted(s) == 2 and _pods(s) == 2, 120)
    await asyncio.sleep(45)  # three looks of the autoscaler, which wants four
    told = [sight.seen.get("status", {}) for sight in scene.sights("ModelDeployment")]
    assert max(status.get("replicas", 0) for status in told) == 2
    assert scene.says("WithinBudget") == "True"
    held = next(c["message"] for c in scene.status["conditions"] if c["type"] == "WithinBudget")
    await small.apply(scene, "v1", scaling=_paid(4))
    await scene.until(lambda s: _pods(s) == 4, 120)
    scene.note(held=held, cost_of_four=scene.status["cost"]["perHour"])
    await small.apply(scene, "v1", scaling=_paid(0.5))
    await scene.until(lambda s: s.ready.get("reason") == "BudgetExceeded" and s.says("WithinBudget") == "False")
    scene.note(too_dear=scene.ready["message"])
    scene.no_failure()


def _paid(replicas: float) -> Object:
    """Up to four replicas by load, and a budget that pays for so many."""
    return {
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"name": "requestsPerSecond", "target": PER_REPLICA}],
        "budget": {"perHour": f"{replicas * PRICE:.3f}", "onExceed": "Refuse"},
    }


async def _share(crowd: Crowd) -> float:
    """The share of slow answers in a minute, once a new size shows."""
    await asyncio.sleep(SETTLED)
    return _late([a for a in crowd.answers if a.sent > time.time() - 60])


def _late(answers: list[Answer]) -> float:
    return sum(a.seconds > SLOW for a in answers) / max(1, len(answers))


def _pods(scene: Scene) -> int:
    return int(scene.status.get("replicas", 0))


def _wanted(scene: Scene) -> int:
    return int(scene.status.get("scaling", {}).get("wanted", 0))


def _target(scene: Scene) -> float:
    return _target_of(scene.status)


def _target_of(status: Object) -> float:
    """The learned target in requests/s for each replica; 0 while there is none."""
    return float(status.get("objective", {}).get("perReplica", 0))
