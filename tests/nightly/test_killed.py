"""The operator's process is killed at each step boundary, under load: no step twice, no failed request, same end."""

import asyncio
import os
import signal
import time
from pathlib import Path

from examples.demo import setup
from tests.e2e.conftest import Stage, stage
from tests.e2e.stories.canaries import first
from tests.e2e.stories.play import open_house, play
from tests.e2e.stories.scene import Scene
from tests.e2e.test_story import is_operator

__all__ = ["stage"]
ROLLOUT = {
    "canary": {"steps": [{"weight": w, "duration": "3s"} for w in (20, 60)]},
    "bake": {"duration": "3s"},
    "deadline": "3m",
}


def kill(stage: Stage) -> None:
    """SIGKILL, so that nothing can be put in order; where it is just starting anew, as soon as it is there."""
    where = ("--namespace=penstock-system", "--output=jsonpath={.items[*].metadata.uid}")
    uids = stage.kubectl("get", "pods", *where).split()
    found: list[int] = []
    while not found:
        found = [int(f.name) for f in Path("/proc").glob("[0-9]*") if is_operator(f, uids)]
        time.sleep(0.1)  # between two looks at the processes
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def test_the_operator_is_killed_at_each_step_boundary(stage: Stage) -> None:
    killed: list[int] = []

    async def story(scene: Scene) -> None:
        await first(scene, ROLLOUT)
        await scene.apply("v2", ROLLOUT)
        while not _is_over(scene):
            await scene.until(lambda s: s.candidate.get("step", -1) > max(killed, default=-1) or _is_over(s), 300)
            if not _is_over(scene):
                killed.append(scene.candidate["step"])
                await asyncio.to_thread(kill, stage)
        await scene.settled("v2")
        assert [e["reason"] for e in scene.status["history"]] == ["Promoted", "Promoted"]
        name = scene.status["stable"]["revision"]
        given = [weights[name] for _, weights in scene.weights() if name in weights]
        walked = given[: given.index(100) + 1]
        assert walked == sorted(walked), f"backwards: {walked}"
        scene.no_failure()

    with open_house(setup.prepare(stage.name)) as house:
        outcome = play(house, {"killed": story})["killed"]
    print(f"killed at steps {killed}: {outcome.seconds:.0f} s, {outcome.requests} requests, {outcome.failed} failed")
    assert not outcome.trouble, outcome.trouble
    assert len(killed) >= 3


def _is_over(scene: Scene) -> bool:
    return bool(scene.status.get("stable", {}).get("version") == "v2")
