"""`python3 -m examples.demo`: from nothing to a told story; the exit status says whether all of it happened."""

import argparse
import os
import sys
from pathlib import Path

from cluster import providers
from cluster.paths import DEFAULT_NAME
from examples.demo import ROOT, DemoError
from examples.demo.run import Wish, run
from examples.demo.verdict import passed


def main() -> int:
    """0: all of it happened. 1: something did not, or something is missing; the last lines say what."""
    said = _parser().parse_args()
    drawing = ROOT / "docs" / "rollback.svg" if said.record else None
    wish = Wish(said.name, bool(os.environ.get("DEMO_FAST")), said.rate, said.record, drawing, said.keep)
    try:
        good = passed(run(wish).findings)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        good = False
    except KeyboardInterrupt:
        print("demo: interrupted; the next run starts from a fresh namespace", file=sys.stderr)
        good = False
    if said.down:
        providers.get(said.name).down()
    return 0 if good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m examples.demo", description=__doc__)
    parser.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second (default: %(default)s)")
    parser.add_argument("--record", type=Path, help="write the plain output to this file, and docs/rollback.svg")
    parser.add_argument("--keep", action="store_true", help="leave the namespace as it is at the end")
    parser.add_argument("--down", action="store_true", help="stop the cluster at the end")
    parser.epilog = "DEMO_FAST=1 shortens durations; no part is left out."
    return parser


if __name__ == "__main__":
    sys.exit(main())
