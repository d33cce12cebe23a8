"""The faults that are planted at night still have a place to be planted in: code moves, and they would be left out."""

import pytest

from tests.nightly import mutants


@pytest.mark.parametrize("fault", mutants.FAULTS, ids=[fault.name for fault in mutants.FAULTS])
def test_the_text_that_a_fault_replaces_is_there_once(fault: mutants.Fault) -> None:
    text = (mutants.ROOT / "operator" / "penstock" / fault.file).read_text()
    assert text.count(fault.old) == 1
    assert fault.new != fault.old
