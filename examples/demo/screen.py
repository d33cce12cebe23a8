"""The live view: one frame as lines of text, redrawn in place on a terminal; elsewhere one line per change.

Only draws. It may not ask anything, nor decide what is worth telling.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from examples.demo.records import Sum, add_up, between, by_version, percent, quantile
from examples.demo.report import table
from examples.demo.sightings import Evidence, Glance
from examples.demo.tale import Tale

WINDOW = 10.0
BAR = 24
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
HIDE, SHOW, WIPE = "\x1b[?25l", "\x1b[?25h", "\x1b[2J"


def clock(seconds: float) -> str:
    """Minutes and seconds since the story began."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def frame(tale: Tale, now: float) -> list[str]:
    """Everything above the time line."""
    if not tale.chapters:
        return []
    part = tale.chapters[-1].part
    title = f"Penstock   {clock(now - tale.chapters[0].started)}   part {part.number}: {part.title}"
    blocks = [[title], _object(tale.now), table(_versions(tale, now)), _users(tale, now), _judged(tale.now)]
    return [text for block in blocks if block for text in [*block, ""]]


def _object(seen: Glance) -> list[str]:
    return [f"digits   Ready={seen.ready}   {seen.reason}   {seen.replicas} ready replicas", f"  {seen.message}"]


def _versions(tale: Tale, now: float) -> list[list[str]]:
    """Wanted share next to the seen one, per version."""
    recent = by_version(between(tale.answers, now - WINDOW, now))
    total = sum(each.answered for each in recent.values())
    ever, changes = by_version(tale.answers), tale.weights()
    wanted = changes[-1][1] if changes else {}
    rows = [["version", "", "wanted", f"seen ({WINDOW:.0f} s)", "answers", "right"]]
    for version in sorted({*ever, *wanted, *filter(None, (tale.now.stable, tale.now.candidate))}):
        share, mine = wanted.get(version, 0), ever.get(version, Sum())
        seen = percent(recent.get(version, Sum()).answered, total)
        cells = [_bar(share), f"{share} %", seen, f"{mine.answered:,}", percent(mine.right, mine.answered)]
        rows.append([f"{version} {_role(tale.now, version)}", *cells])
    return rows


def _role(seen: Glance, version: str) -> str:
    if version in (seen.stable, seen.candidate):
        return "stable" if version == seen.stable else "candidate"
    return "rejected" if seen.rejection(version) else ""


def _bar(share: int) -> str:
    full = round(BAR * share / 100)
    return "█" * full + "·" * (BAR - full)


def _users(tale: Tale, now: float) -> list[str]:
    recent = between(tale.answers, now - WINDOW, now)
    total, lately = add_up(tale.answers), add_up(recent)
    rate, slow = lately.requests / WINDOW, 1000 * quantile(recent, 0.99)
    failed = f"{lately.failed} failed in the last {WINDOW:.0f} s ({percent(lately.failed, lately.requests)})"
    return [f"users    {total.requests:,} requests, {total.failed:,} failed; {rate:.0f}/s, {failed}, p99 {slow:.0f} ms"]


def _judged(seen: Glance) -> list[str]:
    if not seen.evidence:
        return []
    rows = [["judged by", "candidate", "stable", "odds", "limit", "verdict"]]
    return table([*rows, *(_numbers(each) for each in seen.evidence)])


def _numbers(each: Evidence) -> list[str]:
    arms = [f"{side[0]}/{side[1]} bad" if side else "-" for side in (each.candidate, each.stable)]
    return [each.metric, *arms, each.odds, each.limit, each.verdict]


class Screen:
    """Where lines go: the terminal, and a copy without any drawing to a file."""

    def __init__(self, out: TextIO = sys.stdout, copy: Path | None = None) -> None:
        self._out = out
        self._live = out.isatty()
        self._lines: list[str] = []
        self._copy = copy.open("w") if copy else None
        if self._live:
            self._out.write(HIDE + WIPE)

    def tell(self, texts: Iterable[str]) -> None:
        """Lines that stay."""
        for text in texts:
            self._lines.append(text)
            if not self._live:
                self._out.write(text + "\n")
            if self._copy:
                self._copy.write(text + "\n")
        self._out.flush()

    def draw(self, tale: Tale, now: float) -> None:
        """The present frame over the last lines; nothing where there is no terminal."""
        if not self._live:
            return
        size = shutil.get_terminal_size()
        top = frame(tale, now)
        rest = self._lines[-max(1, size.lines - len(top) - 1) :]
        shown = [text[: size.columns - 1] for text in [*top, *rest]][: size.lines - 1]
        self._out.write(HOME + "".join(f"{text}{CLEAR_LINE}\n" for text in shown) + CLEAR_BELOW)
        self._out.flush()

    def close(self, report: Iterable[str] = ()) -> None:
        """Gives the terminal back and prints the report in full."""
        if self._live:
            self._out.write(HOME + WIPE + SHOW + "".join(f"{text}\n" for text in self._lines))
            self._live = False
        self.tell(report)
        if self._copy:
            self._copy.close()
