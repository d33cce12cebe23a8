"""Every case of `python -m bench.traffic`, small: what the status says is what clients get, whatever happens.

The bench asks ten thousand requests for each row and writes docs/reports/traffic.md; this asks a thousand.
"""

from collections.abc import Iterator

import pytest

from bench.traffic import report
from bench.traffic.cases import CASES, Wish
from bench.traffic.run import Bench, measure, open_bench
from tests.e2e.conftest import Stage, stage

__all__ = ["stage"]
SMALL = Wish(requests=1000, rate=60.0)


@pytest.fixture(scope="module")
def bench(stage: Stage) -> Iterator[Bench]:
    with open_bench(stage.name) as opened:
        yield opened


@pytest.mark.parametrize("name", CASES)
def test_clients_get_what_the_status_says(bench: Bench, name: str) -> None:
    case = report.results(measure(bench, name, SMALL), {})
    print("\n".join([name, *report.said(case)]))
    assert report.holds(case), report.said(case)
