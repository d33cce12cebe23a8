"""Shares as k of n pods: the nearest that can be had, by a table, and by laws against all that there is to choose."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.values import Pod
from penstock.routing import rotation
from penstock.routing.rotation import Pair, There

some = st.integers(1, 14)
weights = st.integers(1, 99)
theres = st.builds(There, some, some, st.integers(1, 30))


@pytest.mark.parametrize(
    ("weight", "there", "pair", "percent"),
    [
        (5, There(20, 1, 20), Pair(19, 1), 5),
        (25, There(4, 1, 4), Pair(3, 1), 25),
        (50, There(3, 2, 3), Pair(2, 2), 50),  # not two pods: three must serve
        (50, There(10, 10, 10), Pair(10, 10), 50),  # of equals the one that leaves nobody idle
        (5, There(2, 1, 2), Pair(2, 1), 33),
        (58, There(2, 2, 2), Pair(2, 2), 50),  # 50 and 67: the nearer
        (75, There(1, 1, 1), Pair(1, 1), 50),
        (10, There(9, 1, 10), Pair(9, 1), 10),
        (10, There(4, 1, 10), Pair(4, 1), 20),  # home has lost pods: all that there are must serve
        (1, There(1000, 10, 1000), Pair(990, 10), 1),
        (1, There(1000, 1, 1000), Pair(999, 1), 1),  # 0.1 %, and not nothing
    ],
)
def test_the_nearest_share_is_chosen(weight: int, there: There, pair: Pair, percent: int) -> None:
    found = rotation.nearest(weight, there)
    assert (found, found.percent) == (pair, percent)


@given(weights, theres)
def test_no_other_choice_of_pods_is_nearer(weight: int, there: There) -> None:
    found = rotation.nearest(weight, there)
    every = [
        Pair(home, mine)
        for home in range(1, there.home + 1)
        for mine in range(1, there.mine + 1)
        if home + mine >= min(there.full, there.home + there.mine)
    ]
    assert found in every, "within the bounds, never fewer than must serve, both sides there"
    assert abs(found.share - weight) == min(abs(pair.share - weight) for pair in every)


@given(weights, theres)
def test_what_was_had_is_had_again(weight: int, there: There) -> None:
    """The plan keeps whole percents: asked for again by them, the same pods give the same."""
    had = rotation.nearest(weight, there).percent
    assert rotation.nearest(had, there).percent == had


@given(weights, st.integers(1, 9))
def test_a_weight_is_exact_where_a_whole_number_of_pods_gives_it(weight: int, times: int) -> None:
    full = rotation.pods_for(weight) * times
    assert rotation.nearest(weight, There(full, -(-weight * full // 100), full)).share == weight


@given(weights, theres)
def test_what_is_at_hand_can_be_had(weight: int, there: There) -> None:
    for percent in rotation.at_hand(weight, there):
        assert 0 < percent < 100
        assert rotation.nearest(percent, there).percent == percent
    assert rotation.nearest(weight, there).percent in rotation.at_hand(weight, there)


@pytest.mark.parametrize(
    ("weight", "there", "percents"),
    [(5, There(2, 1, 2), [33, 50]), (5, There(1, 1, 1), [50]), (30, There(11, 4, 11), [29, 31])],
)
def test_people_are_told_what_is_at_hand(weight: int, there: There, percents: list[int]) -> None:
    assert rotation.at_hand(weight, there) == percents


def pods(revision: str, serving: int, **more: bool) -> list[Pod]:
    said = {"ready": True, "rotated": True} | more
    return [Pod(f"{revision}-{n}", f"{revision}-{n}", revision, **said) for n in range(serving)]


def test_only_pods_that_serve_are_counted() -> None:
    idle = [*pods("b", 3, ready=False), *pods("b", 3, rotated=False), *pods("b", 3, going=True)]
    assert rotation.seen([*pods("a", 3), *pods("b", 1), *idle]) == {"a": 75, "b": 25}
    assert rotation.seen([*pods("a", 3), *idle]) == {"a": 100}
    assert rotation.seen(idle) == {}


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_shares_that_are_seen_sum_to_100_and_none_is_lost(counts: list[int]) -> None:
    made = rotation.seen([pod for n, count in enumerate(counts) for pod in pods(f"r{n}", count)])
    assert sum(made.values()) == 100 and len(made) == len(counts) and min(made.values()) >= 1
    if len(counts) == 2:
        assert made["r1"] == Pair(*counts).percent
        assert abs(Fraction(made["r1"]) - Pair(*counts).share) < 1
