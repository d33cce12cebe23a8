"""Stories of canaries without a gateway: the Service gives each pod in rotation an equal part of the connections."""

import json
import time
from math import sqrt
from typing import Any

from tests.e2e.stories.crowd import Crowd, share, strange, versions
from tests.e2e.stories.others import inside
from tests.e2e.stories.scene import Scene

# Of three pods at full size: three and one, then two and two.
CANARY: dict[str, Any] = {"canary": {"steps": [{"weight": 25, "duration": "12s"}, {"weight": 50, "duration": "12s"}]}}
PODS: dict[str, Any] = {"traffic": None, "scaling": {"minReplicas": 3}}
RATE = 10.0  # requests a second
SETTLES = 1.0  # seconds until a node has heard of a change of endpoints; after that every connection obeys


async def _first(scene: Scene) -> None:
    """v1 serves on three pods; clients come, each request on a connection of its own."""
    await scene.apply("v1", CANARY, **PODS)
    await scene.settled("v1")
    scene.send(Crowd(await inside(scene), scene.house.rows, RATE, lasting=False))


async def good(scene: Scene) -> None:
    """Without a gateway a good version gets one pod in four, then two, then everything; nobody notices."""
    await _first(scene)
    await scene.apply("v2", CANARY, **PODS)
    for number, wanted in ((0, 25), (1, 50)):
        await scene.step(number)
        begin = time.time() + SETTLES
        assert scene.candidate["weight"] == wanted, scene.candidate
        assert "penstock.dev/rotation" in await _selector_now(scene)
        await scene.until(lambda s, n=number: s.candidate.get("step") != n)  # type: ignore[misc]
        seen = [a for a in scene.answers() if begin < a.sent < time.time() - SETTLES]
        found, off = share(seen, "v2"), 400 * sqrt(wanted / 100 * (1 - wanted / 100) / len(seen))
        scene.note(**{f"share_of_{wanted}": f"{found:.1f} of {len(seen)}"})
        assert abs(found - wanted) < off, versions(seen)  # four standard deviations
    await scene.settled("v2")
    assert await _selector_now(scene) == {"penstock.dev/revision": scene.status["stable"]["revision"]}
    await scene.until(lambda s: s.answers()[-1].version == "v2")
    scene.no_failure()


async def bad(scene: Scene) -> None:
    """Without a gateway a bad version is out of the Service in one write, before its pods are touched."""
    await _first(scene)
    await scene.apply("v3", CANARY, **PODS)
    await scene.until(lambda s: bool(s.candidate))
    name, home = scene.candidate["revision"], scene.status["stable"]["revision"]
    await scene.rejected("ErrorRateAbove")
    await scene.until(lambda s: _selector(s) == {"penstock.dev/revision": home})
    back = next(s.at for s in reversed(scene.sights("Service")) if s.change != "DELETED")
    touched = [s.at for s in scene.sights("Deployment", name) if s.change == "DELETED"]
    assert not touched or min(touched) > back
    await scene.until(lambda s: bool(s.sights("Deployment", name)) and time.time() > back + 3 * SETTLES)
    late = [a for a in scene.answers() if a.failed and a.sent > back + SETTLES]
    others = strange(scene.answers())
    assert not late and not others, (late, others)
    scene.note(failed=len([a for a in scene.answers() if a.failed]))


async def _selector_now(scene: Scene) -> dict[str, str]:
    """What it selects: the watch of Services may be behind that of models, whose status speaks of it."""
    return dict(json.loads(await scene.kubectl("get", "service", scene.name, "-o", "json"))["spec"]["selector"])


def _selector(scene: Scene) -> dict[str, str]:
    """What the Service of the model's name selects, as it was last seen."""
    return dict(scene.sights("Service")[-1].seen["spec"]["selector"])
