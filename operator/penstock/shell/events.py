"""What becomes of a notice: an Event of its own, one more in the series of a former one, or none at all.

Pure: the clock is the World's, and what was said before is a `Book` for each object, kept in memory only. Events are a
courtesy and the audit line is complete, so a restart or a forgotten book costs at most a repeated Event. That is why
nothing here may be needed for a decision. Two things are held back:

- **repeats**: the same words about the same revision within `WINDOW` of the last time count up the `series` of the
  Event that is there. Its note stays as it was, since the API server lets nobody change it.
- **floods**: each object has a token bucket, and every write costs a token. `BURST` less `RESERVE` holds the longest
  rollout, 20 steps and some words around them, twice over; `REFILL` gives one such rollout back in an hour, which is
  also how long a cluster keeps Events by default. The last `RESERVE` tokens are for warnings: chatter must never hide
  that a version was taken off.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from penstock.model.copying import replace
from penstock.model.kinds import KINDS
from penstock.model.names import digest
from penstock.model.schedule import spell
from penstock.model.values import Notice, World
from penstock.shell.texts import Key

BURST = 60
REFILL = timedelta(minutes=3)
RESERVE = 10
WINDOW = timedelta(minutes=10)
SERIES = 64  # remembered for one object
BOOKS = 4096  # remembered objects
NOTE_BYTES = 1024  # the API server's limit; it counts bytes
PERSON_BYTES = 256

# What only measures: "12 of 400", "3.10%", "96.1 to 1". Whole percents are shares, and "step 2 of 3" is a place: both
# tell transitions apart.
EVIDENCE = re.compile(r"(?<!step )\b\d+ of \d+\b|\b\d+\.\d+%|\b(?:[\d.]+(?:e\+\d+)?|inf) to 1\b")


class Way(StrEnum):
    """What becomes of a notice."""

    NEW = "new"
    REPEAT = "repeat"
    DROPPED = "dropped"
    FAILED = "failed"  # the API server did not take it


@dataclass(frozen=True, slots=True)
class Series:
    """An Event that was written, how often its words were said by now, and when last."""

    event: str
    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Book:
    """What was said about one object, and how much more may be."""

    uid: str
    at: datetime
    tokens: float = BURST
    series: Mapping[str, Series] = field(default_factory=dict)


def weigh(book: Book | None, world: World, notice: Notice) -> tuple[Book, Way]:
    """The way that a notice takes, and the book after it."""
    book = _now(book, world.now) if book and book.uid == world.uid else Book(world.uid, world.now)
    words = identity(notice)
    known = book.series.get(words)
    spare = 0 if notice.warning else RESERVE
    if book.tokens < 1 + spare:  # a series counts on in memory, so that its next write tells the whole number
        return (_noted(book, words, known.event, known.count + 1) if known else book), Way.DROPPED
    book = replace(book, tokens=book.tokens - 1)
    if known:
        return _noted(book, words, known.event, known.count + 1), Way.REPEAT
    return _noted(book, words, _name(world, notice), 1), Way.NEW


def anew(book: Book, notice: Notice, event: str) -> Book:
    """The book where the Event of a series is gone: the same words begin this one, for the token already paid."""
    return _noted(book, identity(notice), event, 1)


def unsaid(book: Book, notice: Notice) -> Book:
    """The book where the new Event could not be written: there is nothing that a repeat could count up."""
    return replace(book, series={k: s for k, s in book.series.items() if k != identity(notice)})


def remember(books: dict[Key, Book], key: Key, book: Book) -> None:
    """Keep the book; of too many, the one that was silent longest goes."""
    books.pop(key, None)
    books[key] = book
    while len(books) > BOOKS:
        del books[next(iter(books))]


def tidied(books: Mapping[Key, Book], now: datetime) -> dict[Key, Book]:
    """The books as of now, without those that say no more than a new one would."""
    fresh = {key: _now(book, now) for key, book in books.items()}
    return {key: book for key, book in fresh.items() if book.series or book.tokens < BURST}


def identity(notice: Notice) -> str:
    """Equal for notices that say the same: words, revision and person, whatever was measured."""
    words = EVIDENCE.sub("#", notice.message)
    return digest([notice.reason.value, notice.revision, notice.by, notice.warning, words], 16)


def series_of(book: Book, notice: Notice) -> Series:
    """The series that `weigh` has put the notice into."""
    return book.series[identity(notice)]


def make_event(world: World, notice: Notice) -> dict[str, Any]:
    """An events.k8s.io/v1 Event; its name is made of what it says and when, so that a repeat is no second one."""
    return {
        **event_ref(world.namespace, _name(world, notice)),
        "eventTime": spell(world.now),
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason.value,
        "action": "Rollout",
        "note": note(notice),
        "reportingController": "penstock.dev/operator",
        "reportingInstance": "penstock",
        "regarding": {
            "apiVersion": KINDS["ModelDeployment"].api_version,
            "kind": "ModelDeployment",
            "namespace": world.namespace,
            "name": world.name,
            "uid": world.uid,
        },
    }


def event_ref(namespace: str, name: str) -> dict[str, Any]:
    """An Event by name alone."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": KINDS["Event"].api_version, "kind": "Event", "metadata": metadata}


def make_series(series: Series) -> dict[str, Any]:
    """The `series` field of an Event."""
    return {"count": series.count, "lastObservedTime": spell(series.last)}


def note(notice: Notice) -> str:
    """The words and, where they do not name the person who asked, the person; within the server's limit."""
    named = not notice.by or re.search(rf"(?<!\w){re.escape(notice.by)}(?!\w)", _cut(notice.message, NOTE_BYTES))
    who = "" if named else f" (by {_cut(notice.by, PERSON_BYTES)})"
    return _cut(notice.message, NOTE_BYTES - len(who.encode())) + who


def _cut(text: str, limit: int) -> str:
    """As much of the text as fits so many bytes; never half a character."""
    return text.encode()[:limit].decode(errors="ignore")


def _name(world: World, notice: Notice) -> str:
    return f"{world.name}.{digest([world.uid, notice.reason.value, notice.message, spell(world.now)[:19]], 16)}"


def _now(book: Book, now: datetime) -> Book:
    """The book as of now: refilled, without series that are over. A clock set back refills none."""
    passed = max(timedelta(), now - book.at)
    alive = {words: s for words, s in book.series.items() if abs(now - s.last) < WINDOW}
    return replace(book, at=now, tokens=min(BURST, book.tokens + passed / REFILL), series=alive)


def _noted(book: Book, words: str, event: str, count: int) -> Book:
    """With this series as the latest; of too many, the one that was silent longest goes."""
    others = {k: s for k, s in book.series.items() if k != words}
    kept = [*others.items(), (words, Series(event, count, book.at))][-SERIES:]
    return replace(book, series=dict(kept))
