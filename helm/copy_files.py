"""`python3 helm/copy_files.py`: copies CRDs and ModelRuntimes into the chart, which packs only what lies inside it.

The copies are byte for byte equal to their sources; tests/meta/test_chart.py fails when they are not.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "helm/penstock/files"
SOURCES = {"crds": ROOT / "crds", "runtimes": ROOT / "examples/runtimes"}


def copy() -> None:
    """Make each folder of the chart's files a mirror of its source; what has no source any more goes."""
    for folder, source in SOURCES.items():
        shutil.rmtree(FILES / folder, ignore_errors=True)
        (FILES / folder).mkdir(parents=True)
        for path in sorted(source.glob("*.yaml")):
            shutil.copyfile(path, FILES / folder / path.name)


if __name__ == "__main__":
    copy()
