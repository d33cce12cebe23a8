"""What happened, as far as it was seen: sightings of the API and answers of the model, on one clock. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from examples.demo.records import Answer, between
from examples.demo.sightings import Decision, Glance
from examples.demo.story import Part
from penstock.api.analysis import Analysis

Weights = dict[str, int]
Value = TypeVar("Value")


def changed(seen: list[tuple[float, Value]], first: Value) -> list[tuple[float, Value]]:
    """Only the entries whose value differs from the one before; `first` is what was there before all."""
    return [now for before, now in pairwise([(0.0, first), *seen]) if now[1] != before[1]]


@dataclass
class Chapter:
    """One part as it went."""

    part: Part
    walk: list[int]
    started: float
    analysis: Analysis | None = None
    settled: float | None = None
    ended: float = float("inf")

    def covers(self, at: float) -> bool:
        """Whether a moment belongs to this part."""
        return self.started <= at < self.ended


@dataclass
class Tale:
    """Everything seen, in order of time."""

    chapters: list[Chapter] = field(default_factory=list)
    glances: list[tuple[float, Glance]] = field(default_factory=list)
    routes: list[tuple[float, Weights]] = field(default_factory=list)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def saw(self, at: float, seen: Glance) -> None:
        """The model's object changed."""
        self.glances.append((at, seen))
        self.versions.update(seen.versions)

    @property
    def now(self) -> Glance:
        """The object as it was last seen."""
        return self.glances[-1][1] if self.glances else Glance()

    def weights(self) -> list[tuple[float, Weights]]:
        """Each change of the route, by version; a revision whose version nobody named keeps its own name."""
        return changed([(at, self._named(route)) for at, route in self.routes], {})

    def share(self, chapter: Chapter) -> list[tuple[float, int]]:
        """How the route's weight for the chapter's version changed while the chapter ran."""
        version = chapter.part.version
        return changed([(at, weights.get(version, 0)) for at, weights in self.weights() if chapter.covers(at)], 0)

    def _named(self, route: Weights) -> Weights:
        return {self.versions.get(name, name): share for name, share in route.items()}

    def asked(self, chapter: Chapter) -> list[Answer]:
        """Requests sent while the chapter ran."""
        return between(self.answers, chapter.started, chapter.ended)

    def last(self, chapter: Chapter) -> Glance:
        """How the object looked at the end of a chapter."""
        return next((seen for at, seen in reversed(self.glances) if chapter.covers(at)), Glance())

    def first(self, chapter: Chapter, true: Callable[[Glance], bool]) -> float | None:
        """When the object first looked like that in a chapter."""
        return next((at for at, seen in self.glances if chapter.covers(at) and true(seen)), None)


@dataclass(frozen=True)
class Hold:
    """One weight and what clients saw of it."""

    weight: int
    start: float
    end: float
    answers: list[Answer]


def holds(tale: Tale, chapter: Chapter) -> list[Hold]:
    """The weights that a chapter's version held, each with the requests sent meanwhile."""
    share = tale.share(chapter)
    last = min(chapter.ended, max((each.sent for each in tale.answers), default=chapter.started))
    ends = [*(at for at, _ in share[1:]), last]
    return [
        Hold(weight, at, end, between(tale.answers, at, end)) for (at, weight), end in zip(share, ends, strict=True)
    ]
