"""The bench, in small: rules that do what they say, alpha kept, and a report that was made from its numbers."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from bench.evidence import bursts, histories, ours, plot, rivals, studies
from bench.evidence.__main__ import STUDIES
from bench.evidence.histories import Arm, History, Traffic
from bench.evidence.outcomes import outcome, upper_bound
from bench.evidence.report import report

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "bench" / "results" / "evidence.json").read_text())
EMPTY = math.nan


def series(mine: list[float], home: list[float] | None = None, requests: int = 100) -> History:
    """One run of which each minute's share is given; NaN is a minute without requests."""
    arms = []
    for values in (mine, home or [0.0] * len(mine)):
        value = np.array([values])
        total = np.where(np.isnan(value), 0, requests)
        arms.append(Arm(np.nan_to_num(value * requests).astype(int), total, value))
    return History(*arms)


def test_alpha_is_kept_in_small() -> None:
    rows = studies.false_rollbacks(60, np.random.default_rng(1))
    assert len(rows) == len(studies.REQUESTS) * len(studies.SHARES) * len(studies.SETS) * len(studies.ALPHAS)
    for alpha, bound in (("5%", 0.05), ("1%", 0.01)):
        assert np.mean([row["rate"] for row in rows if row["alpha"] == alpha]) <= bound


def test_the_fast_spelling_is_the_operators_own() -> None:
    found = studies.agreement(8, np.random.default_rng(2))
    assert found == {"compared": 72, "differ": 0}


def test_a_shift_has_to_be_large_and_sure_as_the_operators_own_functions_see_it() -> None:
    history = histories.latencies(Traffic(50, 0.5), (0.12, 0.1), 12, np.random.default_rng(8))
    looks = ours.shifted(history, 0.12, math.log(20))
    assert [ours.walked(history, run, ("shifted", 0.12), math.log(20)) for run in range(12)] == looks.tolist()
    assert len(set(looks)) > 3


def test_alpha_is_shared_as_the_operator_shares_it() -> None:
    assert ours.odds_of("5%", 1) == pytest.approx(20)
    assert ours.odds_of("1%", 6) == pytest.approx(600)


@pytest.mark.parametrize(
    ("minutes", "failures", "expected"),
    [
        ([0.0] * 5 + [0.05] * 5, 0, 10),
        ([0.05] * 15, 2, 15),
        ([0.05] * 10, 2, math.inf),
        ([0.0, 0.0, 0.0, 0.0, 0.14], 0, math.inf),
        ([EMPTY] * 10, 0, math.inf),
    ],
)
def test_argo_fails_when_more_windows_than_its_limit_are_over(
    minutes: list[float], failures: int, expected: float
) -> None:
    assert rivals.argo(series(minutes), 0.03, failures)[0] == expected


@pytest.mark.parametrize(
    ("minutes", "threshold", "expected"),
    [
        ([0.05, 0.0, 0.05], 2, 3),
        ([0.05, 0.0, 0.0], 2, math.inf),
        ([0.03, 0.03], 1, math.inf),
        ([0.0, EMPTY, EMPTY], 2, 3),
    ],
)
def test_flagger_counts_failed_minutes_and_silence(minutes: list[float], threshold: int, expected: float) -> None:
    assert rivals.flagger(series(minutes), 0.03, threshold)[0] == expected


def test_pipecd_p_value_is_the_exact_one() -> None:
    draw = np.random.default_rng(3)
    mine, home = draw.normal(0.8, 1, (20, 6)), draw.normal(0, 1, (20, 5))
    exact = [
        stats.mannwhitneyu(a, b, alternative="greater", method="exact").pvalue for a, b in zip(mine, home, strict=True)
    ]
    assert rivals._p_value(mine, home) == pytest.approx(exact)


@pytest.mark.parametrize(
    ("mine", "home", "expected"),
    [
        ([0.0] * 5, [0.0] * 5, math.inf),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.0] * 5, 5),
        ([EMPTY] * 5, [EMPTY] * 5, math.inf),
        ([EMPTY] * 5, [0.0] * 5, 5),
    ],
)
def test_pipecd_by_window(mine: list[float], home: list[float], expected: float) -> None:
    assert rivals.pipecd(series(mine, home), 0)[0] == expected


def lower_end(mine: np.ndarray, home: np.ndarray) -> float:
    """Of the 98 % interval, searched for as R's wilcox.test does it."""

    def statistic(shift: float) -> float:
        points = np.concatenate([mine - shift, home])
        ranks = stats.rankdata(points)
        n1, n0 = len(mine), len(home)
        centred = ranks[:n1].sum() - n1 * (n1 + 1) / 2 - n1 * n0 / 2
        ties = (np.unique(points, return_counts=True)[1].astype(float) ** 3).sum() - n1 - n0
        spread = math.sqrt(n1 * n0 / 12 * (n1 + n0 + 1 - ties / ((n1 + n0) * (n1 + n0 - 1))))
        return float((centred - 0.5 * np.sign(centred)) / spread - stats.norm.ppf(0.99))

    return float(optimize.brentq(statistic, mine.min() - home.max() - 1e-3, mine.max() - home.min() + 1e-3))


@pytest.mark.parametrize(("apart", "points"), [(0.5, (15, 12)), (1.2, (15, 12)), (1.5, (6, 5)), (2.5, (6, 5))])
def test_kayenta_says_high_where_the_interval_lies_above_the_tolerated_share(
    apart: float, points: tuple[int, int]
) -> None:
    draw = np.random.default_rng(4)
    mine, home = draw.normal(apart, 1, (20, points[0])), draw.normal(0, 1, (20, points[1]))
    high = rivals._high(mine, home)
    for run in range(20):
        estimate = np.median(mine[run][:, None] - home[run][None, :])
        assert high[run] == (lower_end(mine[run], home[run]) > 0.25 * abs(estimate))


def test_kayenta_passes_silence_and_equal_series() -> None:
    assert not rivals._high(np.full((1, 10), EMPTY), np.zeros((1, 10)))[0]
    assert not rivals._high(np.zeros((1, 10)), np.zeros((1, 10)))[0]


def test_upper_bound_is_clopper_and_pearsons() -> None:
    for count, runs in ((0, 100), (3, 500), (480, 10_000)):
        assert upper_bound(count, runs, 0.99) == pytest.approx(stats.beta.ppf(0.99, count + 1, runs - count))
    assert upper_bound(5, 5, 0.99) == 1.0


def test_a_median_is_over_all_runs_and_none_where_most_were_never_rejected() -> None:
    assert outcome(np.array([1.0, 2.0, math.inf]), 50) == {"runs": 3, "rejected": 0.66667, "median_requests": 100}
    assert outcome(np.array([1.0, math.inf]), 50)["median_requests"] is None


def test_drawn_latencies_have_the_moments_of_a_lognormal() -> None:
    history = histories.latencies(Traffic(400, looks=50), (0.12, 0.1), 40, np.random.default_rng(5))
    for arm, median in ((history.candidate, 0.12), (history.stable, 0.1)):
        assert np.nansum(arm.value * arm.total) / arm.total.sum() == pytest.approx(median * math.exp(0.125), rel=0.01)
        assert arm.bad.sum() / arm.total.sum() == pytest.approx(stats.norm.sf(math.log(0.25 / median) / 0.5), rel=0.05)


@pytest.mark.parametrize("kind", ["bursts", "beta", "all burst"])
def test_bursts_leave_the_mean_as_it_is(kind: str) -> None:
    seen = bursts.simulate(kind, 2, 700, np.random.default_rng(6))
    assert seen.bad.sum() / seen.total.sum() == pytest.approx(bursts.RATE, rel=0.06)
    assert seen.home_bad.sum() / seen.home_total.sum() == pytest.approx(bursts.RATE, rel=0.06)


def test_a_guard_only_takes_rejections_away() -> None:
    found = bursts.guards(bursts.simulate("all burst", 2, 100, np.random.default_rng(7)), 1.0)
    assert all((look >= found["none"]).all() for look in found.values())
    assert (found["leans, or at most 1/8"] <= np.minimum(found["rest leans"], found["look at most 1/8"])).all()


def test_the_committed_numbers_keep_alpha_with_a_margin() -> None:
    assert RESULTS["agreement"]["differ"] == 0
    for row in RESULTS["alpha"]:
        assert row["runs"] >= 10_000
        assert row["bound"] <= float(row["alpha"][:-1]) / 100
    assert all(row["bound"] <= 0.05 for row in RESULTS["shift"])


def test_the_committed_report_was_made_from_the_committed_numbers() -> None:
    reports = ROOT / "docs" / "reports"
    assert set(RESULTS) == {"about", *STUDIES}
    assert (reports / "evidence.md").read_text() == report(RESULTS), "run: make bench"
    assert (reports / "evidence-traffic.svg").read_text() == plot.by_traffic(RESULTS["by_traffic"])
    assert (reports / "evidence-detection.svg").read_text() == plot.detection(RESULTS["comparison"], 50, 3000)


def test_every_rule_was_measured_on_every_scenario() -> None:
    seen = {(row["scenario"], row["requests"], row["rule"]) for row in RESULTS["comparison"]}
    wanted = {(s.name, n, rule) for s in studies.SCENARIOS for n in studies.COMPARED for rule in studies.rules(s)}
    assert seen == wanted
