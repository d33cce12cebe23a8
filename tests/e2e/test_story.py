"""The main job on the real node: the demonstration itself, with shorter times, and what its report must say.

The story is told once, by the same code that a person runs; nothing of it is repeated here. What a person does not do:
in the middle of the good version's walk the operator is killed with SIGKILL, and the story must not show it.
"""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from examples.demo.rollback import rollback
from examples.demo.run import Run, Wish, run
from examples.demo.story import STORY
from examples.demo.verdict import ALLOWANCE, passed
from tests.e2e.conftest import Stage


@dataclass
class Killing(Thread):
    """Waits until the good version is in its second step, then kills the operator's process."""

    stage: Stage
    killed: list[int] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.killed and not self.over.wait(0.2):
            seen = self.stage.kubectl(
                "get", "modeldeployment", "digits", "--namespace=digits", "--output=json", check=False
            )
            candidate = json.loads(seen or "{}").get("status", {}).get("candidate", {})
            if candidate.get("version") == "v2" and candidate.get("step") == 1:
                self._kill()

    def _kill(self) -> None:
        uids = self.stage.kubectl(
            "get", "pods", "--namespace=penstock-system", "--output=jsonpath={.items[*].metadata.uid}"
        ).split()
        for folder in Path("/proc").glob("[0-9]*"):
            if is_operator(folder, uids):
                os.kill(int(folder.name), signal.SIGKILL)
                self.killed.append(int(folder.name))


def is_operator(folder: Path, uids: list[str]) -> bool:
    """Whether a process is the operator of this very cluster, by the uid of its pod in its control group."""
    try:
        group, command = (folder / "cgroup").read_text(), (folder / "cmdline").read_bytes()
    except OSError:
        return False  # it has ended
    return b"penstock.main" in command and any(uid in group or uid.replace("-", "_") in group for uid in uids)


@pytest.fixture(scope="module")
def killing(stage: Stage) -> Iterator[Killing]:
    thread = Killing(stage)
    yield thread
    thread.over.set()


@pytest.fixture(scope="module")
def told(stage: Stage, tmp_path_factory: pytest.TempPathFactory, killing: Killing) -> Run:
    folder = tmp_path_factory.mktemp("story")
    killing.start()
    return run(Wish(stage.name, fast=True, record=folder / "plain.txt", picture=folder / "rollback.svg"))


def test_the_operator_was_killed_in_mid_canary_and_went_on(told: Run, killing: Killing) -> None:
    assert len(killing.killed) == 1
    entered = [str(each) for _, each in told.tale.decisions if "StepEntered" in str(each)]
    assert len(entered) == len(set(entered)), "a step was taken twice"
    assert len(entered) in (2, 3), "of the step that was being told when the kill came the Event may be lost"


def test_every_part_of_the_story_happened(told: Run) -> None:
    assert passed(told.findings), [each.text for each in told.findings if not each.true]


def test_no_request_failed_but_by_the_bad_version(told: Run) -> None:
    failed = {each.part.version: sum(one.failed for one in told.tale.asked(each)) for each in told.tale.chapters}
    assert failed.pop("v3") > 0
    assert failed == {"v1": 0, "v2": 0, "v4": 0}


def test_the_rate_was_kept_whatever_happened(told: Run) -> None:
    sent = sorted(each.sent for each in told.tale.answers)
    assert len(sent) / (sent[-1] - sent[0]) == pytest.approx(50.0, rel=0.05)


def test_no_request_failed_after_the_route_changed(told: Run) -> None:
    bad = next(each for each in told.tale.chapters if each.part.version == "v3")
    seen = rollback(told.tale, bad)
    assert seen.off is not None and seen.last_bad is not None
    assert seen.last_bad <= seen.off + ALLOWANCE


def test_the_story_leaves_no_namespace_behind(told: Run, stage: Stage) -> None:
    assert len(told.tale.chapters) == len(STORY)
    assert "digits" not in stage.kubectl("get", "namespaces", "--output=name")
