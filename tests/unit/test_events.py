"""Events: what repeats is counted, what floods is dropped, and the audit line tells everything all the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.api.status import Status
from penstock.model.reasons import Reason
from penstock.model.values import Notice, World
from penstock.shell import events
from penstock.shell.events import BURST, REFILL, RESERVE, WINDOW, Book, Way, weigh

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WORLD = World(START, "ml", "churn", "u-1", 1, None, Status())
STARTED = Notice(False, Reason.ROLLOUT_STARTED, "version 8 is tried: 5% -> 100%", "churn-b")
TAKEN_OFF = Notice(True, Reason.ERROR_RATE_ABOVE_LIMIT, "version 8 is taken off, 7 serves: 12 of 400", "churn-b")


def at(seconds: float, **rest: Any) -> World:
    return replace(WORLD, now=START + timedelta(seconds=seconds), **rest)


def other(number: int, notice: Notice = STARTED) -> Notice:
    return replace(notice, revision=f"churn-{number}")


def ways(*said: tuple[World, Notice]) -> list[str]:
    """What becomes of notices that are said one after the other."""
    book, found = None, []
    for world, notice in said:
        book, way = weigh(book, world, notice)
        found.append(way.value)
    return found


# --- repeats


def test_the_same_words_within_the_window_count_up_one_event() -> None:
    book, way = weigh(None, at(0), STARTED)
    name = events.make_event(at(0), STARTED)["metadata"]["name"]
    assert way is Way.NEW
    for count, seconds, spelled in ((2, 599, "12:09:59"), (3, 1198, "12:19:58")):  # the window slides
        book, way = weigh(book, at(seconds), STARTED)
        series = events.series_of(book, STARTED)
        assert (way, series.event) == (Way.REPEAT, name)
        said = {"count": count, "lastObservedTime": f"2026-11-21T{spelled}.000000Z"}
        assert events.make_series(series) == said
    book, way = weigh(book, at(1198 + WINDOW.total_seconds()), STARTED)
    assert way is Way.NEW and events.series_of(book, STARTED).event != name


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("5% passed (errorRate: 3 of 812)", "5% passed (errorRate: 0 of 9)"),
        ("candidate 3.10% (12 of 400)", "candidate 0.25% (1 of 400)"),
        ("odds against it 96.1 to 1, rejected at 20.0", "odds against it 1.2e+07 to 1, rejected at 20.0"),
        ("odds against it inf to 1", "odds against it 20.0 to 1"),
        ("1 of 2 pods ready", "0 of 2 pods ready"),
    ],
)
def test_measured_numbers_make_no_difference(one: str, two: str) -> None:
    assert ways((at(0), replace(STARTED, message=one)), (at(1), replace(STARTED, message=two))) == ["new", "repeat"]


@pytest.mark.parametrize(
    "changed",
    [
        {"message": "version 9 is tried: 5% -> 100%"},
        {"message": "version 8 is tried: 25% -> 100%"},
        {"message": "version 8 is tried"},
        {"revision": "churn-c"},
        {"reason": Reason.PROMOTED},
        {"warning": True},
        {"by": "alice"},
    ],
)
def test_everything_else_is_an_event_of_its_own(changed: dict[str, Any]) -> None:
    assert ways((at(0), STARTED), (at(1), replace(STARTED, **changed))) == ["new", "new"]


def test_the_place_in_a_rollout_is_no_measured_number() -> None:
    two, three = (replace(STARTED, message=f"enters step {n} of 3") for n in (2, 3))
    assert ways((at(0), two), (at(1), three)) == ["new", "new"]


def test_an_object_of_the_same_name_starts_afresh() -> None:
    assert ways((at(0), STARTED), (at(1, uid="u-2"), STARTED)) == ["new", "new"]


# --- floods


def test_two_of_the_longest_rollouts_in_a_row_are_told_in_full() -> None:
    words = ["started", *(f"goes to step {n}" for n in range(2, 21)), "grown", "is stable"]
    said = [Notice(False, Reason.STEP_ENTERED, text, revision) for revision in ("a", "b") for text in words]
    assert set(ways(*((at(0), notice) for notice in said))) == {"new"}


def test_a_flood_is_dropped_but_for_warnings_until_there_is_a_token_again() -> None:
    flood = [(at(0), other(n)) for n in range(BURST - RESERVE + 5)]
    warnings = [(at(0), other(n, TAKEN_OFF)) for n in range(RESERVE + 2)]
    told = ways(*flood, *warnings)
    assert told[: len(flood)] == ["new"] * (BURST - RESERVE) + ["dropped"] * 5
    assert told[len(flood) :] == ["new"] * RESERVE + ["dropped"] * 2
    later = REFILL.total_seconds()
    after = ways(*flood, *warnings, *((at(later + n), other(n + 100, TAKEN_OFF)) for n in range(2)))
    assert after[-2:] == ["new", "dropped"]

    much_later = 2 * BURST * later
    again = ways(*flood, *((at(much_later), notice) for _, notice in flood))[len(flood) :]
    assert again == told[: len(flood)], "a full bucket gets no fuller"


def test_a_repeat_that_was_dropped_is_in_the_number_of_the_next() -> None:
    book, _ = weigh(None, at(0), STARTED)
    poor = replace(book, tokens=0)
    for _ in range(3):
        poor, way = weigh(poor, at(1), STARTED)
        assert way is Way.DROPPED
    book, way = weigh(replace(poor, tokens=BURST), at(2), STARTED)
    assert (way, events.series_of(book, STARTED).count) == (Way.REPEAT, 5)


def test_a_dropped_notice_leaves_nothing_to_count_up() -> None:
    book, way = weigh(Book("u-1", START, tokens=0), at(0), STARTED)
    assert way is Way.DROPPED and not book.series
    assert weigh(replace(book, tokens=BURST), at(1), STARTED)[1] is Way.NEW


def test_a_clock_that_jumps_back_gives_nothing_and_blocks_nothing() -> None:
    book, _ = weigh(None, at(7200), STARTED)
    back, way = weigh(book, at(0), STARTED)
    assert way is Way.NEW, "the window is over in either direction"
    assert back.tokens == BURST - 2
    assert weigh(replace(back, tokens=0), at(REFILL.total_seconds()), TAKEN_OFF)[1] is Way.NEW


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SERIES", 3)
    monkeypatch.setattr(events, "BOOKS", 2)
    book: Book | None = None
    for n in (1, 2, 3, 1, 4):
        book, _ = weigh(book, at(0), other(n))
    assert book and [events.identity(other(n)) for n in (3, 1, 4)] == list(book.series)
    books: dict[tuple[str, str], Book] = {}
    for name in ("a", "b", "a", "c"):
        events.remember(books, ("ml", name), book)
    assert list(books) == [("ml", "a"), ("ml", "c")], "the one that was silent longest has gone"
    quiet, _ = weigh(book, at(WINDOW.total_seconds()), STARTED)
    assert list(quiet.series) == [events.identity(STARTED)], "what is over is not kept"


def test_what_says_no_more_than_a_new_book_is_not_kept() -> None:
    chatty: Book | None = None
    for n in range(20):
        chatty, _ = weigh(chatty, at(0), other(n))
    lately, _ = weigh(None, at(WINDOW.total_seconds() - 1), STARTED)
    quiet, _ = weigh(None, at(0), STARTED)
    assert chatty
    books = {("ml", "chatty"): chatty, ("ml", "lately"): lately, ("ml", "quiet"): quiet}
    then = events.tidied(books, at(WINDOW.total_seconds()).now)
    assert list(then) == [("ml", "chatty"), ("ml", "lately")]
    assert not then["ml", "chatty"].series and then["ml", "chatty"].tokens < BURST - 10
    assert then["ml", "lately"].series == lately.series


# --- words


def test_the_note_names_who_asked_once() -> None:
    asked = replace(STARTED, message="version 8 is promoted", by="alice@corp")
    assert events.note(asked) == "version 8 is promoted (by alice@corp)"
    assert events.note(replace(asked, message="alice@corp promotes version 8")) == "alice@corp promotes version 8"
    assert events.note(replace(asked, by="")) == "version 8 is promoted"
    for part in ("promo", "moted"):
        assert events.note(replace(asked, by=part)) == f"version 8 is promoted (by {part})", "part of a word is no name"
    lost = replace(asked, message="x" * 1020 + " alice@corp")
    assert events.note(lost).endswith("x (by alice@corp)"), "a name that was cut off is none"


@pytest.mark.parametrize("by", ["", "alice", "é" * 2000])
@pytest.mark.parametrize("letter", ["x", "é", "水"])
def test_a_note_fits_the_servers_limit_which_is_in_bytes(letter: str, by: str) -> None:
    note = events.note(replace(STARTED, message=letter * 2000, by=by))
    assert 1020 <= len(note.encode()) <= 1024 and "\ufffd" not in note
    assert note.endswith(")") == bool(by)
