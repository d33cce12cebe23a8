"""The few shapes that the plots of all benchmarks are made of, as SVG, by hand."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

INK, GRID = "#333333", "#dddddd"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9")
Points = Sequence[tuple[float, float]]


def text(x: float, y: float, words: str, rest: str = "") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" {rest}>{escape(words)}</text>'


def line(start: tuple[float, float], end: tuple[float, float], colour: str, rest: str = "") -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {rest}/>'


def path(points: Points, colour: str) -> list[str]:
    """A line through points, each of them marked."""
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return [f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2"/>', *marks]


def legend(names: Mapping[str, str], x: float, y: float) -> list[str]:
    """What each colour means."""
    parts = []
    for number, (name, colour) in enumerate(names.items()):
        top = y + 20 * number
        parts += [f'<circle cx="{x:.1f}" cy="{top - 4:.1f}" r="5" fill="{colour}"/>', text(x + 12, top, name)]
    return parts


def page(width: int, height: int, parts: Iterable[str]) -> str:
    """All of it on white."""
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>\n"])


def curve(title: str, across: str, lines: Mapping[str, Points]) -> str:
    """Lines over one axis; both axes begin at zero."""
    left, top, wide, high = 60.0, 40.0, 430.0, 240.0
    widest = max(x for points in lines.values() for x, _ in points)
    tick = _round_up(max(y for points in lines.values() for _, y in points) / 4)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + wide * x / widest, top + high * (1 - y / (4 * tick))

    parts = [text(left, 22, title)]
    for number in range(5):
        parts.append(line(place(0, number * tick), place(widest, number * tick), GRID))
        parts.append(text(left - 8, place(0, number * tick)[1] + 4, f"{number * tick:g}", 'text-anchor="end"'))
    for x in sorted({x for points in lines.values() for x, _ in points}):
        parts.append(text(place(x, 0)[0], top + high + 18, f"{x:,.0f}", 'text-anchor="middle"'))
    parts.append(text(left + wide / 2, top + high + 38, across, 'text-anchor="middle"'))
    colours = dict(zip(lines, COLOURS, strict=False))
    for name, points in lines.items():
        parts += path([place(x, y) for x, y in points], colours[name])
    return page(760, 340, parts + legend(colours, left + wide + 30, top + 10))


def _round_up(value: float) -> float:
    """To the next 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
