"""When a turn did what: its audit line says all of it, in order, whatever becomes of the wall clock."""

import asyncio
import json
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from penstock.model.faults import Retry
from penstock.shell.course import begin
from penstock.shell.logs import JsonLines
from tests.fake.clock import run
from tests.fake.kube import FakeKube
from tests.sim.machine import START, Nature, Sim, model, settled

MOMENTS = ["asked_at", "answered_at", "decided_at", "recorded_at", "acted_at"]
PACE = {"update_status": 0.03, "apply": 0.05}


class SlowKube(FakeKube):
    """A client whose writes take their time, so that each moment of a turn is another."""

    async def update_status(self, live: Any, status: Any) -> Any:
        await asyncio.sleep(PACE["update_status"])
        return await super().update_status(live, status)

    async def apply(self, manifest: Any, manager: str = "") -> Any:
        await asyncio.sleep(PACE["apply"])
        return await super().apply(manifest, manager)


class SlowSim(Sim):
    """A cluster that is reached by such a client."""

    def connect(self) -> FakeKube:
        return SlowKube(self.store)


async def rejected() -> Sim:
    """v2 failed requests and was taken off."""
    sim = SlowSim({"v2": Nature(error_rate=0.3)})
    sim.apply(model("v1"))
    await sim.run(60)
    sim.apply(model("v2"))
    await sim.run(120)
    assert sim.condition("Ready")["reason"] == "RolledBack"
    return sim


def line_of(caplog: pytest.LogCaptureFixture, reason: str) -> dict[str, Any]:
    """The audit line of a transition, as it is written."""
    found = [r for r in caplog.records if r.name == "penstock.audit" and vars(r)["reason"].startswith(reason)]
    made: dict[str, Any] = json.loads(JsonLines().format(found[-1]))
    return made


@pytest.mark.parametrize("reason", ["ErrorRateAbove", "RolloutStarted", "Promoted"])
def test_an_audit_line_says_when_the_turn_did_what_in_order(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.audit")
    run(rejected())
    line = line_of(caplog, reason)
    assert [name for name in line if name.endswith("_at")] == MOMENTS
    times = [datetime.fromisoformat(line[name]) for name in MOMENTS]
    assert times == sorted(times)
    assert times[3] - times[2] >= timedelta(seconds=PACE["update_status"]), "the status was written in between"


def test_the_line_of_a_rejection_says_how_long_the_write_of_the_route_took(caplog: pytest.LogCaptureFixture) -> None:
    """One write of the status, one of the route, nothing else before traffic is off."""
    caplog.set_level(logging.INFO, "penstock.audit")
    run(rejected())
    line = line_of(caplog, "ErrorRateAbove")
    decided, recorded, acted = (datetime.fromisoformat(line[name]) for name in MOMENTS[2:])
    assert (recorded - decided).total_seconds() == pytest.approx(PACE["update_status"], abs=1e-4)
    assert (acted - recorded).total_seconds() == pytest.approx(PACE["apply"], abs=1e-4)


def test_a_route_that_was_refused_has_no_moment_at_which_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.audit")

    async def story() -> None:
        sim = await settled({"v2": Nature(error_rate=0.3)})
        sim.metrics = broken
        sim.apply(model("v2"))
        await sim.run(42)

    def broken(sim: Sim, question: Any) -> Any:
        sim.kube.fail_next("apply", "HTTPRoute", Retry(1, "down"))
        return sim.count(question)

    run(story())
    line = line_of(caplog, "ErrorRateAbove")
    assert [name for name in line if name.endswith("_at")] == MOMENTS[:4]


def test_the_time_from_the_answers_to_the_route_is_counted_where_traffic_moved_only() -> None:
    async def story() -> None:
        sim = await rejected()
        sample = sim.loop.telemetry.registry.get_sample_value
        moved = sample("penstock_decision_to_route_seconds_count")
        shares = [each for each in sim.history if len(each) > 1 or sum(each.values())]
        assert moved == len(shares) - 1, "each change of the route but its making, which other writes go before"
        spent = sample("penstock_decision_to_route_seconds_sum")
        assert spent and moved and spent >= moved * sum(PACE.values()) - 1e-6

    run(story())


def test_a_clock_that_is_set_back_in_mid_turn_puts_nothing_in_the_wrong_order() -> None:
    async def story() -> None:
        sim = Sim()
        course = begin(sim.now()).then("asked_at")
        sim.jump = timedelta(hours=-1)
        await asyncio.sleep(2)
        course = course.then("answered_at")
        asked, answered = (datetime.fromisoformat(at) for at in course.spelled().values())
        assert asked >= START and (answered - asked).total_seconds() == pytest.approx(2.0)
        assert course.seconds("asked_at", "answered_at") == pytest.approx(2.0)

    run(story())
