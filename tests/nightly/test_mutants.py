"""Every planted fault is noticed; the report says by what."""

from pathlib import Path

from tests.nightly import mutants

REPORT = mutants.ROOT / "docs" / "reports" / "mutants.md"


def test_every_planted_fault_is_noticed(tmp_path: Path) -> None:
    catches = []
    for fault in mutants.FAULTS:
        catches.append(mutants.caught(fault, tmp_path))
        print(f"{fault.name}: {catches[-1].stories or 'no story'}; {catches[-1].tests or 'no test'}", flush=True)
    REPORT.write_text("\n".join(mutants.report(catches)) + "\n")
    assert [one.fault.name for one in catches if not one.stories and not one.tests] == []
