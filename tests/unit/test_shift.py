"""Distribution shift: the index and its noise, and odds that keep their promise at every look."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from penstock.stats.shift import psi, psi_noise, shift_odds

FLAT = (0.25, 0.25, 0.25, 0.25)
SKEWED = (0.6, 0.25, 0.1, 0.04, 0.01)
WORSE = (0.5, 0.27, 0.13, 0.07, 0.03)


def highest(shares: tuple[tuple[float, ...], tuple[float, ...]], looks: int, rng: np.random.Generator) -> float:
    """Highest log odds that a rollout with 50 and 150 requests a look ever shows."""
    before = np.zeros((2, len(shares[0])), dtype=int)
    value = top = 0.0
    for _ in range(looks):
        look = np.array([rng.multinomial(n, p) for n, p in zip((50, 150), shares, strict=True)])
        value += shift_odds((before[0].tolist(), before[1].tolist()), (look[0].tolist(), look[1].tolist()))
        before += look
        top = max(top, value)
    return top


def test_the_index_by_hand() -> None:
    p, q = 10.5 / 31, 20.5 / 31
    assert psi([10, 20], [20, 10]) == pytest.approx(2 * (q - p) * math.log(q / p))


def test_the_index_is_both_divergences_together() -> None:
    mine, home = np.array([5, 80, 12]), np.array([60, 700, 40])
    p, q = (mine + 0.5) / (mine.sum() + 1.5), (home + 0.5) / (home.sum() + 1.5)
    assert psi(mine.tolist(), home.tolist()) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


def test_the_same_shares_are_no_shift_and_an_empty_bucket_is_no_error() -> None:
    assert psi([7, 0, 7], [7, 0, 7]) == 0.0
    assert math.isfinite(psi([9, 0], [0, 9]))


@pytest.mark.parametrize(("n1", "n0", "shares"), [(200, 200, FLAT), (150, 1350, FLAT), (2000, 18_000, SKEWED)])
def test_the_noise_is_what_a_simulation_shows(n1: int, n0: int, shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(31)
    seen = [psi(rng.multinomial(n1, shares).tolist(), rng.multinomial(n0, shares).tolist()) for _ in range(3000)]
    mean, deviation = psi_noise(n1, n0, len(shares))
    assert mean == pytest.approx(np.mean(seen), rel=0.08)
    assert deviation == pytest.approx(np.std(seen), rel=0.12)


def test_an_empty_arm_is_all_noise() -> None:
    assert psi_noise(0, 100, 5) == (math.inf, math.inf)


@pytest.mark.parametrize("before", [((0, 0, 0), (0, 0, 0)), ((9, 4, 1), (20, 30, 50)), ((1, 0, 0), (0, 0, 9))])
@pytest.mark.parametrize("shares", [(0.2, 0.3, 0.5), (0.05, 0.05, 0.9)])
def test_one_look_multiplies_the_odds_by_one_at_most_on_average(
    before: tuple[tuple[int, ...], tuple[int, ...]], shares: tuple[float, ...]
) -> None:
    """Exact: every outcome of 2 and 3 events under a common distribution."""

    def outcomes(n: int) -> list[tuple[int, ...]]:
        return [c for c in product(range(n + 1), repeat=3) if sum(c) == n]

    mean = sum(
        float(stats.multinomial.pmf(a, 2, shares) * stats.multinomial.pmf(b, 3, shares))
        * math.exp(shift_odds(before, (a, b)))
        for a in outcomes(2)
        for b in outcomes(3)
    )
    assert mean <= 1.0 + 1e-12


def test_the_first_look_and_a_look_at_one_arm_say_nothing() -> None:
    nothing = ((0, 0), (0, 0))
    assert shift_odds(nothing, ((30, 1), (1, 30))) == 0.0
    assert shift_odds(((30, 1), (1, 30)), ((0, 0), (5, 5))) == 0.0
    assert shift_odds(((30, 1), (1, 30)), ((5, 5), (0, 0))) == 0.0


def test_a_look_is_the_likelihood_ratio_of_guesses_made_before_it() -> None:
    before = ((80, 20), (20, 80))
    # Index 2 * 60/101 * ln(80.5/20.5), noise 1/100 + 1/100: own shares weigh all but 1.2 %.
    own = 1 - 0.02 / (2 * 60 / 101 * math.log(80.5 / 20.5))
    p = own * 80.5 / 101 + (1 - own) * 0.5
    pooled = (10 * p + 30 * (1 - p)) / 40
    expected = (
        7 * math.log(p / pooled)
        + 3 * math.log((1 - p) / (1 - pooled))
        + 9 * math.log((1 - p) / pooled)
        + 21 * math.log(p / (1 - pooled))
    )
    assert shift_odds(before, ((7, 3), (9, 21))) == pytest.approx(expected)


def test_arms_that_are_the_same_are_almost_never_told_apart_over_all_looks() -> None:
    rng = np.random.default_rng(32)
    rejected = sum(highest((SKEWED, SKEWED), 40, rng) >= math.log(20) for _ in range(300))
    assert rejected / 300 <= 0.05


def test_a_shift_is_found() -> None:
    rng = np.random.default_rng(33)
    found = sum(highest((WORSE, SKEWED), 40, rng) >= math.log(20) for _ in range(60))
    assert found >= 57
