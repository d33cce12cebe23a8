"""Twenty good and twenty bad rollouts under load: every bad one is caught, no good one is, no good one costs a request.

Prints what it measured and writes docs/reports/forty.md where FORTY_REPORT names a file.
"""

import os
import time
from pathlib import Path

import pytest

from examples.demo import setup
from tests.e2e.conftest import Stage, stage
from tests.e2e.stories.canaries import CANARY, first
from tests.e2e.stories.crowd import strange
from tests.e2e.stories.play import Outcome, open_house, play
from tests.e2e.stories.scene import Scene

__all__ = ["stage"]
EACH = 20


async def good(scene: Scene) -> None:
    """A better version is promoted and nobody notices."""
    await first(scene)
    await scene.apply("v2", CANARY)
    await scene.settled("v2")
    scene.no_failure()


async def bad(scene: Scene) -> None:
    """A version that fails on one row in six is taken off."""
    await first(scene)
    home = scene.status["stable"]["revision"]
    await scene.apply("v3", CANARY)
    await scene.until(lambda s: any(a.failed for a in s.answers()))
    hurt = time.time()
    await scene.rejected("ErrorRateAbove")
    await scene.until(lambda s: s.weights()[-1][1].get(home) == 100)
    scene.note(seconds=round(scene.since(home) - hurt, 1))
    assert not [a for a in scene.answers() if a.failed and a.sent > scene.since(home) + 1.0]
    assert not strange(scene.answers())


@pytest.fixture(scope="module")
def told(stage: Stage) -> dict[str, Outcome]:
    names = [f"{kind}-{number:02}" for number in range(EACH) for kind in ("good", "bad")]
    with open_house(setup.prepare(stage.name)) as house:
        return play(house, {name: good if name.startswith("good") else bad for name in names})


def test_every_bad_one_is_caught_and_no_good_one(told: dict[str, Outcome]) -> None:
    lines = report(told)
    print("\n".join(lines))
    if path := os.environ.get("FORTY_REPORT"):
        Path(path).write_text("\n".join(lines) + "\n")
    trouble = {name: outcome.trouble for name, outcome in told.items() if outcome.trouble}
    assert not trouble, next(iter(trouble.values()))


def report(told: dict[str, Outcome]) -> list[str]:
    """The figures, for people."""
    kinds = {kind: [o for name, o in told.items() if name.startswith(kind)] for kind in ("good", "bad")}
    waits = sorted(float(o.notes["seconds"]) for o in kinds["bad"] if "seconds" in o.notes)
    lines = ["# Forty rollouts under load", "", "Written by `FORTY_REPORT=docs/reports/forty.md make nightly`.", ""]
    lines += ["| rollouts | as wanted | requests | failed |", "|---|---|---|---|"]
    for kind, found in kinds.items():
        fine = sum(not o.trouble for o in found)
        lines.append(
            f"| {len(found)} {kind} | {fine} | {sum(o.requests for o in found):,} | {sum(o.failed for o in found)} |"
        )
    if waits:
        middle = waits[len(waits) // 2]
        lines += ["", f"First failed request to weight 0: median {middle} s, longest {waits[-1]} s (interval 2 s)."]
    return lines
