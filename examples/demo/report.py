"""The tables at the end, made from the records alone. Pure: Tale in, lines out."""

from collections.abc import Sequence

from examples.demo.records import Sum, add_up, by_version, percent, quantile
from examples.demo.rollback import Rollback, rollback
from examples.demo.story import Ending
from examples.demo.tale import Chapter, Tale, holds
from examples.demo.verdict import Finding


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; the first is aligned left, the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: list[int]) -> str:
    others = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([row[0].ljust(widths[0]), *others]).rstrip()


def report(tale: Tale, findings: list[Finding]) -> list[str]:
    """Everything that a person wants to see when it is over."""
    lines = ["", "Requests", *table(phases(tale)), "", "Answers", *table(versions(tale))]
    for chapter in tale.chapters:
        if chapter.part.ending is Ending.PROMOTED:
            lines += ["", f"The walk of {chapter.part.version}", *table(walk(tale, chapter))]
        if chapter.part.ending is Ending.REJECTED:
            lines += ["", *taken_off(tale, chapter)]
    answers = [f"  {'yes' if each.true else 'NO '}  {each.text}" for each in findings]
    return [*lines, "", "Did the story happen?", *answers]


def phases(tale: Tale) -> list[list[str]]:
    """Requests per part: how many, how many failed, how slow."""
    rows = [["", "seconds", "requests", "failed", "p50", "p99", "slowest"]]
    for chapter in tale.chapters:
        asked = tale.asked(chapter)
        name = f"part {chapter.part.number}: {chapter.part.version}"
        total = add_up(asked)
        times = [_ms(quantile(asked, share)) for share in (0.5, 0.99, 1.0)]
        seconds = asked[-1].sent - asked[0].sent if asked else 0.0
        rows.append([name, f"{seconds:.0f}", f"{total.requests:,}", f"{total.failed:,}", *times])
    total = add_up(tale.answers)
    return [*rows, ["all", "", f"{total.requests:,}", f"{total.failed:,}", "", "", ""]]


def versions(tale: Tale) -> list[list[str]]:
    """Predictions per version that gave them, and how many were right."""
    rows = [["", "answers", "right", "accuracy"]]
    return rows + [[version, *_right(total)] for version, total in by_version(tale.answers).items()]


def _right(total: Sum) -> list[str]:
    return [f"{total.answered:,}", f"{total.right:,}", percent(total.right, total.answered)]


def walk(tale: Tale, chapter: Chapter) -> list[list[str]]:
    """Per weight: how long it was held, and the share that clients really saw."""
    rows = [["weight", "seconds", "requests", "share seen", "failed", "accuracy"]]
    for hold in holds(tale, chapter):
        total, ours = add_up(hold.answers), by_version(hold.answers).get(chapter.part.version, Sum())
        seen = [percent(ours.answered, total.answered), str(total.failed), percent(ours.right, ours.answered)]
        rows.append([f"{hold.weight} %", f"{hold.end - hold.start:.1f}", f"{total.requests:,}", *seen])
    return rows


def taken_off(tale: Tale, chapter: Chapter) -> list[str]:
    """Why a version was rejected, and how fast clients were rid of it."""
    version, why = chapter.part.version, tale.last(chapter).rejection(chapter.part.version)
    lines = [f"{version} was taken off: {why.reason}", f"  {why.message}"] if why else [f"{version} was not taken off"]
    seen = rollback(tale, chapter)
    if chapter.part.takes_traffic:
        return [*lines, *_moments(seen)]
    if seen.settled is not None:
        lines.append(f"  {seen.settled - chapter.started:6.1f} s  from apply to settled")
    return lines


def _moments(seen: Rollback) -> list[str]:
    spans = [
        ("from the first failed request to weight 0", seen.first_bad, seen.off),
        ("from weight 0 to the sending of the last failed request (negative: before)", seen.off, seen.last_bad),
        ("from the first failed request to settled", seen.first_bad, seen.settled),
    ]
    lines = [f"  {end - start:6.1f} s  {text}" for text, start, end in spans if start is not None and end is not None]
    return [*lines, f"  {seen.sufficed:6.1f} s  for which the answers sufficed to reject it before weight 0"]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
