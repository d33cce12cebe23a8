"""A server that throttles, and one that does not answer: the same end, and no write comes back too soon.

All answers, and those that last: `tests/nightly/test_answers.py`.
"""

from tests.faults.answers import told_once
from tests.faults.conftest import Play
from tests.faults.proxy import Cut, Say
from tests.faults.scene import House


def test_each_kind_of_write_is_throttled_or_cut_once(play: Play) -> None:
    async def story(house: House) -> None:
        assert await told_once(house, [Say(429, 2), Cut()]) == {}

    play(story)
