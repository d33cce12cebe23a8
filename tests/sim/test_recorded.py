"""The same evidence, the same decision: whole rollouts are written down by the loop, and judged again from its log."""

import json
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from penstock import cli
from penstock.core.record import Look, Move, parse_look
from penstock.core.replay import replay, rollouts
from penstock.model.schedule import read
from tests.sim.machine import Nature
from tests.sim.recording import KINDS, analysis, each_kind, record, silent_at

LOST = analysis({"name": "errorRate", "max": "2%", "errorBudget": "35s"}, {"name": "errorRate", "compare": "Stable"})
STORIES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "good": ({"nature": Nature()}, ("Promoted", "Promoted")),
    "bad": ({"nature": Nature(error_rate=0.06)}, ("Rejected", "ErrorRateAboveStable")),
    "silent for a while": ({"nature": Nature(), "metrics": silent_at(3, 9)}, ("Promoted", "Promoted")),
    "silent for ever": ({"nature": Nature(), "metrics": silent_at(1, 999)}, ("Rejected", "EvidenceMissing")),
    "one source lost": (
        {"nature": Nature(), "metrics": silent_at(7, 999), "analysis": LOST},
        ("Rejected", "MetricsLost"),
    ),
    "each kind": ({"nature": Nature(), "metrics": each_kind, "analysis": analysis(*KINDS)}, ("Promoted", "Promoted")),
    "each kind, bad": (
        {"nature": Nature(error_rate=0.5), "metrics": each_kind, "analysis": analysis(*KINDS[3:])},
        ("Rejected", "GroupsDiffer"),
    ),
    "analysis cut down while its source is silent": (
        {"nature": Nature(), "metrics": silent_at(1, 8), "edit": analysis(KINDS[0])},
        ("Promoted", "Promoted"),
    ),
    "analysis edited on the way": (
        {"nature": Nature(), "edit": analysis(KINDS[0], alpha="1%")},
        ("Promoted", "Promoted"),
    ),
}


@cache
def log_of(story: str) -> str:
    """The operator's log of a story."""
    return record(**STORIES[story][0])


def looks_of(text: str) -> list[Look]:
    found = [look for line in text.splitlines() if (look := parse_look(line))]
    assert all(isinstance(look, Look) for look in found), found
    return [look for look in found if isinstance(look, Look)]


@pytest.mark.parametrize("story", STORIES)
def test_a_rollout_is_judged_again_as_it_was(story: str) -> None:
    (only,) = rollouts(looks_of(log_of(story)))
    again = replay(only)
    assert (again.problem, again.differences) == ("", ())
    assert (only[-1].move.value, only[-1].reason) == STORIES[story][1]
    assert [look.move for look in only].count(Move.STEP_ENTERED) == (3 if only[-1].move is Move.PROMOTED else 0)


def test_a_look_holds_what_was_asked_in_its_turn_alone() -> None:
    for look in looks_of(log_of("silent for ever")):
        assert set(look.answers) | set(look.silent) <= {"errorRate at most 2%", "errorRate vs stable, tolerance 1.25"}
        assert not set(look.answers) & set(look.silent)
    times = [read(look.at) for look in looks_of(log_of("silent for ever")) if look.answers]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert len(gaps) > 10 and max(gaps) <= 10.001, gaps
    # The step's end and the deadline are no beats; between them it is an interval, whatever else made turns.
    assert [gap for gap in gaps if gap < 9.999] == [gaps[2], gaps[-1]], gaps


def test_the_analysis_is_written_once_and_again_when_it_changes() -> None:
    assert [look.analysis is not None for look in looks_of(log_of("good"))].count(True) == 1
    edited = looks_of(log_of("analysis edited on the way"))
    assert len({look.digest for look in edited}) == 2
    assert [look.analysis is not None for look in edited].count(True) == 2


def test_no_secret_of_a_query_is_in_the_log() -> None:
    assert "hunter2" not in log_of("each kind")


def changed(text: str, number: int, change: Callable[[dict[str, Any]], None]) -> str:
    """The log with one of its looks changed."""
    lines = text.splitlines()
    places = [n for n, line in enumerate(lines) if '"look"' in line]
    line = json.loads(lines[places[number]])
    change(line["look"])
    lines[places[number]] = json.dumps(line)
    return "\n".join(lines)


def fewer(look: dict[str, Any]) -> None:
    look["answers"]["errorRate at most 2%"]["counts"][0] = 0


def one_more(look: dict[str, Any]) -> None:
    look["answers"]["errorRate vs stable, tolerance 1.25"]["counts"][3] += 1


def surer(look: dict[str, Any]) -> None:
    look["analysis"]["alpha"] = "1%"


def milder(look: dict[str, Any]) -> None:
    look["analysis"]["metrics"][0]["max"] = "20%"


def promoted(look: dict[str, Any]) -> None:
    look |= {"move": "StepEntered", "reason": "StepEntered"}


PLANTED: dict[str, tuple[str, int, Callable[[dict[str, Any]], None], str]] = {
    "a bad answer left out": ("bad", 0, fewer, "errorRate at most 2%"),
    "a request too many of stable": ("good", 2, one_more, "recorded 0 bad of"),
    "another alpha": ("bad", 0, surer, "limit recorded 40.0, now 200.0"),
    "another limit": ("bad", 0, milder, "errorRate at most 2%: recorded"),
    "another decision": ("bad", -1, promoted, "decision: recorded StepEntered"),
    "a step left too early": ("good", 0, promoted, "now not every metric has passed"),
}


def run_replay(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> tuple[int, str, str]:
    code = cli.main(["replay", str(file), *options])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(("story", "number", "change", "words"), PLANTED.values(), ids=PLANTED)
def test_what_was_planted_is_found(
    story: str, number: int, change: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log"
    file.write_text(changed(log_of(story), number, change))
    code, out, _ = run_replay(capsys, file)
    assert code == 1 and words in out, out
    assert out.splitlines()[-1].startswith("DIFFERENT, first in ml/churn, version v2")


def test_a_look_that_is_missing_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = log_of("good").splitlines()
    gone = [n for n, line in enumerate(lines) if '"look"' in line][4]
    (tmp_path / "log").write_text("\n".join(lines[:gone] + lines[gone + 1 :]))
    code, out, _ = run_replay(capsys, tmp_path / "log")
    assert code == 1 and "candidate recorded 0 bad of" in out


def test_the_log_as_kubectl_prints_it_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two rollouts of other objects in between, a time before each line, a torn end, and the same lines twice."""
    mine = log_of("bad")
    other = log_of("good").replace('"churn"', '"fraud"')
    noise = 'not JSON\n{"logger": "penstock.audit", "msg": "leading"}\n'
    lines = (noise + other + mine + mine).splitlines()
    whole = "\n".join(f"2026-11-21T12:00:00.1Z {line}" for line in lines)
    (tmp_path / "log").write_text(whole + "\n" + mine.splitlines()[-1][:300])
    code, out, _ = run_replay(capsys, tmp_path / "log")
    assert code == 0 and "ml/fraud" in out and "ml/churn" in out
    code, out, _ = run_replay(capsys, tmp_path / "log", "--name", "churn", "--namespace", "ml")
    assert code == 0 and "ml/fraud" not in out
    assert "taken off: ErrorRateAboveStable" in out
    assert out.splitlines()[-1].startswith("SAME: ")


def test_a_rollout_whose_start_is_missing_is_named_and_never_called_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for line in log_of("good").splitlines() if '"look"' in line]
    (tmp_path / "log").write_text("\n".join(lines[3:]))
    code, out, err = run_replay(capsys, tmp_path / "log")
    assert (code, out) == (2, "") and "its first looks are not here" in err
    (tmp_path / "log").write_text("\n".join(lines[3:]) + "\n" + log_of("bad").replace('"churn"', '"fraud"'))
    code, out, err = run_replay(capsys, tmp_path / "log")
    assert code == 0 and "ml/fraud" in out and "its first looks are not here" in err


NOTHING = {"an empty file": "", "another log": '{"msg": "leading"}\n', "no such object": None}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_nothing_to_replay_is_said(text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text(log_of("bad") if text is None else text)
    code, out, err = run_replay(capsys, tmp_path / "log", *(("--name", "nobody") if text is None else ()))
    assert (code, out) == (2, "") and "no look of such a rollout" in err and err.count("\n") == 1


def test_a_look_of_another_version_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text(changed(log_of("bad"), 0, lambda look: look.pop("stage")))
    code, _, err = run_replay(capsys, tmp_path / "log")
    assert code == 2 and "line " in err and "look.stage" in err
