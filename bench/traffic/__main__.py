"""`python -m bench.traffic`: shares as clients see them, and what is lost when something happens, on a real cluster.

Writes bench/results/traffic.json and docs/reports/traffic.md; with `--only`, the other cases stay as they were. The
exit status says whether nothing was lost that could have been saved and every share was as wanted. The cluster is
brought up where it is not and stays.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench.traffic import report
from bench.traffic.cases import CASES, Wish
from bench.traffic.run import measure, open_bench
from examples.demo import ROOT

OUT = ROOT / "bench" / "results" / "traffic.json"
PAGE = ROOT / "docs" / "reports" / "traffic.md"


def main() -> int:
    """0: all as wanted."""
    said = _parser().parse_args()
    names = said.only or list(CASES)
    known: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    with open_bench(said.cluster) as bench:
        for number, name in enumerate(names, 1):
            told = (CASES[name].__doc__ or "").strip()
            print(f"{time.strftime('%H:%M:%S')} {number} of {len(names)}: {name}: {told}", flush=True)
            before = os.getloadavg()[1]
            case = measure(bench, name, Wish(said.requests, said.rate))
            known[name] = report.results(case, _conditions(said, (before, os.getloadavg()[1])))
            print("\n".join(report.said(known[name])), flush=True)
            _write({each: known[each] for each in CASES if each in known})
    bad = [name for name in names if not report.holds(known[name])]
    print(f"NOT as wanted: {', '.join(bad)}" if bad else "all as wanted")
    return 1 if bad else 0


def _write(cases: dict[str, Any]) -> None:
    for path, text in ((OUT, json.dumps(cases, indent=1) + "\n"), (PAGE, report.page(cases))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _conditions(said: argparse.Namespace, load: tuple[float, float]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "load": [round(each, 1) for each in load],
        "rate": said.rate,
        "wished": said.requests,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.traffic", description=__doc__)
    parser.add_argument(
        "--cluster", default=os.environ.get("PENSTOCK_E2E_CLUSTER", "traffic"), help="which (default: %(default)s)"
    )
    parser.add_argument("--requests", type=int, default=10_000, help="for each row (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=150.0, help="requests/s (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=list(CASES), help="these cases; may be repeated")
    return parser


if __name__ == "__main__":
    sys.exit(main())
