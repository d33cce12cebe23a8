"""Telling: every transition has its audit line, whatever becomes of its Event, which is written beside the turns."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from penstock.api.status import Status
from penstock.model.faults import Retry
from penstock.model.values import Notice, Plan, World
from penstock.shell import publish
from penstock.shell.course import begin
from penstock.shell.events import Way
from penstock.shell.publish import Voice
from penstock.shell.telemetry import Telemetry
from tests.fake.clock import run
from tests.fake.kube import FakeKube
from tests.sim.machine import Sim, model, settled
from tests.unit.test_events import STARTED, TAKEN_OFF, at


def events_in(kube: FakeKube) -> list[tuple[str, int]]:
    return [(live["reason"], live.get("series", {}).get("count", 1)) for live in kube.store.list("Event")]


def counted(telemetry: Telemetry) -> dict[str, float]:
    found = telemetry.registry.get_sample_value
    made = {way.value: found("penstock_events_total", {"outcome": way.value}) for way in Way}
    return {way: number for way, number in made.items() if number}


async def say(voice: Voice, *said: tuple[World, Notice]) -> None:
    """Tell of each once the one before is written."""
    working = asyncio.ensure_future(voice.work())
    for world, notice in said:
        voice.tell(world, plan(notice), begin(world.now))
        await voice.all_written()
    working.cancel()


def plan(*notices: Notice) -> Plan:
    return Plan(Status(), notices=notices)


def test_every_transition_has_its_audit_line_whatever_becomes_of_its_event(caplog: Any) -> None:
    caplog.set_level(logging.INFO, "penstock.audit")

    async def story() -> None:
        voice = Voice(kube := FakeKube(), telemetry := Telemetry())
        asked = replace(STARTED, by="alice")
        await say(voice, (at(0), asked), (at(1), asked))
        voice.books["ml", "churn"] = replace(voice.books["ml", "churn"], tokens=0)
        await say(voice, (at(2), STARTED))
        assert events_in(kube) == [("RolloutStarted", 2)]
        assert kube.store.list("Event")[0]["note"] == f"{STARTED.message} (by alice)"
        assert counted(telemetry) == {"new": 1, "repeat": 1, "dropped": 1}
        assert telemetry.registry.get_sample_value("penstock_transitions_total", {"reason": "RolloutStarted"}) == 3

    run(story())
    assert [(line.event, vars(line).get("by")) for line in caplog.records] == [
        ("new", "alice"),
        ("repeat", "alice"),
        ("dropped", None),
    ]
    assert all(line.message == STARTED.message and line.revision == "churn-b" for line in caplog.records)


def test_an_event_that_could_not_be_written_is_written_at_the_next_time() -> None:
    async def story() -> None:
        voice = Voice(kube := FakeKube(), telemetry := Telemetry())
        kube.fail_next("create", "Event", Retry(1, "down"))
        await say(voice, (at(0), STARTED), (at(1), STARTED))
        assert events_in(kube) == [("RolloutStarted", 1)]
        assert counted(telemetry) == {"failed": 1, "new": 1}

    run(story())


def test_a_repeat_that_could_not_be_written_is_in_the_number_of_the_next() -> None:
    async def story() -> None:
        voice = Voice(kube := FakeKube(), telemetry := Telemetry())
        kube.fail_next("patch_series", "Event", Retry(1, "down"))
        await say(voice, *((at(n), STARTED) for n in range(3)))
        assert events_in(kube) == [("RolloutStarted", 3)]
        assert counted(telemetry) == {"failed": 1, "new": 1, "repeat": 1}

    run(story())


def test_a_repeat_of_an_event_that_has_expired_is_a_new_event() -> None:
    async def story() -> None:
        voice = Voice(kube := FakeKube(), Telemetry())
        await say(voice, (at(0), STARTED))
        for live in kube.store.list("Event"):
            kube.store.delete("Event", "ml", live["metadata"]["name"])
        await say(voice, (at(1), STARTED), (at(2), STARTED))
        assert events_in(kube) == [("RolloutStarted", 2)]

    run(story())


def test_warnings_are_written_first_and_a_series_in_its_order() -> None:
    async def story() -> None:
        voice = Voice(kube := FakeKube(), Telemetry())
        for seconds, notice in enumerate((STARTED, STARTED, TAKEN_OFF)):
            voice.tell(at(seconds), plan(notice), begin(at(seconds).now))
        await say(voice, (at(3), STARTED))
        written = [live for _, live in kube.store.history]
        assert [(live["reason"], live.get("series", {}).get("count", 1)) for live in written] == [
            ("ErrorRateAboveLimit", 1),
            ("RolloutStarted", 1),
            ("RolloutStarted", 2),
            ("RolloutStarted", 3),
        ]

    run(story())


def test_no_turn_waits_for_an_event() -> None:
    async def story() -> None:
        sim = await settled()
        written = sim.kube.create
        let_go = asyncio.Event()

        async def late(manifest: Any) -> Any:
            await let_go.wait()
            return await written(manifest)

        sim.kube.create = late  # type: ignore[method-assign]
        before = sim.reasons()
        sim.apply(model("v2"))
        await sim.run(600)
        assert sim.version_of(sim.status["stable"]["revision"]) == "v2" and sim.reasons() == before
        let_go.set()
        await sim.run(1)
        assert sim.reasons()[len(before) :] == ["RolloutStarted", *["StepEntered"] * 3, "Promoted"]

    run(story())


def test_events_that_cannot_be_written_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MOST", 2)

    async def story() -> None:
        voice = Voice(kube := FakeKube(), telemetry := Telemetry())
        for number in range(5):
            said = replace(STARTED, message=f"step {number} of 5")
            voice.tell(at(number), plan(said), begin(at(number).now))
        await say(voice, (at(5), replace(STARTED, message="step 4 of 5")))
        assert len(events_in(kube)) == 2
        await say(voice, (at(6), replace(STARTED, message="step 4 of 5")))
        assert len(events_in(kube)) == 3, "what was dropped is not thought to be there"
        assert counted(telemetry) == {"new": 3, "dropped": 4}

    run(story())


def test_a_spec_that_goes_to_and_fro_leaves_one_event_for_each_thing_it_does() -> None:
    async def story() -> None:
        sim = await settled()
        before = len(sim.store.list("Event"))
        for _ in range(4):
            sim.apply(model("v2"))
            await sim.run(2)
            sim.apply(model("v1"))
            await sim.run(2)
        told = sim.store.list("Event")
        repeated = {live["reason"]: live["series"]["count"] for live in told if "series" in live}
        assert repeated == {"RolloutStarted": 4, "Superseded": 4}
        assert len(told) == before + 2

    run(story())


def test_what_was_said_of_one_is_forgotten_while_others_speak() -> None:
    async def story() -> None:
        voice = Voice(FakeKube(), Telemetry())
        await say(voice, (at(0), STARTED))
        later = replace(at(3600), name="other")
        await say(voice, (later, STARTED))
        assert list(voice.books) == [("ml", "other")]

    run(story())


def test_what_was_said_is_forgotten_with_the_object() -> None:
    async def story() -> None:
        sim: Sim = await settled()
        assert ("ml", "churn") in sim.loop.voice.books
        sim.store.delete("ModelDeployment", "ml", "churn")
        await sim.run(5)
        assert not sim.loop.voice.books

    run(story())
