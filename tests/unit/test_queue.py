"""The queue's promises, on a virtual clock: coalescing, one turn per key, delays, backoff, fairness."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.shell.queue import Key, Queue
from tests.fake import clock

A, B, C = ("ml", "a"), ("ml", "b"), ("ml", "c")


def make_queue(seed: int = 1) -> Queue:
    return Queue(clock.now, Random(seed))


async def get(queue: Queue) -> Key:
    """The next key, once there is one."""
    await queue.wanted()
    return queue.take()


def test_many_changes_before_a_turn_make_one_turn() -> None:
    async def story() -> None:
        queue = make_queue()
        for key in (A, B, A, A):
            queue.add(key)
        assert (queue.depth(), await get(queue), await get(queue), queue.depth()) == (2, A, B, 0)

    clock.run(story())


def test_changes_during_a_turn_make_exactly_one_more_turn_after_it() -> None:
    async def story() -> None:
        queue = make_queue()
        queue.add(A)
        assert await get(queue) == A
        queue.add(A)
        queue.add(A)
        queue.add(B)
        assert await get(queue) == B, "A has a turn already, so it must not get a second one beside it"
        queue.done(A)
        assert await get(queue) == A
        queue.done(A)
        assert queue.depth() == 0

    clock.run(story())


def test_a_waiting_worker_is_woken() -> None:
    async def story() -> None:
        queue = make_queue()
        worker = asyncio.create_task(get(queue))
        await asyncio.sleep(1)
        queue.add(A)
        assert await worker == A

    clock.run(story())


def test_of_several_delays_the_earliest_counts_and_makes_one_turn() -> None:
    async def story() -> None:
        queue = make_queue()
        begin = clock.now()
        for seconds in (30, 10, 20):
            queue.add_after(A, seconds)
        assert queue.next_due() == begin + 10
        assert await get(queue) == A
        assert clock.now() == pytest.approx(begin + 10)
        queue.done(A)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(queue), 60)
        assert queue.next_due() is None

    clock.run(story())


def test_a_delay_that_is_over_is_no_delay() -> None:
    async def story() -> None:
        queue = make_queue()
        queue.add_after(A, 0)
        queue.add_after(B, -5)
        assert [await get(queue), await get(queue)] == [A, B]

    clock.run(story())


def test_a_delayed_key_that_ripens_during_its_turn_waits_for_the_end_of_the_turn() -> None:
    async def story() -> None:
        queue = make_queue()
        queue.add(A)
        await get(queue)
        queue.add_after(A, 1)
        await asyncio.sleep(5)
        waiting = asyncio.create_task(get(queue))
        await asyncio.sleep(5)
        assert not waiting.done()
        queue.done(A)
        assert await waiting == A

    clock.run(story())


def test_retries_back_off_per_key_from_half_a_second_to_five_minutes() -> None:
    async def story() -> None:
        queue = make_queue()
        delays = [queue.retry(A) for _ in range(40)]
        assert 0.5 <= delays[0] <= 0.75 and 1 <= delays[1] <= 1.5 and 2 <= delays[2] <= 3
        assert all(200 <= delay <= 300 for delay in delays[12:])
        assert len({round(delay, 6) for delay in delays[12:]}) > 20, "keys that failed together must come back apart"
        assert queue.retry(B) <= 0.75, "another key's failures are not ours"
        queue.forget(A)
        assert queue.retry(A) <= 0.75
        assert queue.retry(C, at_least=42) == 42

    clock.run(story())


def test_who_is_asked_to_wait_waits_as_long_as_asked_however_often() -> None:
    async def story() -> None:
        queue = make_queue()
        assert [queue.hold(A, 2.0) for _ in range(20)] == [2.0] * 20
        assert queue.retry(A) <= 0.75, "a server that has much to do is no fault of the key's"

    clock.run(story())


@pytest.mark.parametrize("when", ["during the turn", "after it"])
def test_nothing_makes_a_turn_sooner_than_the_server_has_asked_for(when: str) -> None:
    async def story() -> None:
        queue, begin = make_queue(), clock.now()
        queue.add(A)
        assert await get(queue) == A
        if when == "during the turn":
            queue.add(A)
        queue.hold(A, 7.0)
        queue.done(A)
        if when == "after it":
            queue.add(A)
            queue.add_after(A, 1.0)
        queue.add(B)
        assert await get(queue) == B, "others do not wait"
        assert await get(queue) == A
        assert clock.now() - begin == pytest.approx(7.0)
        queue.done(A)
        queue.add(A)
        assert await get(queue) == A
        assert clock.now() - begin == pytest.approx(7.0), "it waits once"

    clock.run(story())


def test_every_other_turn_is_for_one_that_was_not_refused_however_many_try_again() -> None:
    async def story() -> None:
        queue = make_queue()
        failing = [("ml", f"failing-{number}") for number in range(10)]
        for key in failing:
            queue.refuse(key)
        await asyncio.sleep(10)
        for key in (A, failing[9], B):  # who was refused and is edited is not behind the others either
            queue.add(key)
        queue.add(C)
        order = [await get(queue) for _ in range(13)]
        assert [order.index(key) for key in (A, B, C)] == [0, 2, 4]
        assert sorted(order) == sorted([A, B, C, *failing])

    clock.run(story())


def test_who_was_refused_and_then_was_not_waits_with_all_others() -> None:
    async def story() -> None:
        queue = make_queue()
        for key in (A, B):
            queue.refuse(key)
        queue.forget(B)
        await asyncio.sleep(10)
        assert [await get(queue) for _ in range(2)] == [B, A]

    clock.run(story())


def test_a_cancelled_waiting_worker_takes_no_key() -> None:
    async def story() -> None:
        queue = make_queue()
        worker = asyncio.create_task(get(queue))
        await asyncio.sleep(0)
        worker.cancel()
        await asyncio.sleep(0)
        queue.add(A)
        assert (queue.busy(), queue.depth(), await get(queue)) == (0, 1, A)

    clock.run(story())


def test_the_age_is_that_of_the_longest_waiting_key() -> None:
    async def story() -> None:
        queue = make_queue()
        assert queue.oldest() == 0
        queue.add(A)
        await asyncio.sleep(3)
        queue.add(B)
        queue.add(A)  # asking again does not make it younger
        assert queue.oldest() == pytest.approx(3)
        await get(queue)
        assert queue.oldest() == 0

    clock.run(story())


Action = tuple[str, Key, float]
KINDS = ["add", "after", "retry", "refuse", "sleep"]
ACTIONS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from([A, B, C]), st.floats(0.1, 5)),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.integers(0, 1000))
def test_no_wish_is_lost_and_no_key_has_two_turns_at_once(actions: list[Action], seed: int) -> None:
    """Whatever is asked when: after the last wish of a key a turn begins, and never two side by side."""
    clock.run(_live_through(actions, seed))


async def _live_through(actions: list[Action], seed: int) -> None:
    queue, random = make_queue(seed=seed), Random(seed)
    running: set[Key] = set()
    began: dict[Key, float] = {}
    wished: dict[Key, float] = {}

    async def work() -> None:
        while True:
            key = await get(queue)
            assert key not in running
            running.add(key)
            began[key] = clock.now()
            await asyncio.sleep(random.random())
            running.remove(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(3)]
    for kind, key, seconds in actions:
        if kind == "sleep":
            await asyncio.sleep(seconds)
            continue
        wished[key] = clock.now()
        if kind == "add":
            queue.add(key)
        elif kind == "after":
            queue.add_after(key, seconds)
        else:
            (queue.refuse if kind == "refuse" else queue.retry)(key)
    await asyncio.sleep(2000)
    assert not any(worker.done() for worker in workers)
    assert all(began[key] >= wish for key, wish in wished.items())
    assert (queue.depth(), queue.busy(), queue.next_due()) == (0, 0, None)
    for worker in workers:
        worker.cancel()
    queue.close()
