"""The sequential tests: exact where arithmetic is exact, and true to their promise over many simulated rollouts."""

import math
import random

import pytest
from scipy import stats

from penstock.stats.sequential import RATIOS, log_odds, odds, one_arm_sums, ratio_sums, two_arm_sums


def rollout(rates: tuple[float, float], totals: tuple[int, int], looks: int, rng: random.Random) -> float:
    """Highest odds that a rollout ever shows."""
    sums: list[float] = []
    top = 0.0
    for _ in range(looks):
        bad = [sum(rng.random() < p for _ in range(n)) for p, n in zip(rates, totals, strict=True)]
        sums = two_arm_sums(sums, (bad[0], totals[0]), (bad[1], totals[1]), 1.25)
        top = max(top, odds(sums))
    return top


def test_one_look_of_the_two_arm_test_is_the_likelihood_ratio_of_a_binomial() -> None:
    (c1, n1), (c0, n0) = (7, 100), (3, 900)
    sums = two_arm_sums([], (c1, n1), (c0, n0), 1.25)
    for value, ratio in zip(sums, RATIOS, strict=True):
        q = [t * n1 / (t * n1 + n0) for t in (1.25, 1.25 * ratio)]
        exact = stats.binom.logpmf(c1, c1 + c0, q[1]) - stats.binom.logpmf(c1, c1 + c0, q[0])
        assert value == pytest.approx(exact)


def test_the_one_arm_test_is_the_likelihood_ratio_of_a_binomial() -> None:
    sums = one_arm_sums(9, 200, 0.01)
    exact = stats.binom.logpmf(9, 200, 0.02) - stats.binom.logpmf(9, 200, 0.01)
    assert sums[RATIOS.index(2.0)] == pytest.approx(exact)


@pytest.mark.parametrize(("stable_rate", "tolerance"), [(0.4, 1.25), (0.1, 1.0), (0.02, 1.5), (0.66, 1.5)])
def test_one_look_multiplies_the_odds_by_one_at_most_on_average(stable_rate: float, tolerance: float) -> None:
    """Exact: every outcome of 8 and 20 binomial events, where the candidate is just as bad as is tolerated."""
    mean = sum(
        float(stats.binom.pmf(c1, 8, tolerance * stable_rate) * stats.binom.pmf(c0, 20, stable_rate))
        * odds(two_arm_sums([], (c1, 8), (c0, 20), tolerance))
        for c1 in range(9)
        for c0 in range(21)
    )
    assert mean <= 1.0 + 1e-12


def test_a_coarse_grid_gives_the_sums_of_its_own_ratios() -> None:
    look = ((7, 100), (3, 900))
    fine, coarse = two_arm_sums([], *look, 1.25), ratio_sums((2.0, 10.0), [], look, 1.25)
    assert coarse == [fine[RATIOS.index(2.0)], fine[RATIOS.index(10.0)]]
    assert ratio_sums((2.0, 10.0), coarse, look, 1.25) == pytest.approx([2 * s for s in coarse])


@pytest.mark.parametrize(
    ("sums", "expected"),
    [([], 0.0), ([-2000.0, -3000.0], -2000.0 - math.log(2)), ([900.0, 0.0], 700.0), ([1.0, 1.0], 1.0)],
)
def test_log_odds_neither_overflow_nor_vanish(sums: list[float], expected: float) -> None:
    assert log_odds(sums) == pytest.approx(expected)


def test_evidence_adds_up_over_looks() -> None:
    once = two_arm_sums([], (4, 100), (2, 300), 1.25)
    twice = two_arm_sums(two_arm_sums([], (1, 50), (2, 150), 1.25), (3, 50), (0, 150), 1.25)
    assert twice == pytest.approx(once)


@pytest.mark.parametrize(("candidate", "stable"), [((0, 0), (3, 50)), ((3, 50), (0, 0)), ((0, 50), (0, 50))])
def test_a_look_without_information_moves_nothing(candidate: tuple[int, int], stable: tuple[int, int]) -> None:
    assert odds(two_arm_sums([], candidate, stable, 1.25)) == 1.0


def test_no_evidence_is_even_odds() -> None:
    assert odds([]) == 1.0


@pytest.mark.parametrize(("bad", "limit", "expected"), [(0, 0.0, 1.0), (1, 0.0, math.exp(700)), (5, 1.0, 1.0)])
def test_limits_at_the_edge(bad: int, limit: float, expected: float) -> None:
    assert odds(one_arm_sums(bad, 10, limit)) == pytest.approx(expected)


def test_an_equal_candidate_is_almost_never_rejected_over_all_looks() -> None:
    rng = random.Random(11)
    rejected = sum(rollout((0.02, 0.02), (50, 450), 40, rng) >= 20 for _ in range(300))
    assert rejected / 300 <= 0.05


def test_a_candidate_five_times_worse_is_caught() -> None:
    rng = random.Random(12)
    caught = sum(rollout((0.05, 0.01), (50, 450), 40, rng) >= 20 for _ in range(100))
    assert caught >= 95
