"""What the load client saw, one record per request, and the sums over them.

Counts come from here and nowhere else: no figure of the demo may be written down by hand.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

OK = 200
NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    """One request and what became of it."""

    sent: float
    seconds: float
    status: int
    version: str
    right: bool

    @property
    def failed(self) -> bool:
        """Anything but a 200 counts, a connection that broke too."""
        return self.status != OK

    def line(self) -> str:
        """The record as one line of a file."""
        return json.dumps([round(self.sent, 4), round(self.seconds, 4), self.status, self.version, int(self.right)])


def parse(line: str) -> Answer:
    """The record back from its line."""
    sent, seconds, status, version, right = json.loads(line)
    return Answer(sent, seconds, status, version, bool(right))


@dataclass(frozen=True)
class Sum:
    """Requests added up."""

    requests: int = 0
    failed: int = 0
    right: int = 0

    @property
    def answered(self) -> int:
        """Requests that got a prediction."""
        return self.requests - self.failed


def add_up(answers: Iterable[Answer]) -> Sum:
    """All requests of `answers` in one sum."""
    seen = list(answers)
    return Sum(len(seen), sum(each.failed for each in seen), sum(each.right for each in seen if not each.failed))


def by_version(answers: Iterable[Answer]) -> dict[str, Sum]:
    """Sums of the answered requests by the version that answered; a failed request names none."""
    groups: dict[str, list[Answer]] = {}
    for each in answers:
        if not each.failed:
            groups.setdefault(each.version, []).append(each)
    return {version: add_up(groups[version]) for version in sorted(groups)}


def between(answers: Iterable[Answer], start: float, end: float) -> list[Answer]:
    """The requests sent in [start, end)."""
    return [each for each in answers if start <= each.sent < end]


def percent(part: float, whole: float, digits: int = 1) -> str:
    """A share for people; of nothing there is no share."""
    return f"{100 * part / whole:.{digits}f} %" if whole else "-"


def quantile(answers: Iterable[Answer], share: float) -> float:
    """The latency that `share` of the requests did not exceed, in seconds."""
    ordered = sorted(each.seconds for each in answers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Tail:
    """Reads a growing file of records from where it last stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[Answer]:
        """Records written since the last call; a line that is still being written is left for the next."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                yield parse(line.decode())
