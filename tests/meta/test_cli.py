"""The command line reaches nobody: nothing that talks to a cluster or to a metric source is ever loaded."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEVER = ("kopf", "aiohttp", "kubernetes", "asyncio", "prometheus_client", "penstock.shell", "penstock.metrics")
COMMANDS = [("plan", "examples/canary-approval.yaml"), ("replay", "tests/unit/recordings/rejected.log")]


def python(*words: str, out: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    """A fresh interpreter that finds the package as it does in the operator's image."""
    environment = {**os.environ, "PYTHONPATH": "operator"}
    whole = [sys.executable, *words]
    return subprocess.run(whole, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_nothing_that_talks_to_others_is_loaded(command: tuple[str, str]) -> None:
    code = f"import sys; from penstock.cli import main; main({list(command)!r}); print(); print(*sys.modules)"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "penstock.core.judge" in loaded
    assert loaded & set(NEVER) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_it_runs_as_a_module(command: tuple[str, str]) -> None:
    done = python("-m", "penstock.cli", *command)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


def test_a_reader_that_has_seen_enough_gets_no_complaint() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = python("-m", "penstock.cli", *COMMANDS[0], out=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_script_is_the_module() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"penstock": "penstock.cli:main"}
