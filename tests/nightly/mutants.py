"""Faults planted in the operator, one at a time; the stories and the tests of the machine must notice each.

A fault that nothing notices is a missing law. Each is a literal replacement in one file: mutants.yaml says all.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STORIES = 400
UNITS = (
    *("judge", "evidence", "actions", "approved", "access", "rotate", "rotation", "share", "share_samples"),
    *("cache", "queue", "endpoints", "routed", "traffic", "strategy", "sleep", "keda", "clock"),
    *("beat", "events", "publish", "room"),
)
LAST = ("tests/sim", "tests/unit/test_decide.py", "tests/nightly/test_worlds.py")  # the slowest
TESTS = (*(f"tests/unit/test_{name}.py" for name in UNITS), *LAST)
SLOW = ("tests/sim/test_histories.py::test_no_law", "tests/sim/test_crash.py")  # of stories only those that are kept


@dataclass(frozen=True)
class Fault:
    """One planted fault: what it is, in which file, and the text before and after."""

    name: str
    file: str
    old: str
    new: str


FAULTS = [Fault(**row) for row in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())]


@dataclass(frozen=True)
class Catch:
    """What noticed a fault."""

    fault: Fault
    stories: str
    tests: str


def slug(fault: Fault) -> str:
    """A folder's name for a fault."""
    return re.sub(r"[^a-z0-9]+", "-", fault.name.lower())  # it becomes a part of PYTHONPATH


def plant(fault: Fault, into: Path) -> Path:
    """A copy of the operator with the fault; the folder that stands for `operator/`."""
    copy = into / "operator"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "operator", copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "penstock" / fault.file
    text = path.read_text()
    assert text.count(fault.old) == 1, f"{fault.name}: {fault.file} has the text {text.count(fault.old)} times"
    path.write_text(text.replace(fault.old, fault.new))
    return copy


def caught(fault: Fault, into: Path) -> Catch:
    """Plant a fault and see what notices it."""
    copy = plant(fault, into)
    return Catch(fault, _by_stories(copy), _by_tests(copy))


def _by_stories(copy: Path) -> str:
    done = _run(copy, "-m", "tests.sim.histories", "--first", str(STORIES))
    said = done.stdout.strip() or (done.stderr.strip().splitlines() or [""])[-1]
    return said[:160]


def _by_tests(copy: Path) -> str:
    ignored = [f"--deselect={path}" for path in SLOW]
    options = ("-x", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={copy}", *ignored)
    done = _run(copy, "-m", "pytest", *options, *TESTS)
    return next((line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), "")[:160]


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def report(catches: list[Catch]) -> Iterator[str]:
    """The page docs/reports/mutants.md, line by line."""
    yield "# Planted faults\n"
    yield f"{len(catches)} faults, one at a time, planted in a copy of the operator. For each: which of {STORIES}"
    yield "random stories first broke a law, and which test of the machine failed first. Made by"
    yield "`tests/nightly/test_mutants.py`.\n"
    yield "| fault | where | random stories | tests |\n|---|---|---|---|"
    for one in catches:
        cells = (one.fault.name, f"`{one.fault.file}`", _cell(one.stories), _cell(one.tests))
        yield f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    short = text.replace("AssertionError ", "").replace("FAILED ", "").replace("|", "/").partition(" - ")[0]
    return f"`{short[:110]}`" if short else "not noticed"
