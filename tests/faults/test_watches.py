"""Watches that lose their past, and a process that begins with the lists of yesterday: the same end, nothing unsafe.

All that watches may do: `tests/nightly/test_watches.py`.
"""

from tests.faults.conftest import Play
from tests.faults.scene import House
from tests.faults.watches import told


def test_watches_of_the_past_lead_to_the_same_end(play: Play) -> None:
    async def story(house: House) -> None:
        assert await told(house, ["expired", "yesterday"]) == {}

    play(story)
