"""Random stories under the real loop: laws at every write, a true end, then silence; and what once broke a law."""

import json
import os
import subprocess
import sys

import pytest

from tests.sim import many
from tests.sim.histories import REGRESSIONS, draw, play, read

STORIES = int(os.environ.get("PENSTOCK_STORIES", "300"))
KEPT = json.loads(REGRESSIONS.read_text())


def test_no_law_is_broken_in_random_stories() -> None:
    tally = many.tell(0, STORIES)
    assert tally.stories == STORIES
    assert not tally.complaints, many.report(tally)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_once_broke_a_law_breaks_none(name: str) -> None:
    outcome = play(read(KEPT[name]), recorded=True)
    assert not outcome.complaint, "\n".join([outcome.complaint, *outcome.tale])


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.sim.histories", "11"]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    tales = [
        subprocess.run(
            command, env={**os.environ, **paths, "PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert tales[0] == tales[1]
    assert len(play(draw(11), recorded=True).tale) > 10
