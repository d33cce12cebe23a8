"""Two drawings of the results, in SVG, by hand."""

import math

from bench.drawing import GRID, INK, legend, line, page, path, text

Row = dict[str, object]
COLOURS = {
    "Penstock, compare Stable": "#0072b2",
    "Penstock, max": "#56b4e9",
    "Penstock, latencyShift": "#004466",
    "Argo Rollouts, failureLimit 0": "#e69f00",
    "Argo Rollouts, failureLimit 3": "#f0c566",
    "Flagger, threshold 5": "#d55e00",
    "Flagger, threshold 10": "#eda06b",
    "PipeCD, failureLimit 0": "#009e73",
    "PipeCD, failureLimit 3": "#7fceb9",
    "Kayenta, every 10 minutes": "#cc79a7",
}


def by_traffic(rows: list[Row]) -> str:
    """False rollbacks of each rule against traffic."""
    left, top, wide, high = 60, 40, 430, 260
    traffics = sorted({float(str(row["requests"])) for row in rows})

    def x_of(requests: float) -> float:
        ends = math.log(traffics[0]), math.log(traffics[-1])
        return left + wide * (math.log(requests) - ends[0]) / (ends[1] - ends[0])

    def y_of(share: float) -> float:
        return top + high * (1 - share)

    parts = [text(left, 22, "Identical canaries rejected within 60 looks, by requests of the candidate in each look")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(line((left, y_of(share)), (left + wide, y_of(share)), GRID))
        parts.append(text(left - 8, y_of(share) + 4, f"{share:.0%}", 'text-anchor="end"'))
    parts.append(line((left, y_of(0.05)), (left + wide, y_of(0.05)), INK, 'stroke-dasharray="4 3"'))
    parts.append(text(left + wide + 6, y_of(0.05) + 4, "5 %"))
    parts += [text(x_of(t), top + high + 18, f"{t:.0f}", 'text-anchor="middle"') for t in traffics]
    names = [name for name in COLOURS if any(row["rule"] == name for row in rows)]
    for name in reversed(names):  # our own on top, as the lowest lines lie on each other
        mine = [(x_of(float(str(r["requests"]))), y_of(float(str(r["rejected"])))) for r in rows if r["rule"] == name]
        parts += path(mine, COLOURS[name])
    return page(760, 340, parts + legend({name: COLOURS[name] for name in names}, left + wide + 60, top + 10))


def detection(rows: list[Row], requests: int, horizon: int) -> str:
    """For each scenario a panel: requests until half of the bad candidates are rejected, and false rollbacks."""
    chosen = [row for row in rows if row["requests"] == requests and row["rule"] in COLOURS]
    scenarios = list(dict.fromkeys(str(row["scenario"]) for row in chosen))
    parts = [
        text(20, 22, f"At {requests} requests of the candidate in each look: best is low and to the left."),
        text(20, 40, "Up: identical canaries rejected. Right: requests until half of the bad candidates are rejected."),
    ]
    for number, scenario in enumerate(scenarios):
        corner = (60 + 310 * (number % 2), 80 + 240 * (number // 2))
        parts += _panel(corner, scenario, [r for r in chosen if r["scenario"] == scenario], (requests, horizon))
    names = [name for name in COLOURS if any(row["rule"] == name for row in chosen)]
    return page(880, 560, parts + legend({name: COLOURS[name] for name in names}, 670, 90))


def _panel(corner: tuple[float, float], title: str, rows: list[Row], span: tuple[int, int]) -> list[str]:
    left, top = corner
    wide, high = 200.0, 160.0
    low, end = math.log(span[0]), math.log(span[1])
    parts = [text(left, top - 8, title, 'font-weight="bold"')]
    for share in (0.0, 0.5, 1.0):
        parts.append(line((left, top + high * (1 - share)), (left + wide + 56, top + high * (1 - share)), GRID))
        parts.append(text(left - 6, top + high * (1 - share) + 4, f"{share:.0%}", 'text-anchor="end"'))
    for tick in (100, 300, 1000, 3000):
        x = left + wide * (math.log(tick) - low) / (end - low)
        parts.append(text(x, top + high + 16, f"{tick:,}", 'text-anchor="middle"'))
    parts.append(text(left + wide + 46, top + high + 16, "never", 'text-anchor="middle"'))
    for row in rows:
        median = row["median_requests"]
        x = left + wide + 46 if median is None else left + wide * (math.log(float(str(median))) - low) / (end - low)
        y = top + high * (1 - float(str(row["false_rollbacks"])))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{COLOURS[str(row["rule"])]}" fill-opacity="0.8"/>')
    return parts
