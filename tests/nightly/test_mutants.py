"""Every planted fault is noticed; the report says by what."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.nightly import mutants

REPORT = mutants.ROOT / "docs" / "reports" / "mutants.md"


def test_every_planted_fault_is_noticed(tmp_path: Path) -> None:
    catches = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(lambda fault: mutants.caught(fault, tmp_path / mutants.slug(fault)), mutants.FAULTS):
            catches.append(one)
            print(f"{one.fault.name}: {one.stories or 'no story'}; {one.tests or 'no test'}", flush=True)
    REPORT.write_text("\n".join(mutants.report(catches)) + "\n")
    assert [one.fault.name for one in catches if not one.stories and not one.tests] == []
