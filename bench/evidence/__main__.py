"""Run all studies and write the report: `python -m bench.evidence`; `--quick` runs a twentieth and writes nothing.

`--report` runs nothing and writes the report anew from the numbers that are there.
"""

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.evidence import bursts, plot, studies
from bench.evidence.report import report

ROOT = Path(__file__).parents[2]
RESULTS = Path("bench", "results", "evidence.json")
COMMAND = "python -m bench.evidence"
SEED = 20250
RUNS = {"alpha": 10_000, "shift": 4_000, "comparison": 4_000, "by_traffic": 4_000, "bursts": 4_000, "agreement": 400}
STUDIES = {
    "alpha": studies.false_rollbacks,
    "shift": studies.shifts_by_traffic,
    "comparison": studies.comparison,
    "by_traffic": studies.by_traffic,
    "bursts": bursts.study,
    "agreement": studies.agreement,
}


def measure(share: float) -> dict[str, Any]:
    """All results; each study has its own stream of the one seed, so that none changes another."""
    start = time.monotonic()
    streams = np.random.SeedSequence(SEED).spawn(len(STUDIES))
    results: dict[str, Any] = {}
    for (name, study), stream in zip(STUDIES.items(), streams, strict=True):
        results[name] = study(max(1, round(RUNS[name] * share)), np.random.default_rng(stream))
    about = {
        "command": COMMAND,
        "seed": SEED,
        "seconds": round(time.monotonic() - start),
        "confidence": studies.CONFIDENCE,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return {"about": about, **results}


def write(results: dict[str, Any], root: Path) -> None:
    """The numbers, the words and the drawings."""
    reports = root / "docs" / "reports"
    lines = ",\n".join(f"{json.dumps(key)}: {_rows(value)}" for key, value in results.items())
    (root / RESULTS).write_text(f"{{\n{lines}\n}}\n")
    (reports / "evidence.md").write_text(report(results))
    (reports / "evidence-traffic.svg").write_text(plot.by_traffic(results["by_traffic"]))
    (reports / "evidence-detection.svg").write_text(plot.detection(results["comparison"], 50, 3000))


def _rows(value: Any) -> str:
    """A line for each row, so that a change shows as one."""
    if isinstance(value, list):
        return "[\n" + ",\n".join("  " + json.dumps(row) for row in value) + "\n]"
    return json.dumps(value)


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the runs, printed and not written")
    parser.add_argument("--report", action="store_true", help="no run: the report anew from the numbers that are there")
    chosen = parser.parse_args()
    if chosen.quick:
        print(report(measure(0.05)))
    else:
        write(json.loads((ROOT / RESULTS).read_text()) if chosen.report else measure(1.0), ROOT)


if __name__ == "__main__":
    main()
