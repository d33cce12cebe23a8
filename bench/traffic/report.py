"""Cases -> figures as JSON -> the page for people. Pure: no clock, no files, no cluster."""

from collections.abc import Mapping
from typing import Any

from bench.breach.report import quantile
from bench.traffic.facts import Case, Row, count
from examples.demo.records import OK

POINT = 1.0
Found = Mapping[str, Any]


def results(case: Case, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """One case, for machines."""
    rows = [count(window, case.told) for window in case.windows]
    windows = [_row(row) | {"p99": _p99(case, row)} for row in rows]
    return {
        "conditions": dict(conditions),
        "windows": windows,
        "notes": dict(case.notes),
        "trouble": case.trouble,
        "failures": list(case.failures),
    }


def _row(row: Row) -> dict[str, Any]:
    made = {
        "name": row.window.name,
        "requests": row.requests,
        "failed": dict(row.failed),
        "lost": row.lost,
        "excuse": row.window.excuse,
        "holds": row.holds,
    }
    share = {"weight": row.window.weight, "share": round(row.share, 3), "interval": [round(x, 3) for x in row.interval]}
    return made | (share if row.window.version else {})


def _p99(case: Case, row: Row) -> float:
    """Seconds from sending to the end, of what was answered."""
    w = row.window
    return round(quantile([e.seconds for e in case.told if e.status == OK and w.begin <= e.sent < w.end], 0.99), 4)


def holds(case: Found) -> bool:
    """Nothing went wrong, nothing was lost that is ours to save, every share is as wanted."""
    return not case["trouble"] and bool(case["windows"]) and all(row["holds"] for row in case["windows"])


def said(case: Found) -> list[str]:
    """A case in a line for each window, for who waits at the screen."""
    lines = [f"  {row['name']}: {row['requests']:,} requests, {_lost(row)}{_share(row)}" for row in case["windows"]]
    return [*lines, *(f"  {line}" for line in case["trouble"].splitlines()[-12:])]


def _lost(row: Found) -> str:
    words = "; ".join(f"{number} x {what}" for what, number in row["failed"].items())
    return f"{row['lost']} failed" + (f" ({words})" if words else "")


def _share(row: Found) -> str:
    if "weight" not in row:
        return ""
    return f", {row['share']:.2f} % where {row['weight']} % was wanted"


def page(cases: Mapping[str, Found]) -> str:
    """The report."""
    rows = [(name, row) for name, case in cases.items() for row in case["windows"]]
    shares = [row for _, row in rows if "weight" in row and not row["name"].startswith("mirror")]
    rest = [row for _, row in rows if "weight" not in row]
    lines = ["# Traffic does what the status says", "", *_how(cases), "", "## Shares", "", *_shares(shares)]
    lines += ["", "## What was lost", "", *_losses(rest), "", *_trouble(cases), *_mirror(cases)]
    return "\n".join([*lines, *_MEANING]) + "\n"


def _how(cases: Mapping[str, Found]) -> list[str]:
    lines = [
        "Written by `python -m bench.traffic`, on a real cluster: one node, real pods, Envoy Gateway with an Envoy of",
        "its own for this, Prometheus. Clients send at a fixed rate, keep their connections, and never retry.",
        "",
        "| case | date | requests/s | load average | machine |",
        "|---|---|---|---|---|",
    ]
    for name, case in cases.items():
        c = case["conditions"]
        lines.append(f"| {name} | {c['date']} | {c['rate']:g} | {c['load'][0]} to {c['load'][1]} | {c['machine']} |")
    return lines


def _shares(rows: list[Found]) -> list[str]:
    lines = ["| wanted | seen | requests | interval (99.9 %) | within a point |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row["interval"]
        near = "yes" if abs(row["share"] - row["weight"]) <= POINT else "NO"
        wanted, seen = f"{row['weight']} %", f"{row['share']:.2f} %"
        lines.append(f"| {wanted} | {seen} | {row['requests']:,} | {low:.2f} % to {high:.2f} % | {near} |")
    return lines


def _losses(rows: list[Found]) -> list[str]:
    lines = ["| what happened | requests | failed | p99 | what failed |", "|---|---|---|---|---|"]
    for row in rows:
        why = "; ".join(f"{number} x {what}" for what, number in row["failed"].items())
        allowed = f" (allowed: {row['excuse']})" if row["failed"] and row["excuse"] else ""
        p99 = f"{1000 * row['p99']:.0f} ms"
        lines.append(f"| {row['name']} | {row['requests']:,} | {row['lost']} | {p99} | {why}{allowed} |")
    return lines


def _trouble(cases: Mapping[str, Found]) -> list[str]:
    return [f"**{name} did not come to its end**: `{c['trouble'].splitlines()[-1]}`" for name, c in _bad(cases)]


def _bad(cases: Mapping[str, Found]) -> list[tuple[str, Found]]:
    return [(name, case) for name, case in cases.items() if case["trouble"]]


def _mirror(cases: Mapping[str, Found]) -> list[str]:
    if not (case := cases.get("mirror")) or case["trouble"]:
        return []
    lines = [
        "## Copies",
        "",
        "| stretch | requests | failed | answers of the candidate | p99 |",
        "|---|---|---|---|---|",
    ]
    for row in case["windows"]:
        leaked = round((100 - row["share"]) * (row["requests"] - row["lost"]) / 100)
        lines.append(f"| {row['name']} | {row['requests']:,} | {row['lost']} | {leaked} | {1000 * row['p99']:.1f} ms |")
    ratio = added(case["windows"])
    counted = case["notes"].get("copies", "?")
    return [*lines, "", f"p99 with copies over p99 without: {ratio:.2f}. The candidate counted {counted} copies.", ""]


def added(windows: list[Found]) -> float:
    """The p99 with copies over the one without, each the mean of its two stretches."""
    without, copied = ([row["p99"] for row in windows if row["name"].startswith(f"mirror {side}")] for side in "AB")
    return sum(copied) * len(without) / (len(copied) * sum(without))


_MEANING = [
    "## How to read it",
    "",
    "A share is counted at the clients, by the version that an answer names. The interval covers the true share in all",
    "but one of a thousand runs; a share is called wrong where the wanted one lies outside of it. The steps of 20 %",
    "and 50 % get so many more requests that a fair split is off by more than a point once in a thousand times.",
    "",
    "A load average above the number of cores: the machine was not quiet, and a p99 says little. Counts are exact all",
    "the same.",
    "",
    "Failed is all but a 200, a connection that broke too. Each row reaches from the middle between two happenings to",
    "the middle of the next two, so every request counts somewhere. *Allowed* are requests that the operator cannot",
    "save: a server that is killed takes those with it that it was answering, and gets more until the gateway is told.",
    "Whether a gateway asks another pod then is its own policy (`retry` in a BackendTrafficPolicy).",
    "",
    "A gateway's own restart is its own matter: Envoy Gateway's proxies say `connection: close` while they drain",
    "(`shutdown` of the EnvoyProxy: `minDrainDuration`, `drainTimeout`), and the new one must be ready before the old",
    "one goes (`maxUnavailable: 0`, which is what a Deployment of one replica comes to by default).",
]
