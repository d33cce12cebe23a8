"""One house for all tests here: every test's scenes have namespaces of their own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import ControlPlane
from tests.faults.scene import House, open_house

Play = Callable[[Callable[[House], Awaitable[None]]], None]


@pytest.fixture
def play(control_plane: ControlPlane) -> Play:
    """Runs a story in the house."""

    def told(story: Callable[[House], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with open_house(control_plane) as house:
                await story(house)

        asyncio.run(whole())

    return told
