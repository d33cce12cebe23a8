"""Stories of the share that is seen: a real gateway that follows its route, and traffic that goes past it."""

import re
import time
from typing import Any

from tests.e2e.stories.crowd import share
from tests.e2e.stories.scene import NAMESPACE, Object, Scene

# A step that only a person ends; and one that is long enough for some hundred requests.
LONG: dict[str, Any] = {"canary": {"steps": [{"weight": 20, "duration": "30m"}]}}
TWO: dict[str, Any] = {"canary": {"steps": [{"weight": 20, "duration": "4s"}, {"weight": 60, "duration": "30s"}]}}
RATE, ENOUGH = 25.0, 2000


def verified(scene: Scene) -> Object:
    """The condition TrafficVerified; empty where nothing is tried."""
    found = [c for c in scene.status.get("conditions", []) if c["type"] == "TrafficVerified"]
    return dict(found[0]) if found else {}


def counted(message: str) -> tuple[float, float, int]:
    """Both ends of the interval in percent, and of how many requests."""
    found = re.search(r"seen ([0-9.]+)% to ([0-9.]+)% of ([0-9,]+) requests", message)
    return (float(found[1]), float(found[2]), int(found[3].replace(",", ""))) if found else (0.0, 100.0, 0)


async def begin(scene: Scene, rollout: dict[str, Any]) -> None:
    """v1 serves, clients come, v2 is tried and has its first share."""
    await scene.apply("v1", rollout)
    await scene.settled("v1")
    scene.crowd(rate=RATE)
    await scene.apply("v2", rollout)
    await scene.step(0)


async def seen(scene: Scene) -> None:
    """At 20 % of a real gateway, thousands of requests: what the counters show is what clients got."""
    await begin(scene, LONG)
    shifted = time.time()
    await scene.until(lambda s: counted(verified(s).get("message", ""))[2] >= ENOUGH, 2 * ENOUGH / RATE)
    low, high, total = counted(verified(scene)["message"])
    mine = share([a for a in scene.answers() if a.sent > shifted], "v2")
    assert verified(scene)["status"] == "True", verified(scene)
    assert low < 20 < high and low < mine < high, (low, mine, high)
    observed = scene.candidate["observedShare"], scene.status["stable"]["observedShare"]
    assert abs(float(observed[0].rstrip("%")) - mine) < 3, (observed, mine)
    scene.note(asked="20%", clients_saw=f"{mine:.1f}%", observed=observed[0], interval=f"{low}% to {high}%", of=total)
    await scene.annotate(promote=scene.candidate["revision"])
    await scene.settled("v2")
    scene.no_failure()


async def stolen(scene: Scene) -> None:
    """Somebody's second route takes the requests: the gateway says yes to 60 %, the step waits, and it is named."""
    await begin(scene, TWO)
    home, mine = scene.status["stable"]["revision"], scene.candidate["revision"]
    await scene.create(_thief(scene, {home: 80, mine: 20}, at_work=False))
    await scene.step(1)
    await scene.create(_thief(scene, {home: 80, mine: 20}))
    shifted = time.time()
    await scene.until(lambda s: verified(s).get("status") == "False", 30)
    scene.note(seconds_until_seen=round(time.time() - shifted, 1), said=verified(scene)["message"])
    assert verified(scene)["reason"] == "ShareMismatch"
    assert verified(scene)["message"].startswith("asked 60%, seen ")
    assert f"Gateway {NAMESPACE}/models does not follow the route" in verified(scene)["message"]
    await scene.until(lambda s: time.time() > shifted + 60)  # the subject: more than twice the step's duration
    assert scene.candidate["step"] == 1 and scene.ready["reason"] == "ShareMismatch", scene.ready
    assert scene.weights()[-1][1][mine] == 60, "the route is as it should be"
    await scene.create(_thief(scene, {home: 80, mine: 20}, at_work=False))
    gone = time.time()
    await scene.settled("v2")
    scene.note(seconds_to_go_on=round(time.time() - gone, 1))
    scene.no_failure()


def _thief(scene: Scene, weights: dict[str, int], at_work: bool = True) -> Object:
    """An exact path goes before a prefix.

    Its coming and going under load would cost requests of its own, as a gateway may match a rule whose backends its
    proxies do not know. So it comes, and stays in the end, under a path of nobody's.
    """
    path = {"path": {"type": "Exact", "value": f"/v2/models/{scene.name}/{'infer' if at_work else 'nobody'}"}}
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"{scene.name}-thief", "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"name": "models"}],
            "hostnames": [scene.host],
            "rules": [{"matches": [path], "backendRefs": backends}],
        },
    }
