"""Places: never more inside than were opened, first come first, the urgent first of all, and none is ever lost."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.shell.places import Places
from penstock.shell.texts import Key
from tests.fake import clock


def key(name: str) -> Key:
    return ("ml", name)


async def enter(places: Places, name: str, order: list[str], urgent: bool = False) -> None:
    await places.take(key(name), urgent)
    order.append(name)


def test_first_come_first_and_the_urgent_before_all() -> None:
    async def story() -> list[str]:
        places, order = Places(), list[str]()
        places.open(1)
        await enter(places, "first", order)
        names = ("a", "b", "urgent-a", "c", "urgent-b")
        tasks = [asyncio.create_task(enter(places, name, order, name.startswith("urgent"))) for name in names]
        for _ in range(6):
            await asyncio.sleep(1)
            places.leave(key(order[-1]))
        await asyncio.gather(*tasks)
        return order

    assert clock.run(story()) == ["first", "urgent-a", "urgent-b", "a", "b", "c"]


def test_a_place_is_taken_once_and_left_once() -> None:
    async def story() -> None:
        places = Places()
        places.open(1)
        for _ in range(2):
            await places.take(key("a"), urgent=False)
        other = asyncio.create_task(places.take(key("b"), urgent=False))
        await asyncio.sleep(1)
        assert not other.done()
        places.leave(key("a"))
        places.leave(key("a"))
        await other
        third = asyncio.create_task(places.take(key("c"), urgent=False))
        await asyncio.sleep(1)
        assert not third.done(), "who left twice has freed one place"
        third.cancel()

    clock.run(story())


@pytest.mark.parametrize("let_in", [False, True])
def test_who_gives_up_takes_no_place_along(let_in: bool) -> None:
    async def story() -> None:
        places = Places()
        places.open(1)
        await places.take(key("a"), urgent=False)
        waiting = asyncio.create_task(places.take(key("b"), urgent=True))
        await asyncio.sleep(1)
        if let_in:  # and has not run yet
            places.leave(key("a"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        places.leave(key("a"))
        await asyncio.wait_for(places.take(key("c"), urgent=False), 1)

    clock.run(story())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(0, 1000))
def test_never_more_inside_than_were_opened_and_everybody_gets_in(wishes: list[bool], count: int, seed: int) -> None:
    clock.run(_crowd(wishes, count, Random(seed)))


async def _crowd(wishes: list[bool], count: int, random: Random) -> None:
    places, inside = Places(), set[int]()

    async def one(number: int, urgent: bool) -> None:
        await asyncio.sleep(random.random())
        await places.take(key(str(number)), urgent)
        inside.add(number)
        assert len(inside) <= count
        await asyncio.sleep(random.random())
        inside.remove(number)
        places.leave(key(str(number)))

    places.open(count)
    await asyncio.wait_for(asyncio.gather(*(one(*each) for each in enumerate(wishes))), 100)
