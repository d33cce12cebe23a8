"""Stopping programs by record: never a stranger who got the number later."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import proc


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(["sleep", "60"])
    yield running
    running.kill()
    running.wait()


def start(tmp_path: Path, *words: str) -> tuple[subprocess.Popen[bytes], Path]:
    record = tmp_path / "run" / "one.json"
    return proc.spawn(proc.Command(words, tmp_path / "one.log"), record), record


def test_the_record_exists_before_the_program_does(tmp_path: Path) -> None:
    started, record = start(tmp_path, "cat", str(tmp_path / "run" / "one.json"))
    started.wait()
    assert json.loads((tmp_path / "one.log").read_text()) == json.loads(record.read_text())


def test_stop_ends_the_program_and_forgets_it(tmp_path: Path) -> None:
    started, record = start(tmp_path, "sleep", "60")
    assert proc.living_pid(record) == started.pid
    assert proc.stop(record)
    assert started.wait() == -signal.SIGKILL
    assert not record.exists()


def test_stop_with_grace_asks_first(tmp_path: Path) -> None:
    started, record = start(tmp_path, "sleep", "60")
    assert proc.stop(record, grace_seconds=10)
    assert started.wait() == -signal.SIGTERM


def test_a_program_that_ended_is_not_running(tmp_path: Path) -> None:
    started, record = start(tmp_path, "true")
    started.wait()
    assert proc.living_pid(record) is None
    assert not proc.stop(record)


def test_a_zombie_is_not_running(tmp_path: Path) -> None:
    started, record = start(tmp_path, "true")
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
    assert proc.living_pid(record) is None
    started.wait()


@pytest.mark.parametrize("field, value", [("started", 1), ("boot", "another boot")])
def test_a_stranger_with_the_same_number_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes], field: str, value: object
) -> None:
    record = tmp_path / "stale.json"
    said = json.loads(proc.describe(stranger.pid))
    record.write_text(json.dumps({**said, field: value}))
    assert proc.living_pid(record) is None
    assert not proc.stop(record)
    assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"pid": "x"}'])
def test_a_torn_record_names_nobody(tmp_path: Path, text: str) -> None:
    record = tmp_path / "torn.json"
    record.write_text(text)
    assert proc.living_pid(record) is None
