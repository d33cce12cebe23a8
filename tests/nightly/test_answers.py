"""Every answer that an API server may give to a write, to each kind of write: once, and for eight seconds on end."""

import pytest

from tests.faults.answers import LASTING, ONCE, told_for_long, told_once
from tests.faults.conftest import Play, play
from tests.faults.scene import House

__all__ = ["play"]


def test_each_kind_of_write_is_answered_badly_once(play: Play) -> None:
    async def story(house: House) -> None:
        assert await told_once(house, ONCE) == {}

    play(story)


@pytest.mark.parametrize("what", ["update modeldeployments/status", "patch httproutes"])
def test_what_is_refused_for_long_is_not_tried_in_a_hot_loop(play: Play, what: str) -> None:
    async def story(house: House) -> None:
        assert await told_for_long(house, LASTING, what) == {}

    play(story)
