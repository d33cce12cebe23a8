"""`python -m bench.speed`: convergence, idleness, memory, restart, rollback and fairness, beside rivals and the wall.

Every run has a control plane of its own: etcd, API server, controllers and pretended nodes on this machine, no
containers. Writes bench/results/speed.json and docs/performance.md; with `--only`, the other questions stay as they
were. A whole run takes about three hours of an otherwise quiet machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.drawing import curve
from bench.speed import converge, fairness, idle, report, restart, rollback, ways
from bench.speed.contestants import AT_REST, PENSTOCK, RIVALS
from bench.speed.rig import ROOT

OUT = ROOT / "bench" / "results" / "speed.json"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "reports"
Row = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """How large and how often."""

    jobs: int
    repeats: int
    quiet: float  # seconds
    so_far: list[Row]  # answers that are there, those of this run included


def _converge(wish: Wish) -> Iterator[Row]:
    """Many jobs at once, until all children exist and statuses are written.

    Whoever takes more than twice our time is asked once: nobody is held against the slowest.
    """
    written = converge.bodies()
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[], Row]] = {report.RAW: lambda: converge.raw(wish.jobs, written, Path(folder))}
        ways |= {who.name: lambda who=who: converge.measure(who, wish.jobs) for who in (PENSTOCK, *RIVALS)}
        for number in range(sum(row["who"] == report.OURS for row in wish.so_far), wish.repeats):
            for name in ways if number % 2 == 0 else reversed(ways):  # A-B-B-A: what drifts hits everybody alike
                if not report.is_slow(name, wish.so_far):
                    yield ways[name]()


def _idle(wish: Wish) -> Iterator[Row]:
    """Settled objects that nobody touches."""
    for who in (PENSTOCK, *AT_REST):
        yield idle.measure(who, wish.jobs, wish.quiet)


def _life(wish: Wish) -> Iterator[Row]:
    """Made, settled, killed, started again; over more and more objects."""
    for share in (0.1, 0.5, 1.0, 2.5, 5.0):
        yield restart.measure(round(wish.jobs * share))


def _rollback(wish: Wish) -> Iterator[Row]:
    """Canaries that turn bad at one instant: half as many as there are jobs, and alone."""
    for jobs in (wish.jobs // 2, 1):
        for _ in range(wish.repeats if jobs == 1 else 1):
            for way in (ways.OUR_WAY, *ways.THEIR_WAYS):
                yield from rollback.measure(way, jobs)


def _fairness(wish: Wish) -> Iterator[Row]:
    """One healthy object: alone, and among many that fail for ever, on a slow API server that sometimes refuses."""
    for failing in (0, wish.jobs // 2):
        yield fairness.measure(failing, 200)


QUESTIONS: dict[str, Callable[[Wish], Iterator[Row]]] = {
    "converge": _converge,
    "idle": _idle,
    "life": _life,
    "rollback": _rollback,
    "fairness": _fairness,
}


def main() -> None:
    """Each question in turn; what has an answer is written at once."""
    said = _parser().parse_args()
    known: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    now = _code()
    for name in [] if said.report else said.only or list(QUESTIONS):
        rows = list(known[name]["rows"]) if said.more else []
        former = known[name]["about"] if said.more else {}
        code = ", ".join(each for each in (former.get("code"), now) if each)
        wish, loads = Wish(said.jobs, said.repeats, said.seconds, rows), [os.getloadavg()[0]]
        for row in QUESTIONS[name](wish):
            rows.append(row)
            loads.append(os.getloadavg()[0])
            print(f"{time.strftime('%H:%M:%S')} {name}: {report.line(row)}", flush=True)
            known[name] = {"about": former | _conditions(wish, loads) | {"code": code}, "rows": rows}
            _keep(known)
        _write(known)
    if said.report:
        _write(known)


def _code() -> str:
    """The commit, before any result changes a file; empty where there is no Git."""
    asked = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(asked, check=False, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _conditions(wish: Wish, loads: list[float]) -> Row:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "load": [round(loads[0], 1), round(max(loads), 1)],
        "jobs": wish.jobs,
    }


def _keep(known: dict[str, Any]) -> None:
    """After each run: who is interrupted loses none."""
    OUT.write_text(json.dumps({each: known[each] for each in QUESTIONS if each in known}, indent=1) + "\n")


def _write(known: dict[str, Any]) -> None:
    PAGE.write_text(report.page(known))
    for name, (title, across, lines) in report.curves(known).items():
        (PLOTS / f"{name}.svg").write_text(curve(title, across, lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="models at once (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of each contestant (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=600.0, help="of quiet (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=list(QUESTIONS), help="these questions; may be repeated")
    parser.add_argument("--more", action="store_true", help="add to the answers that are there; for converge")
    parser.add_argument("--report", action="store_true", help="no run: the page anew from the numbers that are there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
