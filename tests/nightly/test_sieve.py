"""SIGKILL before and after every write of every scenario, every answer lost once: always the same end, no law broken.

Writes docs/reports/faults.md. Takes most of an hour of two cores; `SCENARIOS="scale,delete"` tells only some.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ControlPlane, furnished
from tests.faults.proxy import Kill, Lose
from tests.faults.scenarios import SCENARIOS
from tests.faults.scene import open_house
from tests.faults.sieve import AT_ONCE, Outcome, sift

REPORT = Path(__file__).parents[2] / "docs" / "reports" / "faults.md"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with furnished("sieve") as made:
        yield made


def test_a_fault_at_any_write_changes_nothing_in_the_end(plane: ControlPlane) -> None:
    async def story() -> list[Outcome]:
        found: list[Outcome] = []
        async with open_house(plane) as house:
            for name in os.environ.get("SCENARIOS", ",".join(SCENARIOS)).split(","):
                found += await sift(house, [name])
                REPORT.write_text("\n".join(report(found)) + "\n")
        return found

    found = asyncio.run(story())
    assert [line for each in found for line in wrong(each)] == []


def wrong(outcome: Outcome) -> list[str]:
    """What was wrong with one run, in lines."""
    case = outcome.case
    return [f"{case.scenario}, write {case.write}, {case.fault}, {outcome.met}: {line}" for line in outcome.wrong]


def report(found: list[Outcome]) -> list[str]:
    """The page."""
    names = [each.case.scenario for each in found]
    return [
        "# A fault at every write",
        "",
        "Written by `make nightly` (`tests/nightly/test_sieve.py`): the operator's process against a real API",
        "server, behind a proxy that numbers its writes. Each scenario runs once undisturbed; then once for each of",
        "its writes and each fault: the process is killed (SIGKILL) before the write is passed on, killed after it",
        "was answered, or the answer is lost. The killed process is started anew. A run is *different* where any",
        "child's spec, labels, annotations or owners, or the status, are not in the end those of the undisturbed",
        "run, within 90 seconds and then without a write for two; where at any resourceVersion a law of",
        "`tests/faults/history.py` was broken; where a step was taken twice; where the process ended by itself.",
        "*Not met*: the run needed fewer writes than the undisturbed one, so the fault had nothing to meet.",
        "Scenarios that are not in the table were not told in the run that wrote it.",
        "",
        "| scenario | writes | killed before | killed after | answers lost | not met | different |",
        "|---|---|---|---|---|---|---|",
        *(row(name, [each for each in found if each.case.scenario == name]) for name in dict.fromkeys(names)),
        row("all", found),
        "",
        f"From a kill to the next process's first write: median {median(gaps(found)):.1f} s, at most"
        f" {max(gaps(found)):.1f} s, with {AT_ONCE} operators at a time.",
        *(f"- {line}" for each in found for line in wrong(each)),
    ]


def row(name: str, found: list[Outcome]) -> str:
    """One line of the table."""
    writes = sum(len(each.writes) for each in found if not each.case.fault)
    met = [each for each in found if each.met]
    counts = [sum(each.case.fault == fault for each in met) for fault in (Kill(), Kill(after=True), Lose())]
    missed = sum(bool(each.case.fault) and not each.met for each in found)
    cells = [name, writes, *counts, missed, sum(bool(each.wrong) for each in found)]
    return f"| {' | '.join(map(str, cells))} |"


def gaps(found: list[Outcome]) -> list[float]:
    """Seconds from a kill to the next write."""
    return [each.gap for each in found if each.gap] or [0.0]
