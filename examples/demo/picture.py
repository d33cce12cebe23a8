"""The rollback as a picture for the README: an SVG written by hand from one run's records. Pure: Tale in, text out."""

from dataclasses import dataclass

from examples.demo.records import between
from examples.demo.rollback import rollback
from examples.demo.tale import Chapter, Tale

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT = 70, 20
UPPER, LOWER = (60, 190), (240, 350)
LEAD = 10.0
"""Seconds shown before the bad version is applied, and after it has settled."""
INK, SOFT, WEIGHT, BAD = "#1f2328", "#8c959f", "#0969da", "#cf222e"


@dataclass(frozen=True)
class Plot:
    """A panel: seconds to the right, a quantity upwards."""

    start: float
    end: float
    top: int
    bottom: int
    most: float

    def x(self, at: float) -> float:
        """Where a moment lies."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start) / (self.end - self.start)

    def y(self, value: float) -> float:
        """How high a value lies."""
        return self.bottom - (self.bottom - self.top) * min(value, self.most) / self.most


def draw(tale: Tale, chapter: Chapter) -> str:
    """Weight of the bad version and failed requests per second, on one time axis."""
    start = chapter.started - LEAD
    end = (chapter.settled or tale.answers[-1].sent) + LEAD
    share, failed = tale.share(chapter), failures(tale, start, end)
    upper = Plot(start, end, *UPPER, most=1.25 * max([10, *(weight for _, weight in share)]))
    lower = Plot(start, end, *LOWER, most=1.25 * max([4, *failed]))
    version = chapter.part.version
    parts = [
        f'<text x="{LEFT}" y="28" font-size="16" fill="{INK}">{version} fails on part of the real rows</text>',
        *_panel(upper, f"requests given to {version}, %"),
        *_panel(lower, "failed requests per second"),
        *_bars(lower, failed),
        _steps(upper, share),
        *_marks(tale, chapter, upper, lower),
        *_seconds(lower, chapter.started),
    ]
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" role="img"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    title = f"<title>Weight and failed requests while {version} is rolled back</title>"
    return "\n".join([head, title, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', *parts, "</svg>", ""])


def failures(tale: Tale, start: float, end: float) -> list[int]:
    """Failed requests in each second of [start, end)."""
    seconds = range(int(end - start))
    return [sum(each.failed for each in between(tale.answers, start + n, start + n + 1)) for n in seconds]


def _panel(plot: Plot, title: str) -> list[str]:
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{plot.bottom}" y2="{plot.bottom}" stroke="{SOFT}"/>'
    ticks = (0.0, plot.most * 0.4, plot.most * 0.8)
    labels = [_text(LEFT - 8, plot.y(value) + 4, f"{value:.0f}", anchor="end") for value in ticks]
    return [line, *labels, _text(LEFT, plot.top - 6, title)]


def _steps(plot: Plot, share: list[tuple[float, int]]) -> str:
    path, height = f"M {plot.x(plot.start):.1f} {plot.y(0):.1f}", 0
    for at, weight in share:
        path += f" L {plot.x(at):.1f} {plot.y(height):.1f} L {plot.x(at):.1f} {plot.y(weight):.1f}"
        height = weight
    path += f" L {plot.x(plot.end):.1f} {plot.y(height):.1f}"
    return f'<path d="{path}" fill="none" stroke="{WEIGHT}" stroke-width="2.5"/>'


def _bars(plot: Plot, failed: list[int]) -> list[str]:
    width = plot.x(plot.start + 1) - plot.x(plot.start)
    return [
        f'<rect x="{plot.x(plot.start + n):.1f}" y="{plot.y(count):.1f}" width="{max(1.0, width - 1):.1f}"'
        f' height="{plot.bottom - plot.y(count):.1f}" fill="{BAD}"/>'
        for n, count in enumerate(failed)
        if count
    ]


def _marks(tale: Tale, chapter: Chapter, upper: Plot, lower: Plot) -> list[str]:
    seen = rollback(tale, chapter)
    names = {"applied": chapter.started, "first failure": seen.first_bad, "weight 0": seen.off, "settled": seen.settled}
    moments = [(name, at) for name, at in names.items() if at is not None]
    across = f'y1="{upper.top}" y2="{lower.bottom}" stroke="{INK}" stroke-dasharray="3 3"'
    marks = []
    for row, (name, at) in enumerate(moments):
        x = upper.x(at)
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" {across}/>')
        marks.append(_text(x + 4, upper.top + 10 + 13 * row, f"{name} {at - chapter.started:.1f} s"))
    return marks


def _seconds(plot: Plot, zero: float) -> list[str]:
    last = int(plot.end - zero)
    ticks = range(0, last + 1, 10 if last <= 120 else 30)
    labels = [_text(plot.x(zero + n), plot.bottom + 16, f"{n}", anchor="middle") for n in ticks]
    return [*labels, _text(WIDTH / 2, plot.bottom + 36, "seconds since kubectl apply", anchor="middle")]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="{INK}" text-anchor="{anchor}">{text}</text>'
