"""The simulated autoscaler does what Kubernetes documents; the report is made of the numbers that are there."""

import json

import numpy as np
import pytest

from bench.predictive import curves
from bench.predictive.__main__ import PAGE, RESULTS
from bench.predictive.autoscaler import START, Autoscaler, run, slow
from bench.predictive.curves import DAY, PEAK, STEP
from bench.predictive.judge import floors_of
from bench.predictive.report import report


def after(scaler: Autoscaler, seen: float, seconds: int, begin: int = 0) -> Autoscaler:
    for at in range(begin // STEP, (begin + seconds) // STEP):
        scaler.look(at, seen, 1)
    return scaler


def test_a_tenth_more_than_the_target_is_tolerated() -> None:
    assert after(Autoscaler(count=10), 439, 60).count == 10
    assert after(Autoscaler(count=10), 441, 60).count == 12


def test_up_by_four_or_twice_as_many_each_period() -> None:
    scaler = Autoscaler()
    counts = [after(scaler, 1200, STEP, at * STEP).count for at in range(4)]
    assert counts == [5, 10, 20, 30]


def test_down_when_five_minutes_agree_then_a_tenth_or_one_a_minute() -> None:
    scaler = after(Autoscaler(count=20), 800, 60)
    assert after(scaler, 40, 285, 60).count == 20
    assert after(scaler, 40, 60, 345).count == 18
    assert after(scaler, 40, 60, 405).count == 16


def test_a_pod_serves_after_its_start_and_those_that_start_go_first() -> None:
    scaler = after(Autoscaler(), 160, STEP)
    assert (scaler.count, scaler.ready(1), scaler.ready(START // STEP)) == (4, 1, 4)
    scaler = after(Autoscaler(), 160, STEP)
    scaler._resize(1, 2)
    assert (scaler.count, scaler.ready(2), scaler.ready(START // STEP)) == (2, 1, 2)


def test_more_load_for_each_pod_is_slower() -> None:
    assert slow(50) == pytest.approx(0.01) and slow(60) == pytest.approx(0.1, rel=0.01) and slow(500) == 1.0


def test_a_jump_that_repeats_itself_is_foreseen_and_costs_no_more_than_it_must() -> None:
    weeks = np.full(6 * 7 * DAY, 40.0)
    for day in range(42):
        weeks[day * DAY + DAY // 2 : day * DAY + DAY // 2 + 120] = PEAK
    floors = floors_of(weeks, {})
    noon = 35 * DAY + DAY // 2
    assert floors[noon - 600 // STEP] == 10 and floors[noon - 1800 // STEP] == 1 and floors[noon + 3600 // STEP] == 1
    reacts, foresees = run(weeks, [1] * len(weeks), 28 * DAY), run(weeks, floors, 28 * DAY)
    assert foresees.slow < reacts.slow / 15 and foresees.seconds < reacts.seconds * 1.2


def test_the_curves_have_the_length_they_say() -> None:
    for curve in curves.SYNTHETIC.values():
        assert len(curve(np.random.default_rng(1))) == curves.WEEKS * 7 * DAY


def test_the_report_is_made_of_the_results() -> None:
    assert PAGE.read_text() == report(json.loads(RESULTS.read_text())), "run: python -m bench.predictive --report"
