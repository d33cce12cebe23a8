"""Judge all curves and write the report: `python -m bench.predictive --counts FILE`; some minutes.

The file holds recorded hourly counts, one in each line, from a Monday on. Those of the report are not part of this
repository; they come with R's package latticeExtra: `writeLines(as.character(latticeExtra::biocAccess$counts))`.
Without a file only the synthetic curves are run, and nothing is written. `--report` runs nothing and writes the report
anew from the numbers that are there.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.predictive import curves
from bench.predictive.judge import judge
from bench.predictive.report import report

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "predictive.json"
PAGE = ROOT / "docs" / "reports" / "predictive.md"
COMMAND = "python -m bench.predictive"
SEED = 7


def measure(counts: Path | None) -> dict[str, Any]:
    """All results; each curve has its own stream of the one seed, so that none changes another."""
    made = {**({"recorded": lambda _: curves.recorded(counts)} if counts else {}), **curves.SYNTHETIC}
    streams = np.random.SeedSequence(SEED).spawn(len(made))
    rows = []
    for (name, curve), stream in zip(made.items(), streams, strict=True):
        luck = np.random.default_rng(stream)
        rows += judge(name, curve(luck), luck)
    return {"about": {"command": COMMAND, "seed": SEED}, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--counts", type=Path, help="file with recorded hourly counts")
    parser.add_argument("--report", action="store_true", help="no run: the report anew from the numbers that are there")
    chosen = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if chosen.report else measure(chosen.counts)
    if not chosen.counts and not chosen.report:
        print(report(results))
        return
    rows = ",\n".join(f"  {json.dumps(row)}" for row in results["rows"])
    RESULTS.write_text(f'{{\n"about": {json.dumps(results["about"])},\n"rows": [\n{rows}\n]\n}}\n')
    PAGE.write_text(report(results))


if __name__ == "__main__":
    main()
