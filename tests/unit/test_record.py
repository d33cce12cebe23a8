"""A look as a line of the log: what goes in comes out, only what was asked is in it, other lines are passed over."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.status import VerdictName
from penstock.core.measures import title
from penstock.core.plan import decide
from penstock.core.record import Look, Move, make_answered, make_look, parse_look, written
from penstock.model.measure import Answer, Counts, Groups, Levels, Shapes, Silence
from penstock.model.values import World
from tests.sim.recording import KINDS
from tests.unit.test_evidence import world

count = st.integers(0, 10**6)


@st.composite
def side(draw: Any) -> tuple[int, int]:
    total = draw(count)
    return draw(st.integers(0, total)), total


counts = st.builds(lambda mine, home: Counts(*mine, *home), side(), side())
groups = st.builds(Groups, st.dictionaries(st.text(max_size=5), side(), max_size=4))
levels = st.builds(Levels, st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple))
silences = st.builds(Silence, st.text(max_size=20))


@st.composite
def shapes(draw: Any) -> Shapes:
    size = draw(st.integers(1, 6))
    arm = st.lists(count, min_size=size, max_size=size).map(tuple)
    return Shapes(tuple(map(str, range(size))), draw(arm), draw(arm))


BY_KIND: list[st.SearchStrategy[Answer]] = [counts, counts, counts, groups, shapes(), levels, levels]


@given(st.one_of(counts, groups, levels, silences, shapes()))
def test_an_answer_comes_back_as_it_was_given(answer: Answer) -> None:
    told = make_answered(answer)
    again = type(told).model_validate_json(told.model_dump_json(by_alias=True, exclude_none=True))
    assert again.answer() == answer


@st.composite
def turns(draw: Any) -> World:
    """A candidate that is judged by each kind of metric: some answered now, some known to be silent."""
    asked = draw(st.sets(st.integers(0, len(KINDS) - 1)))
    answers: dict[int, Answer] = {n: draw(st.one_of(BY_KIND[n], silences)) for n in asked}
    kept = draw(st.sets(st.integers(0, len(KINDS) - 1))) - asked
    answers |= {n: Silence("still silent") for n in kept}
    return replace(world(*KINDS), answers=answers, asked=frozenset(asked))


@given(turns())
def test_a_turn_comes_back_from_its_line(seen: World) -> None:
    look = make_look(seen, decide(seen))
    if look is None:
        assert not seen.asked
        return
    line = json.dumps({"ts": "now", "logger": "penstock.looks", "look": written(look)})
    assert "\n" not in line and parse_look(line) == look
    titles = [title(metric) for metric in seen.spec.analysis.metrics]  # type: ignore[union-attr]
    assert {name: each.answer() for name, each in look.answers.items()} == {
        titles[n]: answer for n, answer in seen.answers.items() if n in seen.asked
    }
    assert set(look.silent) == {titles[n] for n in seen.answers if n not in seen.asked}


def turn(bad: int) -> Look:
    """One metric, one answer; the pods of this small world are never ready."""
    seen = replace(world(KINDS[0]), answers={0: Counts(bad, 1000)}, asked=frozenset({0}))
    look = make_look(seen, decide(seen))
    assert look
    return look


def test_what_followed_is_told() -> None:
    assert (turn(0).move, turn(0).reason) == (Move.WAITS, "WaitingForPods")
    assert (turn(500).move, turn(500).reason) == (Move.REJECTED, "ErrorRateAboveLimit")
    assert turn(500).found["errorRate at most 2%"].verdict is VerdictName.FAIL


def test_a_long_complaint_of_a_source_is_cut() -> None:
    assert make_answered(Silence("x" * 5000)).silence == "x" * 256


def test_a_turn_without_a_question_or_a_move_has_no_line() -> None:
    seen = world(KINDS[0])
    assert make_look(seen, decide(seen)) is None
    silent = replace(seen, answers={0: Silence("down")})
    assert make_look(silent, decide(silent)) is None


def test_no_query_and_nothing_of_the_object_is_in_a_line() -> None:
    seen = replace(world(*KINDS), answers={5: Levels((0.5,))}, asked=frozenset({5}), annotations={"secret": "hunter3"})
    look = make_look(seen, decide(seen))
    assert look and look.analysis
    text = json.dumps(written(look))
    assert "hunter" not in text and "oci:" not in text
    assert look.analysis.metrics[5].value and look.analysis.metrics[5].value.query == "-"


LINE = json.dumps({"look": written(turn(0))})
OTHERS = {
    "empty": "",
    "no JSON": "panic: something",
    "another record": '{"level": "info", "msg": "leading"}',
    "a list": "[1, 2]",
    "cut off": LINE[: len(LINE) // 2],
    "a number": "17",
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("line", OTHERS.values(), ids=OTHERS)
def test_another_line_is_passed_over(line: str) -> None:
    assert parse_look(line) is None


@pytest.mark.parametrize("before", ["2026-11-21T12:00:00.123Z ", "[pod/penstock-0/operator] "])
def test_what_kubectl_puts_before_a_line_is_passed_over(before: str) -> None:
    assert parse_look(before + LINE) == turn(0)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a negative count": ({"answers": {"errorRate at most 2%": {"counts": [-1, 5, 0, 0]}}}, "counts"),
    "a text for a number": ({"stage": {"number": "one"}}, "stage"),
    "no time": ({"at": "yesterday"}, "look.at"),
    "another verdict": (
        {"found": {"x": {"candidate": [0, 1], "limit": "", "odds": "", "verdict": "Maybe"}}},
        "verdict",
    ),
}


@pytest.mark.parametrize(("change", "field"), BROKEN.values(), ids=BROKEN)
def test_a_look_that_is_none_of_ours_is_named_by_its_field(change: dict[str, Any], field: str) -> None:
    line = json.dumps({"look": written(turn(0)) | change})
    found = parse_look(line)
    assert isinstance(found, str) and field in found
