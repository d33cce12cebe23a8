"""Counts of the demonstration come from records: how they are written, read while they grow, and added up."""

from pathlib import Path

import pytest

from examples.demo.load import questions, read_answer, shuffled
from examples.demo.records import Answer, Sum, Tail, add_up, between, by_version, parse, percent, quantile

GOOD = Answer(10.0, 0.01, 200, "v1", True)
WRONG = Answer(11.0, 0.02, 200, "v2", False)
BROKEN = Answer(12.0, 5.0, 500, "", False)
LOST = Answer(13.0, 5.0, 0, "", False)


@pytest.mark.parametrize("answer", [GOOD, WRONG, BROKEN, LOST])
def test_a_record_survives_its_line(answer: Answer) -> None:
    assert parse(answer.line()) == answer


def test_everything_but_a_200_failed() -> None:
    assert [each.failed for each in (GOOD, WRONG, BROKEN, LOST)] == [False, False, True, True]


def test_a_wrong_prediction_is_an_answer_and_a_failure_is_none() -> None:
    assert add_up([GOOD, WRONG, BROKEN, LOST]) == Sum(requests=4, failed=2, right=1)
    assert add_up([GOOD, WRONG, BROKEN, LOST]).answered == 2


def test_failures_are_charged_to_no_version() -> None:
    assert by_version([WRONG, GOOD, BROKEN]) == {"v1": Sum(1, 0, 1), "v2": Sum(1, 0, 0)}


def test_windows_are_half_open() -> None:
    assert between([GOOD, WRONG, BROKEN], 10.0, 12.0) == [GOOD, WRONG]


@pytest.mark.parametrize(("part", "whole", "text"), [(1, 3, "33.3 %"), (0, 5, "0.0 %"), (5, 5, "100.0 %"), (0, 0, "-")])
def test_percent(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_quantiles_are_of_what_was_seen() -> None:
    answers = [Answer(0.0, seconds / 100, 200, "v1", True) for seconds in range(100)]
    assert [quantile(answers, share) for share in (0.5, 0.99, 1.0)] == [0.5, 0.99, 0.99]
    assert quantile([], 0.5) == 0.0


def test_tail_leaves_a_line_that_is_being_written_for_later(tmp_path: Path) -> None:
    path = tmp_path / "records"
    tail = Tail(path)
    assert list(tail.read()) == []
    second = WRONG.line()
    path.write_text(GOOD.line() + "\n" + second[:5])
    assert list(tail.read()) == [GOOD]
    with path.open("a") as file:
        file.write(second[5:] + "\n")
    assert list(tail.read()) == [WRONG]
    assert list(tail.read()) == []


def test_an_answer_names_its_version_and_is_held_against_the_label() -> None:
    said = {"model_version": "v2", "outputs": [{"data": [7]}]}
    assert read_answer(200, said, 7) == ("v2", True)
    assert read_answer(200, said, 8) == ("v2", False)
    assert read_answer(500, {}, 7) == ("", False)


def test_each_round_asks_every_row_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"rows": [[0.0], [1.0], [2.0]], "labels": [0, 1, 2]}')
    asked = shuffled(questions(path))
    rounds = [[next(asked).label for _ in range(3)] for _ in range(4)]
    assert all(sorted(each) == [0, 1, 2] for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1
