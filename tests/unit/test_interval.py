"""Confidence sequences: the ends are where the mixture says, and they cover the truth at every look."""

import numpy as np
import pytest
from scipy import optimize, special

from penstock.stats.interval import bounds, difference


def ruled_out(p: float, bad: int, total: int, alpha: float) -> float:
    """Log of the mixture likelihood ratio against p, less log 1/alpha; above 0 where p is out."""
    mixture = special.betaln(bad + 0.5, total - bad + 0.5) - special.betaln(0.5, 0.5)
    return float(mixture - special.xlogy(bad, p) - special.xlog1py(total - bad, -p) + np.log(alpha))


@pytest.mark.parametrize(
    ("bad", "total", "alpha"), [(3, 412, 0.05), (1, 2, 0.05), (500, 1000, 0.01), (7, 8, 0.1), (2, 100_000, 0.05)]
)
def test_the_ends_are_where_a_direct_search_finds_them(bad: int, total: int, alpha: float) -> None:
    low, high = bounds(bad, total, alpha)
    seen = bad / total
    assert low == pytest.approx(optimize.brentq(ruled_out, 1e-15, seen, args=(bad, total, alpha), xtol=1e-15))
    assert high == pytest.approx(optimize.brentq(ruled_out, seen, 1 - 1e-12, args=(bad, total, alpha), xtol=1e-15))


def test_one_look_against_the_integral_itself() -> None:
    """The mixture by numeric integration over Beta(1/2, 1/2), with p = sin(t)^2 so that the weight is flat in t."""
    bad, total, alpha = 4, 40, 0.05
    angles = (np.arange(200_000) + 0.5) / 200_000 * np.pi / 2
    mean = np.mean(np.exp(bad * np.log(np.sin(angles) ** 2) + (total - bad) * np.log(np.cos(angles) ** 2)))
    for end in bounds(bad, total, alpha):
        assert mean / (end**bad * (1 - end) ** (total - bad)) == pytest.approx(1 / alpha)


@pytest.mark.parametrize(
    ("bad", "total", "expected"), [(0, 0, (0.0, 1.0)), (0, 50, (0.0, None)), (50, 50, (None, 1.0)), (0, 1, (0.0, None))]
)
def test_the_edges(bad: int, total: int, expected: tuple[float | None, float | None]) -> None:
    low, high = bounds(bad, total, 0.05)
    assert 0.0 <= low <= high <= 1.0
    assert expected[0] in (None, low)
    assert expected[1] in (None, high)


def test_it_gets_narrower_with_more_requests_and_with_a_larger_alpha() -> None:
    def width(bad: int, total: int, alpha: float) -> float:
        low, high = bounds(bad, total, alpha)
        return high - low

    assert width(1, 100, 0.05) > width(10, 1000, 0.05) > width(100, 10_000, 0.05)
    assert width(10, 1000, 0.01) > width(10, 1000, 0.05)


def test_the_difference_of_arms_is_bounded_by_both_at_half_the_alpha() -> None:
    mine, home = bounds(9, 200, 0.025), bounds(4, 1800, 0.025)
    assert difference((9, 200), (4, 1800), 0.05) == (mine[0] - home[1], mine[1] - home[0])


def test_nothing_known_of_an_arm_leaves_everything_open() -> None:
    assert difference((0, 0), (0, 0), 0.05) == (-1.0, 1.0)


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
def test_it_covers_the_truth_at_every_look_of_nearly_every_run(rate: float) -> None:
    """Every look counts, not only the last: p is left out iff the mixture against it passes 1/alpha."""
    runs, looks, each = 2000, 60, 50
    bad = np.random.default_rng(21).binomial(each, rate, (runs, looks)).cumsum(axis=1)
    total = each * np.arange(1, looks + 1)
    mixture = special.betaln(bad + 0.5, total - bad + 0.5) - special.betaln(0.5, 0.5)
    out = mixture - bad * np.log(rate) - (total - bad) * np.log1p(-rate) >= np.log(1 / 0.05)
    assert np.mean(out.any(axis=1)) <= 0.05
    for run, look in [(0, 0), (3, 20), (9, 59), *np.argwhere(out)[:5]]:
        low, high = bounds(int(bad[run, look]), int(total[look]), 0.05)
        assert (low <= rate <= high) != out[run, look]


def test_the_difference_covers_the_truth_at_every_look() -> None:
    runs, looks = 60, 40
    draw = np.random.default_rng(22)
    mine = draw.binomial(30, 0.05, (runs, looks)).cumsum(axis=1)
    home = draw.binomial(270, 0.02, (runs, looks)).cumsum(axis=1)
    missed = 0
    for run in range(runs):
        found = [
            difference((int(mine[run, i]), 30 * (i + 1)), (int(home[run, i]), 270 * (i + 1)), 0.05)
            for i in range(looks)
        ]
        missed += any(not low <= 0.03 <= high for low, high in found)
    assert missed / runs <= 0.05
