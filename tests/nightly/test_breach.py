"""Thirty bad rollouts under load: every one is caught, and from the metrics' answers to weight 0 it takes no time.

Prints what it measured. `python -m bench.breach` measures the same and writes docs/reports/breach.md.
"""

import pytest

from bench.breach import report
from bench.breach.facts import Record
from bench.breach.failures import CLOSED, OWN, failures
from bench.breach.parts import Row, add_up
from bench.breach.run import measure, open_bench
from tests.e2e.conftest import Stage, stage
from tests.e2e.stories.play import Outcome

__all__ = ["stage"]
RUNS, TOGETHER = 30, 3


@pytest.fixture(scope="module")
def measured(stage: Stage) -> tuple[dict[str, Outcome], Record]:
    with open_bench(stage.name) as bench:
        outcomes = measure(bench, RUNS, TOGETHER)
        return outcomes, bench.record()


def test_every_bad_version_is_caught(measured: tuple[dict[str, Outcome], Record]) -> None:
    outcomes, record = measured
    assert len(record.facts) == RUNS, next(outcome.trouble for outcome in outcomes.values() if outcome.trouble)


def test_from_the_answers_to_the_route_takes_no_longer_than_is_promised(
    measured: tuple[dict[str, Outcome], Record],
) -> None:
    rows: list[Row] = [add_up(facts) for facts in measured[1].facts.values()]
    for name, one in report.summary(rows).items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3f} s" for key, value in one.items()))
    assert report.quantile([row.parts.own for row in rows], 0.95) <= report.LIMIT


def test_only_the_bad_models_server_lets_requests_fail(measured: tuple[dict[str, Outcome], Record]) -> None:
    """By an answer of 500, or by closing the connection after it."""
    assert [row for row in failures(measured[1]) if row["cause"] not in (OWN, CLOSED)] == []
