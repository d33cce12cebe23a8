"""`python -m bench.scaling`: what autoscaling is worth under load, on a real cluster, and what it costs.

Writes bench/results/scaling.json and docs/reports/scaling.md; with `--only`, the other cases stay as they were. The
cluster is brought up where it is not and stays; the case `many` needs none. `by_keda` is measured only where it is
named, as it compiles KEDA first.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench.scaling import keda, report
from bench.scaling.cases import CASES, TOGETHER, Play
from bench.scaling.many import many
from cluster import providers
from examples.demo import ROOT, setup
from tests.e2e.stories.play import open_house, play
from tests.e2e.stories.scene import House, Scene

OUT = ROOT / "bench" / "results" / "scaling.json"
PAGE = ROOT / "docs" / "reports" / "scaling.md"
MANY, KEDA = "many", "by_keda"


def main() -> int:
    """0: nothing was lost, and everything came about."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--cluster", default=os.environ.get("PENSTOCK_E2E_CLUSTER", "scaling"))
    parser.add_argument("--models", type=int, default=1000, help="autoscalers of `many` (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=[*CASES, MANY], help="these cases; may be repeated")
    said = parser.parse_args()
    names = said.only or [name for name in (*CASES, MANY) if name != KEDA]
    known: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    if MANY in names:
        _told(known, MANY, many(said.models, 90.0))
    rest = [name for name in CASES if name in names]
    if rest:
        place = setup.prepare(said.cluster)
        if KEDA in rest:
            providers.get(said.cluster).load(keda.archives())
        with open_house(place) as house:
            for name in rest:
                print(f"{time.strftime('%H:%M:%S')} {name}: {(CASES[name].__doc__ or '').strip()}", flush=True)
                with keda.there(house.kubectl) if name == KEDA else contextlib.nullcontext():
                    _told(known, name, _measure(house, name))
    bad = [name for name in names if not report.holds(known[name])]
    print(f"NOT as wanted: {', '.join(bad)}" if bad else "all as wanted")
    return 1 if bad else 0


def _told(known: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    about = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "load": round(os.getloadavg()[1], 1)}
    about["machine"] = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    known[name] = found | {"about": about}
    print(json.dumps({k: v for k, v in known[name].items() if k not in ("waits", "curve")}), flush=True)
    OUT.write_text(json.dumps(known, indent=1) + "\n")
    PAGE.write_text(report.page(known))


def _measure(house: House, case: str) -> dict[str, Any]:
    """One case, on as many models at a time as it says, under names that no run before had."""
    found: list[dict[str, Any]] = []

    def told(play: Play) -> Any:
        async def story(scene: Scene) -> None:
            found.append(await play(scene))

        return story

    mark = f"{int(time.time()) % 16**4:04x}"
    names = [f"{case.replace('_', '-')}-{mark}-{number}" for number in range(TOGETHER.get(case, 1))]
    outcomes = play(house, {name: told(CASES[case]) for name in names})
    trouble = "\n".join(each.trouble for each in outcomes.values() if each.trouble)
    if case == "wakes" and found:
        found = [report.together(found)]
    return (found[0] if found else {}) | ({"trouble": trouble} if trouble else {})


if __name__ == "__main__":
    sys.exit(main())
