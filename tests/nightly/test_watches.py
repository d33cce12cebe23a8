"""Watches that tell late, twice, crosswise, in part, or that the past is forgotten; lists of yesterday."""

from tests.faults.conftest import Play, play
from tests.faults.scene import House
from tests.faults.watches import STORIES, told

__all__ = ["play"]


def test_whatever_the_watches_tell_the_end_is_the_same(play: Play) -> None:
    async def story(house: House) -> None:
        assert await told(house, STORIES) == {}

    play(story)
