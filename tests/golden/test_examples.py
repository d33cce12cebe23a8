"""Every example's objects, to the letter, in files that a person can read and a reviewer sees change.

`GOLDEN_UPDATE=1 pytest tests/golden` writes the files anew. A changed revision name in them means that every pod of
every user would restart: that must never be committed as a mere update.
"""

import os
from pathlib import Path

import pytest

from tests.golden.turns import TURNS, deployments, render

FILES = Path(__file__).with_name("files")
CASES = [(name, turn) for name in deployments() for turn in TURNS]


def file_of(name: str, turn: str) -> Path:
    return FILES / f"{name}.{turn}.yaml"


@pytest.mark.parametrize(("name", "turn"), CASES)
def test_an_example_makes_these_objects(name: str, turn: str) -> None:
    made = render(TURNS[turn](deployments()[name]))
    if os.environ.get("GOLDEN_UPDATE"):
        file_of(name, turn).write_text(made)
    assert made == file_of(name, turn).read_text(), "if that is wanted: GOLDEN_UPDATE=1 pytest tests/golden"


def test_there_are_examples_and_no_file_without_one() -> None:
    assert len(deployments()) >= 8
    assert {path.name for path in FILES.iterdir()} == {file_of(*case).name for case in CASES}
