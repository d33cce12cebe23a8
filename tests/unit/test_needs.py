"""What evidence costs: exact where one can count, and near the median of simulated rollouts."""

import numpy as np
import pytest

from penstock.stats.needs import NEVER, requests_to_reject, requests_to_reject_against
from penstock.stats.sequential import RATIOS, log_odds, odds, one_arm_sums


def crossings(sums: np.ndarray) -> float:
    """Median of the first step at which the mixture of sums (run, step, ratio) reaches 20 to 1, in steps."""
    top = sums.max(axis=2, keepdims=True)
    value = top[..., 0] + np.log(np.exp(sums - top).mean(axis=2))
    reached = value >= np.log(20)
    assert reached.any(axis=1).mean() > 0.9
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, np.inf)
    return float(np.median(first))


NEAR = (0.65, 1.1)  # the median of rollouts, in units of the requests that were foretold


@pytest.mark.parametrize(("limit", "bad"), [(0.01, 0.05), (0.001, 0.01), (0.01, 0.02)])
def test_against_an_objective_it_is_near_the_median_of_rollouts(limit: float, bad: float) -> None:
    foretold = requests_to_reject(limit, bad, 20)
    each = foretold // 50
    events = np.random.default_rng(41).binomial(each, bad, (400, 200)).cumsum(axis=1)[..., None]
    total = (each * np.arange(1, 201))[None, :, None]
    rates = np.array([r * limit for r in RATIOS if r * limit < 1])
    sums = events * np.log(rates / limit) + (total - events) * np.log((1 - rates) / (1 - limit))
    assert NEAR[0] < crossings(sums) * each / foretold < NEAR[1]


@pytest.mark.parametrize(("stable", "bad", "home"), [(0.01, 0.05, 9), (0.001, 0.01, 19), (0.01, 0.03, 1)])
def test_against_stable_it_is_near_the_median_of_rollouts(stable: float, bad: float, home: int) -> None:
    foretold = requests_to_reject_against((bad, stable), home, 1.25, 20)
    each = foretold // 50
    draw = np.random.default_rng(42)
    c1 = draw.binomial(each, bad, (400, 200)).cumsum(axis=1)[..., None]
    c0 = draw.binomial(each * home, stable, (400, 200)).cumsum(axis=1)[..., None]
    null, other = (np.array([1.25 * r / (1.25 * r + home) for r in rs]) for rs in ((1.0,) * len(RATIOS), RATIOS))
    sums = c1 * np.log(other / null) + c0 * np.log((1 - other) / (1 - null))
    assert NEAR[0] < crossings(sums) * each / foretold < NEAR[1]


@pytest.mark.parametrize(("limit", "bad", "wanted"), [(0.01, 0.05, 20), (0.001, 0.002, 60), (0.3, 0.9, 100)])
def test_it_is_the_first_number_that_is_enough(limit: float, bad: float, wanted: float) -> None:
    n = requests_to_reject(limit, bad, wanted)
    assert odds(one_arm_sums(n * bad, n, limit)) >= wanted
    assert odds(one_arm_sums((n - 1) * bad, n - 1, limit)) < wanted


@pytest.mark.parametrize(
    ("limit", "bad", "expected"),
    [
        (0.01, 0.01, NEVER),
        (0.01, 0.001, NEVER),
        (1.0, 1.0, NEVER),
        (0.0, 0.0, NEVER),
        (0.0, 0.01, 100),
        (0.0, 1.0, 1),
    ],
)
def test_limits_at_the_edge(limit: float, bad: float, expected: int) -> None:
    assert requests_to_reject(limit, bad, 20) == expected


def test_worse_is_cheaper_and_surer_is_dearer() -> None:
    assert requests_to_reject(0.01, 0.1, 20) < requests_to_reject(0.01, 0.05, 20) < requests_to_reject(0.01, 0.05, 120)


def test_what_is_tolerated_is_never_rejected() -> None:
    assert requests_to_reject_against((0.012, 0.01), 9.0, 1.25, 20) == NEVER
    assert requests_to_reject_against((0.0, 0.0), 9.0, 1.25, 20) == NEVER


def test_a_stable_side_without_failures_makes_it_cheap() -> None:
    assert requests_to_reject_against((0.01, 0.0), 9.0, 1.25, 20) < requests_to_reject_against(
        (0.01, 0.002), 9.0, 1.25, 20
    )


def test_no_odds_are_beyond_reach_of_what_a_float_can_hold() -> None:
    n = requests_to_reject(0.01, 0.5, float("inf"))
    assert n < NEVER
    assert log_odds(one_arm_sums(n * 0.5, n, 0.01)) == 700.0
