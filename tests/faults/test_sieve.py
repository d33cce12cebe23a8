"""The operator dies as it takes a bad version off, or never hears that it did: the end is that of the undisturbed run.

Every write of every scenario takes most of an hour: `tests/nightly/test_sieve.py`, docs/reports/faults.md.
"""

from tests.faults.conftest import Play
from tests.faults.scene import House
from tests.faults.sieve import FAULTS, sift


def test_a_fault_at_a_write_of_a_rollback_changes_nothing_in_the_end(play: Play) -> None:
    async def story(house: House) -> None:
        found = await sift(house, ["rollback"], slice(15, 16))
        assert len(found) == 1 + len(FAULTS)
        assert [(each.case, each.met, each.wrong) for each in found if each.wrong] == []

    play(story)
