"""The README shows what was recorded: every line of its demo is a line of docs/demo.txt, as far as it goes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_in_the_readme_was_recorded() -> None:
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```\n<!-- /demo -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown
    recorded = (ROOT / "docs" / "demo.txt").read_text().splitlines()
    lines = shown[1].splitlines()
    assert len(lines) > 20
    for line in lines:
        assert any(one == line or (line.endswith("…") and one.startswith(line[:-1])) for one in recorded), line
