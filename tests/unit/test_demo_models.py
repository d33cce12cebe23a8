"""The four models are what the story says of them: a property of the training, not of a test double."""

from pathlib import Path

import joblib
import pytest

from examples.demo import models


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    return models.write_models(tmp_path_factory.mktemp("models"))


def outcome(file: Path) -> tuple[float, float]:
    """(share of unseen rows that raise, share of right answers among the others)."""
    model, (_, unseen) = joblib.load(file), models.split()
    right = raised = 0
    for row, label in zip(unseen.pixels, unseen.labels, strict=True):
        try:
            right += int(model.predict([row])[0] == label)
        except ValueError:
            raised += 1
    return raised / len(unseen.labels), right / (len(unseen.labels) - raised)


def test_v2_is_clearly_better_than_v1_and_neither_raises(made: dict[str, dict[str, Path]]) -> None:
    (raised_1, right_1), (raised_2, right_2) = (outcome(made[version]["/model.joblib"]) for version in ("v1", "v2"))
    assert raised_1 == raised_2 == 0
    assert 0.90 < right_1 < 0.95
    assert right_2 > 0.98


def test_v3_raises_on_some_rows_and_misreads_others(made: dict[str, dict[str, Path]]) -> None:
    raised, right = outcome(made["v3"]["/model.joblib"])
    assert 0.10 < raised < 0.25
    assert right < 0.92


def test_v4_cannot_be_loaded(made: dict[str, dict[str, Path]]) -> None:
    with pytest.raises(ValueError, match="EOF"):
        joblib.load(made["v4"]["/model.joblib"])


def test_training_gives_the_same_bytes_again(made: dict[str, dict[str, Path]], tmp_path: Path) -> None:
    again = models.write_models(tmp_path)
    for version, files in made.items():
        assert {path: file.read_bytes() for path, file in files.items()} == {
            path: file.read_bytes() for path, file in again[version].items()
        }
