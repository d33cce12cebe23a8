"""Rows -> the figures as JSON, the page for people, and its plot. Pure: no clock, no files."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.breach.facts import Record
from bench.breach.failures import failures
from bench.breach.parts import Row, add_up

LIMIT = 0.3
SHOWN: dict[str, tuple[str, Callable[[Row], float]]] = {
    "gathering": ("first bad answer, until the answers suffice", lambda row: row.gathering),
    "scrape": ("until a sample holds those answers", lambda row: row.parts.scrape),
    "evidence": ("until what Prometheus holds suffices", lambda row: row.parts.evidence),
    "look": ("until the operator's look begins", lambda row: row.parts.look),
    "ask": ("until Prometheus has answered", lambda row: row.parts.ask),
    "decision": ("until the plan stands", lambda row: row.parts.decision),
    "write": ("until the status says so", lambda row: row.parts.write),
    "route": ("until the API server has the route: weight 0", lambda row: row.parts.route),
    "gateway": ("until the last request that the bad version answered was sent", lambda row: row.parts.gateway),
}
SUMS: dict[str, tuple[str, Callable[[Row], float]]] = {
    "own": ("**our own part**: decision + write + route", lambda row: row.parts.own),
    "whole": ("**knowable to weight 0**: scrape to route", lambda row: row.parts.whole),
    "hurt": ("first bad answer to weight 0", lambda row: row.hurt),
    "confirmed": ("weight 0 to the gateway's word for it, seen by a watch", lambda row: row.confirmed),
}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank); nan where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """p50, p95 and the largest of each part and sum, in seconds."""
    made = {}
    for name, (_, of) in (SHOWN | SUMS).items():
        values = [of(row) for row in rows]
        made[name] = {
            "p50": round(quantile(values, 0.5), 4),
            "p95": round(quantile(values, 0.95), 4),
            "max": round(quantile(values, 1.0), 4),
        }
    return made


def results(record: Record) -> dict[str, Any]:
    """All of it, for machines."""
    rows = [add_up(facts) for _, facts in sorted(record.facts.items())]
    low, high = min(record.loads, default=0.0), max(record.loads, default=0.0)
    return {
        "conditions": dict(record.conditions) | {"load": [round(low, 1), round(high, 1)]},
        "seconds": summary(rows),
        "bad_answers": [row.bad for row in rows],
        "runs": [asdict(row) for row in rows],
        "failed_answers": failures(record),
    }


def page(found: Mapping[str, Any]) -> str:
    """The report."""
    lines = ["# From breach to weight 0", "", *_how(found), "", "| part | p50 | p95 | longest |", "|---|---|---|---|"]
    for name, (words, _) in (SHOWN | SUMS).items():
        one = found["seconds"][name]
        label = words if name in SUMS else f"{name}: {words}"
        lines.append(f"| {label} | {_spelled(one['p50'])} | {_spelled(one['p95'])} | {_spelled(one['max'])} |")
    return "\n".join([*lines, "", *_bad(found), "", "![Seconds of each part](breach.svg)", "", *_meaning(found)]) + "\n"


def _spelled(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.2f} s"


def _how(found: Mapping[str, Any]) -> list[str]:
    c = found["conditions"]
    low, high = c["load"]
    return [
        f"Written by `{c['command']}`. A version that fails on one row in six is rolled out and taken off",
        f"{c['wished']} times, {c['together']} objects side by side, on a real cluster: {c['cluster']}.",
        "",
        "| | |",
        "|---|---|",
        f"| machine | {c['machine']} |",
        f"| load average | {low:.1f} to {high:.1f}: the rollouts, and other work on the same cores |",
        f"| look interval, scrape interval | {c['interval']}, {c['scrape']} |",
        f"| clients | {c['rate']:.0f} requests/s for each object, never a retry |",
        f"| steps | {c['steps']} |",
        f"| caught | {len(found['runs'])} of {c['wished']} |",
        f"| raw figures | `bench/results/breach.json`, {c['date']} |",
    ]


def _bad(found: Mapping[str, Any]) -> list[str]:
    bad, runs, failed = found["bad_answers"], found["runs"], found["failed_answers"]
    before = quantile([row["bad_before"] for row in runs], 0.5)
    late = sum((row["after_weight_0"] or 0) > 0 for row in failed)
    reasons = sorted({row["reason"] for row in runs})
    counted = ", ".join(f"{sum(row['reason'] == each for row in runs)} for {each}" for each in reasons)
    half, most, worst = quantile(bad, 0.5), quantile(bad, 0.95), max(bad, default=0)
    return [
        f"Bad answers in a rollout: median {half:.0f}, p95 {most:.0f}, at most {worst}; {before:.0f} of them (median)",
        f"had come when it could be known. Rejected: {counted}.",
        f"{sum(row['requests'] for row in runs):,} requests, {len(failed)} failed, {late} of those sent after the API",
        "server had weight 0. Why they failed, by the gateway's log:",
        "",
        "| failed | status | why |",
        "|---|---|---|",
        *(f"| {count} | {status} | {cause or 'unknown'} |" for (status, cause), count in _causes(failed)),
    ]


def _causes(failed: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[int, str], int]]:
    return Counter((row["status"], row["cause"]) for row in failed).most_common()


def _meaning(found: Mapping[str, Any]) -> list[str]:
    own = found["seconds"]["own"]["p95"]
    verdict = "holds" if own <= LIMIT else "DOES NOT HOLD"
    return [
        f"The goal for our own part, p95 at most {LIMIT} s, {verdict}: {own:.3f} s.",
        "",
        "The parts follow each other without a gap. *Knowable* is the first moment at which the answers that clients",
        "had got would have sufficed by the operator's own test, against the objective or against the stable version.",
        "A scrape counts from the timestamp that its sample carries. *Evidence* is not 0 where good answers lowered",
        "the odds again before a sample was taken, or between two. A look trusts samples that are a second old, so",
        "*look* is up to one interval and a second. From *ask* on the moments are the operator's own, in the audit",
        "line of the rejection: `asked_at`, `answered_at`, `decided_at`, `recorded_at`, `acted_at`. Percentiles are of",
        "nearest rank.",
        "",
        "A 503 can be the bad model's as well. Where a request ends in an unhandled exception, uvicorn, below",
        "MLServer, answers 500, writes its log and only then closes the connection, without having said so in the",
        "answer. A gateway that sends the next request on that connection in between sees it cut (`UC` in Envoy's log)",
        "and answers 503.",
    ]


WIDTH, LEFT, ROW, TOP = 860, 110, 30, 46
TAIL, BODY, INK, LINE = "#c6dbef", "#2b6cb0", "#333333", "#bbbbbb"


def picture(found: Mapping[str, Any]) -> str:
    """Bars of the median with its p95 and longest behind, one row for each part, on a logarithmic scale from 1 ms."""
    names = [*SHOWN, "own", "whole"]
    bottom = TOP + ROW * len(names)
    body = [_said(LEFT, 22, "From breach to weight 0: median (dark), p95 (light), longest (line)")]
    for power in range(-3, 2):
        x = _x(10.0**power)
        body.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{LINE}" stroke-width="0.5"/>'
        )
        body.append(_said(x, bottom + 16, f"{10.0**power:g} s", anchor="middle"))
    for number, name in enumerate(names):
        body += _bar(TOP + ROW * number, name, found["seconds"][name])
    size = f'width="{WIDTH}" height="{bottom + 30}" viewBox="0 0 {WIDTH} {bottom + 30}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{bottom + 30}" fill="white"/>', *body, "</svg>"]) + "\n"


def _bar(y: int, name: str, one: Mapping[str, float]) -> list[str]:
    middle = y + ROW / 2 - 4
    body = [_said(LEFT - 8, middle + 4, {"own": "our own part", "whole": "whole"}.get(name, name), anchor="end")]
    for value, height, colour in ((one["p95"], 18, TAIL), (one["p50"], 10, BODY)):
        width = max(0.0, _x(value) - LEFT)
        body.append(
            f'<rect x="{LEFT}" y="{middle - height / 2:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>'
        )
    x = _x(one["max"])
    body.append(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 9}" y2="{middle + 9}" stroke="{INK}" stroke-width="1.5"/>'
    )
    text = f"{_spelled(one['p50'])} / {_spelled(one['p95'])}"
    return [*body, _said(max(x, _x(one["p95"])) + 6, middle + 4, text)]


def _x(seconds: float) -> float:
    """0.5 ms at the left edge, 60 s near the right one."""
    low, high = math.log10(0.0005), math.log10(60)
    share = (math.log10(max(seconds, 0.0005)) - low) / (high - low)
    return LEFT + share * (WIDTH - LEFT - 130)


def _said(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" fill="{INK}" text-anchor="{anchor}">{text}</text>'
