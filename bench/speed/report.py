"""The answers -> the page for people and its plots. Pure: no clock, no files."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from bench.breach.report import quantile

Row = dict[str, Any]
Curve = tuple[str, str, dict[str, list[tuple[float, float]]]]
WIDTH = 120  # of a line of the page
RAW, OURS = "raw client", "Penstock"
ALONE = "Argo Rollouts, "  # its job is a ReplicaSet and nothing else


def line(row: Row) -> str:
    """A row in a line, without its long lists."""
    return ", ".join(f"{key} {_short(value)}" for key, value in row.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list) and isinstance(value[0], dict):
        return "; ".join(f"({line(one)})" for one in value)
    if isinstance(value, list):
        return f"p50 {median(value):.3g} of {len(value)}"
    return f"({line(value)})" if isinstance(value, dict) else str(value)


def page(known: Mapping[str, Any]) -> str:
    """The page; a question without an answer has no section."""
    parts = [
        "# Performance",
        "",
        *_words(
            "Made by `python -m bench.speed --report` from `bench/results/speed.json`, which `make bench` fills.",
            "Each run has a control plane of its own on one machine",
            "(etcd without fsync, API server, controllers, pretended nodes),",
            "and contestants share its cores with it: compare within a table, never across machines.",
        ),
    ]
    for name, tell in SECTIONS.items():
        if name in known:
            parts += ["", *tell(known[name]["rows"], known[name]["about"])]
    return "\n".join(parts) + "\n"


def _words(*sentences: str) -> list[str]:
    """A paragraph, in lines."""
    return textwrap.wrap(" ".join(sentences), WIDTH, break_on_hyphens=False)


def _how(about: Row) -> str:
    code = f" commit {about['code']}," if about.get("code") else ""
    load = "load average at the start {}, highest {}".format(*about["load"]) if "load" in about else ""
    said = [each for each in (load, about.get("note")) if each]  # the note: what was put together by hand
    return f"{about['date']},{code} {about['machine']}; {'; '.join(said)}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _goal(value: float, goal: float, *, most: bool) -> str:
    held = value <= goal if most else value >= goal
    return f"{'held' if held else '**missed**'} ({'at most' if most else 'at least'} {goal:g})"


def is_slow(who: str, rows: Sequence[Row]) -> bool:
    """Whether one of these runs shows that it takes more than twice our time."""
    ours = [row["seconds"] for row in rows if row["who"] == OURS]
    return bool(ours) and any(row["seconds"] > 2 * median(ours) for row in rows if row["who"] == who)


def _took(runs: list[Row], ours: float) -> tuple[str, ...]:
    seconds, one = [row["seconds"] for row in runs], runs[0]
    each = f"{one['children'] / one['jobs']:g}"
    if not all(row["finished"] for row in runs):
        return f"not within {max(seconds):.0f}", each, "", "", "", ""
    own, machine = (1000 * median(row[of] for row in runs) / one["jobs"] for of in ("cpu", "machine"))
    rate, times = one["children"] / median(seconds), median(seconds) / ours
    return _spread(seconds), each, f"{rate:.0f}", f"{own:.1f}", f"{machine:.0f}", f"{times:.2f}"


def _converge(rows: list[Row], about: Row) -> list[str]:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["who"], []).append(row)
    wall = median(row["seconds"] for row in by[RAW])
    ours = median(row["seconds"] for row in by[OURS])
    shown = [(who, str(len(runs)), *_took(runs, ours)) for who, runs in by.items()]
    cpu = ("CPU s for 1,000 jobs", "of the machine")
    head = ("who", "runs", "seconds, median (range)", "children of a job", "children/s", *cpu, "times ours")
    rivals = {who: median(r["seconds"] for r in runs) for who, runs in by.items() if who not in (RAW, OURS)}
    words = [
        "## Convergence",
        "",
        *_words(
            f"{about['jobs']:,} models created at once, until all children exist and all statuses are written;",
            f"in turn and back; who took more than twice our time was asked once. {_how(about)}",
        ),
        "",
        *_table(head, shown),
        "",
        *_words(
            "The raw client writes the bodies that the operator wrote, over as many connections, and decides nothing.",
            "What a rival makes for a job is less (a ReplicaSet) or different (a second Deployment and Services); with",
            "the rest, its user creates two Services and a disruption budget too, so that the same stands in the end.",
            "CPU is the contestant's own; of the machine, all that it had to do: API server, controllers, scheduler",
            "and nodes too, whose work follows from what is written.",
            "Nobody's Events are waited for; all contestants write them apart from the rest.",
        ),
        "",
        f"- Of the wall: {wall / ours:.2f}: {_goal(wall / ours, 0.5, most=False)}.",
    ]
    for how, goal in (("its defaults", 2.0), ("best flags", 1.0)):
        found = {who: seconds / ours for who, seconds in rivals.items() if who.endswith(how)}
        alike = {who: times for who, times in found.items() if not who.startswith(ALONE)}
        for which, some in (("whose job leaves the like", alike), ("of all", found)):
            if some:
                best = min(some.values())
                held = _goal(best, goal, most=False)
                bound = f"the raw client would be {best * ours / wall:.2f} times as fast"
                words.append(f"- Against the fastest rival {which}, {how}: {best:.2f} times as fast: {held}; {bound}.")
    return words + _followed(by)


def _followed(by: Mapping[str, list[Row]]) -> list[str]:
    """What the machine has to do for objects that follow from nobody's decision; nothing where it was not measured."""
    pair = [by.get(f"Argo Rollouts{more}, best flags") for more in ("", " and the rest")]
    alone, whole, ours = (median(row["machine"] for row in runs) if runs else 0.0 for runs in (*pair, by[OURS]))
    if not alone or not whole:
        return []
    own = median(row["cpu"] for row in by[OURS])
    share = 100 * (whole - alone) / whole
    said = (
        f"Of the rest: a rival's jobs take {alone:.0f} s of the machine, and {whole:.0f} s with two Services and a",
        f"budget each: {share:.0f} % is what the API server and the controllers behind it do for these three, whoever",
        f"writes them. Of our {ours:.0f} s the operator's own are {own:.0f}.",
    )
    return ["", *_words(*said)]


def _idle(rows: list[Row], about: Row) -> list[str]:
    shown = []
    for row in rows:
        what = ", ".join(f"{n} {name}" for name, n in sorted(row["requests"].items(), key=lambda r: -r[1])) or "none"
        core = f"{100 * row['cpu'] / row['seconds']:.2f} %"
        shown.append((row["who"], what, str(row["leases"]), core, f"{row['rss']:.0f}"))
    ours = rows[0]
    head = ("who", "requests", "of leases", "of a core", "MiB")
    return [
        "## Idle",
        "",
        *_words(
            f"{about['jobs']:,} settled models, {rows[0]['seconds']:.0f} s in which nobody changes anything;",
            f"requests as a proxy before the API server saw them; watches that are opened again count. {_how(about)}",
        ),
        "",
        *_table(head, shown),
        "",
        f"- Requests besides watches and leases: {_goal(_asked(ours), 0, most=True)}.",
        f"- Per cent of a core: {_goal(100 * ours['cpu'] / ours['seconds'], 0.5, most=True)}.",
    ]


def _asked(row: Row) -> int:
    return sum(n for name, n in row["requests"].items() if not name.startswith("watch "))


def _life(rows: list[Row], about: Row) -> list[str]:
    shown = []
    for row in rows:
        made = row["made"]
        each = 1000 * made["seconds"] / made["jobs"]
        wrote = " or ".join(sorted({_wrote(one["writes"]) for one in row["restarts"]}))
        again, reader, after = (median(r[name] for r in row["restarts"]) for name in ("restart", "listing", "after"))
        cells = (
            f"{made['jobs']:,}",
            f"{each:.1f}",
            f"{1000 * made['cpu'] / made['jobs']:.1f}",
            f"{row['settled']:.0f}",
        )
        shown.append((*cells, f"{again:.2f}", f"{reader:.2f}", f"{_times(row):.1f}", wrote, f"{after:.0f}"))
    columns = ("models", "ms each", "CPU ms each", "MiB settled")
    head = (*columns, "restart s", "bare reader s", "times", "writes after it", "MiB after it")
    first, last = rows[0]["made"], rows[-1]["made"]
    idle = first["rss_before"]
    slope = (rows[-1]["settled"] - rows[0]["settled"]) / (last["jobs"] - first["jobs"]) * 1000
    costs = [row["made"]["cpu"] / row["made"]["jobs"] for row in rows]
    flat = max(costs) / min(costs)
    worst = max(map(_times, rows))
    return [
        "## One life, by number of models",
        "",
        *_words(
            "Made at once, left until nothing happens, killed with SIGKILL, one size edited while nobody looks,",
            f"started again: from the kill on {len(rows[0]['restarts'])} times, of which the medians are told.",
            "The bare reader is a process that starts, lists the same kinds and ends, before each restart.",
            f"The 15 s for which a dead leader's lease is respected are a setting and taken away. {_how(about)}",
        ),
        "",
        *_table(head, shown),
        "",
        f"- MiB without any model: {idle:.0f}: {_goal(idle, 90, most=True)}.",
        f"- MiB for 1,000 models: {slope:.1f}: {_goal(slope, 15, most=True)}.",
        f"- Restart in times of the bare reader, the worst: {worst:.1f}: {_goal(worst, 3, most=True)}.",
        f"- CPU for a model, most by least: {flat:.2f}: {_goal(flat, 1.3, most=True)}.",
        "",
        "![Time and CPU for a model](reports/speed-each.svg)",
        "",
        "![Memory](reports/speed-memory.svg)",
    ]


def _times(row: Row) -> float:
    """A restart in times of the bare reader before it."""
    return median(one["restart"] / one["listing"] for one in row["restarts"])


def _wrote(writes: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in writes.items())


def _rollback(rows: list[Row], about: Row) -> list[str]:
    by: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        by.setdefault((row["jobs"], row["who"]), []).append(row)
    shown, goals = [], []
    for (jobs, who), runs in sorted(by.items(), key=lambda known: known[0][0]):
        own, whole = ([value for row in runs for value in row[name]] for name in ("own", "whole"))
        cells = [f"{quantile(own, share):.3f}" for share in (0.5, 0.95, 1.0)]
        times = f"{quantile(whole, 0.5):.1f}", f"{quantile(whole, 0.95):.1f}"
        core = "" if who == RAW else f"{1000 * sum(row['cpu'] for row in runs) / len(own):.0f}"
        shown.append((f"{jobs:,}", who, str(len(runs)), *cells, *times, core))
        if who == OURS:
            late = quantile(own, 0.95)
            held = _goal(late, 0.3 if jobs == 1 else 1.0, most=True)
            wall = quantile([value for row in by[jobs, RAW] for value in row["own"]], 0.95)
            goals.append(
                f"- Own part, p95, {jobs:,} at once: {late:.3f} s: {held}; {late / wall:.1f} times the raw client's."
            )
    head = ("canaries", "who", "runs", "own part p50 s", "p95", "longest", "from the flip p50 s", "p95", "CPU ms each")
    return [
        "## Rollback",
        "",
        *_words(
            f"Canaries at 50 %, looked at every {rows[0]['interval']} s, all bad from one instant on,",
            f"{rows[0].get('steady', 0)} s after the last of them was exposed.",
            "The own part is what lies between the metric source's last answer and the route's write; the rest is",
            "the schedule. Rivals give up at the first answer that is bad: Argo Rollouts at once, Flagger at its next",
            "look, ten seconds later, so its own part is a schedule too. Penstock asks for evidence: its first look",
            "may not be enough. The raw client takes the same canaries off anew, each at a moment of its own within an",
            "interval: the status, the route, the status again, as the operator wrote them; it decides nothing, and",
            "nobody deletes pods beside it.",
            _how(about),
        ),
        "",
        *_table(head, shown),
        "",
        *goals,
        "",
        *_words(
            "With 500 at once both cores are busy: 500 rollbacks are 1,000 statuses and 500 routes that the operator",
            "writes, and 500 statuses of routes by the gateway's stand-in. A profile of the API server in those",
            "seconds (once, on 2026-11-28, with 300 canaries, by hand): it had 1.3 of the two cores; 40 % of that went",
            "to writes of a status, more than a third of it for the CRD's own rules, that are asked anew at each;",
            "nearly a quarter to collecting garbage. The operator had half a core.",
        ),
    ]


def _fairness(rows: list[Row], about: Row) -> list[str]:
    shown = []
    for row in rows:
        cells = [f"{quantile(row['seconds'], share):.2f}" for share in (0.5, 0.99)]
        shown.append((f"{row['failing']:,}", *cells, f"{row['tries']:.1f}", f"{row['longest']:.0f}"))
    calm, busy = (quantile(row["seconds"], 0.99) for row in rows)
    edits = len(rows[0]["seconds"])
    head = ("failing beside it", "p50 s", "p99 s", "writes a minute for each that fails", "longest pause between two s")
    return [
        "## Fairness",
        "",
        *_words(
            f"One healthy model is edited {edits} times, one edit after the other, while every request takes 200 ms",
            "more and 5 % are refused with 429 and Retry-After: 1; beside it, a quota refuses Deployments for ever,",
            "and has refused each of them three times before the first edit.",
            _how(about),
        ),
        "",
        *_table(head, shown),
        "",
        f"- p99 in times of p99 alone: {busy / calm:.2f}: {_goal(busy / calm, 2, most=True)}.",
    ]


SECTIONS = {"converge": _converge, "idle": _idle, "life": _life, "rollback": _rollback, "fairness": _fairness}


def curves(known: Mapping[str, Any]) -> dict[str, Curve]:
    """The plots by name: title, what lies across, lines."""
    if "life" not in known:
        return {}
    rows = known["life"]["rows"]
    wall = [(r["made"]["jobs"], 1000 * r["made"]["seconds"] / r["made"]["jobs"]) for r in rows]
    core = [(r["made"]["jobs"], 1000 * r["made"]["cpu"] / r["made"]["jobs"]) for r in rows]
    memory = [(0, rows[0]["made"]["rss_before"]), *((r["made"]["jobs"], r["settled"]) for r in rows)]
    return {
        "speed-each": ("Milliseconds for a model", "models", {"until all is there": wall, "of a core": core}),
        "speed-memory": ("Resident memory, MiB", "models", {"settled": memory}),
    }
