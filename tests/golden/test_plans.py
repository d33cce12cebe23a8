"""What `penstock plan` prints for examples, to the letter: figures and words that a reviewer sees change.

`GOLDEN_UPDATE=1 pytest tests/golden` writes the files anew.
"""

import os
from pathlib import Path

import pytest

from penstock import cli

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).with_name("plans")
CASES = {
    "canary-approval.txt": ("canary-approval", "--rate", "50", "--error-rate", "0.5%"),
    "ab-test.txt": ("ab-test", "--rate", "20", "--cohort-share", "5%"),
    "ab-test-without-rate.txt": ("ab-test",),
    "rolling.json": ("rolling", "--rate", "10", "--format", "json"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_example_costs_this(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example, *options = CASES[name]
    assert cli.main(["plan", str(ROOT / "examples" / f"{example}.yaml"), *options]) == 0
    made = capsys.readouterr().out
    if os.environ.get("GOLDEN_UPDATE"):
        (FILES / name).write_text(made)
    assert made == (FILES / name).read_text(), "if that is wanted: GOLDEN_UPDATE=1 pytest tests/golden"


def test_there_is_no_other_file() -> None:
    assert {path.name for path in FILES.iterdir()} == set(CASES)
