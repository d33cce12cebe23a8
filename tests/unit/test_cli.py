"""The command line with what people type: wrong files, wrong words, several objects; and a recording of long ago."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from penstock import cli
from tests.sim.machine import model

RECORDED = Path(__file__).parent / "recordings"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    out, err = capsys.readouterr()
    return code, out, err


def manifest(name: str = "churn", **spec: Any) -> dict[str, Any]:
    made = model("v2", **spec)
    made["metadata"]["name"] = name
    return made


def wrong_weight() -> dict[str, Any]:
    return manifest(rollout={"canary": {"steps": [{"weight": 500, "duration": "1m"}]}})


BAD: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no YAML": ("a: [", (), "no YAML"),
    "nothing in it": ("", (), "no ModelDeployment in it"),
    "another kind": ("kind: Service", (), "no ModelDeployment in it"),
    "a text": ("hello", (), "no ModelDeployment in it"),
    "several": (yaml.safe_dump_all([manifest("a"), manifest("b")]), (), "choose one by --name: a, b"),
    "another name": (yaml.safe_dump(manifest()), ("--name", "x"), "no ModelDeployment x in it; there is churn"),
    "a wrong field": (yaml.safe_dump(wrong_weight()), (), "churn: spec.rollout.canary.steps.0.weight: "),
    "an unknown field": (yaml.safe_dump(manifest(bogus=1)), (), "churn: spec.bogus: "),
    "no spec": ("kind: ModelDeployment\nmetadata:\n", (), "spec: "),
}


@pytest.mark.parametrize(("text", "options", "words"), BAD.values(), ids=BAD)
def test_input_that_cannot_be_used_is_one_line_and_2(
    text: str, options: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.yaml").write_text(text)
    code, out, err = told(capsys, "plan", str(tmp_path / "file.yaml"), *options)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1, err


@pytest.mark.parametrize("command", ["plan", "replay"])
def test_a_file_that_is_not_there_is_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "none", tmp_path):
        code, out, err = told(capsys, command, str(path))
        assert (code, out) == (2, "") and str(path) in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("plan",),
        ("undo", "x"),
        ("plan", "x", "--rate", "-1"),
        ("plan", "x", "--error-rate", "2"),
        ("plan", "x", "--rate", "nan"),
    ],
)
def test_wrong_words_are_2_too(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2 and "usage: penstock" in capsys.readouterr().err


def test_one_of_several_is_chosen_by_name_in_a_list_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"kind": "List", "items": [manifest("a"), manifest("b")]}))
    code, out, _ = told(capsys, "plan", str(tmp_path / "list.yaml"), "--name", "b", "--format", "json")
    assert code == 0 and json.loads(out)["name"] == "b"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = (RECORDED / "rejected.log").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text + b"\xff\xfe")))
    code, out, _ = told(capsys, "replay", "-")
    assert code == 0 and out.endswith("gave the recorded verdicts and decisions.\n")


@pytest.mark.parametrize("path", sorted(RECORDED.iterdir()), ids=lambda path: path.name)
def test_what_was_recorded_long_ago_can_still_be_replayed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, "replay", str(path))
    assert (code, err) == (0, ""), out
