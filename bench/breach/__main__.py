"""`python -m bench.breach`: plays the rollouts, writes bench/results/breach.json, docs/reports/breach.md and its plot.

The exit status says whether every bad version was caught and our own part was as fast as is promised. The cluster is
brought up where it is not and stays, unless `--down`.
"""

import argparse
import json
import os
import pickle
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.breach import report
from bench.breach.facts import Record
from bench.breach.failures import strange
from bench.breach.run import RATE, measure, open_bench
from cluster import providers
from examples.demo import ROOT, setup
from tests.e2e.stories.canaries import CANARY
from tests.e2e.stories.scene import ANALYSIS

RAW = setup.scratch() / "breach.pickle"
OUT = ROOT / "bench" / "results" / "breach.json"
PAGE = ROOT / "docs" / "reports" / "breach.md"


def main() -> int:
    """0: all caught, in time."""
    said = _parser().parse_args()
    record: Record = pickle.loads(RAW.read_bytes()) if said.again else _played(said)
    found = report.results(record)
    _put(OUT, json.dumps(found, indent=1) + "\n")
    _put(PAGE, report.page(found))
    _put(PAGE.with_suffix(".svg"), report.picture(found))
    for row in strange(found["failed_answers"]):
        print("strange:", json.dumps(row))
    print(PAGE.read_text())
    caught = len(found["runs"]) == found["conditions"]["wished"]
    return 0 if caught and found["seconds"]["own"]["p95"] <= report.LIMIT else 1


def _played(said: argparse.Namespace) -> Record:
    try:
        with open_bench(said.name, said.rate) as bench:
            outcomes = measure(bench, said.runs, said.together)
            record = bench.record(command=" ".join(["python -m bench.breach", *sys.argv[1:]]), **_conditions(said))
    finally:
        if said.down:
            providers.get(said.name).down()
    RAW.write_bytes(pickle.dumps(record))
    for name, outcome in outcomes.items():
        if outcome.trouble:
            print(f"{name}: {outcome.trouble}", file=sys.stderr)
    return record


def _conditions(said: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "cluster": "one node, real pods, Envoy Gateway, Prometheus, MLServer",
        "steps": ", ".join(f"{each['weight']} % for {each['duration']}" for each in CANARY["canary"]["steps"]),
        "interval": ANALYSIS["interval"],
        "scrape": "2s",
        "wished": said.runs,
        "together": said.together,
    }


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.breach", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="bad rollouts (default: %(default)s)")
    parser.add_argument("--together", type=int, default=3, help="at a time (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="requests/s for each (default: %(default)s)")
    parser.add_argument("--name", default=os.environ.get("PENSTOCK_E2E_CLUSTER", "breach"), help="which cluster")
    parser.add_argument("--again", action="store_true", help="add up the last run's records anew, without a cluster")
    parser.add_argument("--down", action="store_true", help="stop the cluster at the end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
