"""What holds a rollout and what does not: pauses, freezes, approvals. Nothing goes forward; a return always may."""

from typing import Any

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Sim
from tests.sim.stories import BAKE, STEP, ask, ends, rolling, stable, step, why, wishing

CANARY = {"canary": {"steps": [STEP]}}
# The stories' first clock is 12:16:40 on a Saturday; v1 is settled at 12:17:40.
FREEZE = {"freeze": [{"days": ["Saturday"], "start": "12:18", "duration": "1h", "timeZone": "UTC"}]}
FROZEN = {"freeze": [{"days": ["Saturday"], "start": "12:00", "duration": "1h", "timeZone": "UTC"}]}


def test_a_pause_holds_past_every_deadline_and_ends_when_it_is_taken_away() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=10)
        ask(sim, pause="true")
        await sim.run(1000)
        assert why(sim) == "Paused" and step(sim) == 1 and sim.weights() == {"v1": 50, "v2": 50}
        assert "paused by ann" in sim.condition("Ready")["message"]
        assert "deadlineAt" not in sim.status["candidate"]
        ask(sim, pause="")
        await sim.run(60)
        assert stable(sim) == "v2"
        assert [r for r in sim.reasons() if r in ("Paused", "Resumed")] == ["Paused", "Resumed"]

    run(story())


def test_after_a_pause_the_deadline_counts_anew() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), {"v2": Nature(ready_after=None)}, seconds=10)
        ask(sim, pause="true")
        await sim.run(600)
        assert why(sim) == "Paused"
        ask(sim, pause="")
        await sim.run(150)
        assert step(sim) == 1
        await sim.run(60)
        assert ends(sim)[-1] == ("v2", "NeverReady")

    run(story())


def test_a_metric_that_fails_in_a_pause_takes_it_off() -> None:
    async def story() -> None:
        nature = Nature()
        sim = await rolling(wishing(CANARY), {"v2": nature}, seconds=10)
        ask(sim, pause="true")
        await sim.run(100)
        nature.error_rate = 0.5
        await sim.run(15)
        assert ends(sim)[-1] == ("v2", "ErrorRateAboveLimit") and sim.weights()["v1"] == 100

    run(story())


@pytest.mark.parametrize("hold", ["pause", "freeze"])
def test_the_stable_spec_and_an_abort_return_while_it_is_held(hold: str) -> None:
    async def story(back: str) -> None:
        wish = wishing(CANARY | (FREEZE if hold == "freeze" else {}))
        sim = await rolling(wish, seconds=10)
        if hold == "pause":
            ask(sim, pause="true")
        await sim.run(60)
        assert why(sim) == ("Paused" if hold == "pause" else "Frozen") and sim.weights()["v1"] == 50
        if back == "spec":
            sim.apply(wish("v1"))
        else:
            ask(sim, abort=sim.status["candidate"]["revision"])
        await sim.run(1)
        assert sim.weights()["v1"] == 100

    for back in ("spec", "abort"):
        run(story(back))


def test_nothing_begins_in_a_pause_and_the_newest_spec_begins_after_it() -> None:
    async def story() -> None:
        wish = wishing(CANARY)
        sim = await rolling(wish, seconds=200)
        ask(sim, pause="true")
        for version in ("v3", "v4"):
            sim.apply(wish(version))
            await sim.run(30)
            assert (why(sim), step(sim)) == ("Paused", None)
            assert f"version {version} is not begun: paused by ann" in sim.condition("Ready")["message"]
        ask(sim, pause="")
        await sim.run(120)
        assert stable(sim) == "v4" and ("v3", "Promoted") not in ends(sim)

    run(story())


def test_a_freeze_that_begins_in_mid_rollout_holds_where_it_is_until_it_ends() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY | FREEZE), seconds=40)
        assert (why(sim), step(sim)) == ("Frozen", 1) and sim.weights() == {"v1": 50, "v2": 50}
        assert "until 2026-11-21T13:18:00Z" in sim.condition("Ready")["message"]
        assert sim.status["next"]["at"] == "2026-11-21T13:18:00.000000Z"
        await sim.run(3400)
        assert step(sim) == 1
        await sim.run(200)
        assert stable(sim) == "v2", "nobody had to do anything"

    run(story())


def test_a_rollout_that_would_begin_in_a_freeze_begins_when_it_ends() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY | FREEZE))
        sim.apply(wishing(CANARY | FREEZE)("v1"))
        await sim.run(60)
        sim.apply(wishing(CANARY | FREEZE)("v3"))
        await sim.run(60)
        assert (why(sim), step(sim)) == ("Frozen", None)
        assert sim.status["next"]["what"] == "the rollout begins when the freeze ends"
        writes = len(sim.kube.writes)
        await sim.run(3300)
        assert sim.kube.writes[writes:] == [], "held is quiet"
        await sim.run(300)
        assert stable(sim) == "v3"

    run(story())


def test_the_first_revision_waits_for_no_freeze_and_no_pause() -> None:
    async def story() -> None:
        sim = Sim()
        wish = wishing(CANARY | FROZEN)("v1")
        wish["metadata"]["annotations"] = {"penstock.dev/pause": "true"}
        sim.apply(wish)
        await sim.run(30)
        assert why(sim) == "Settled"

    run(story())


def test_a_freeze_does_not_keep_a_switch_half_done() -> None:
    """What has all steps behind it goes on to 100 %; only steps before that are held."""

    async def story() -> None:
        wish = wishing(CANARY | FREEZE, scaling={"minReplicas": 4})
        sim = await rolling(wish, {"v2": Nature(ready_after=20)}, seconds=3)
        ask(sim, promote_full=sim.status["candidate"]["revision"])
        await sim.run(60)
        assert step(sim) in (None, 1), why(sim)

    run(story())


def approving(**more: Any) -> Any:
    """A canary whose step asks two leads."""
    asked = {"groups": ["leads"], "minApprovals": 2} | more
    return wishing({"canary": {"steps": [STEP | {"approval": asked}]}})


def test_two_of_a_group_approve_and_only_then_it_goes_on() -> None:
    async def story() -> None:
        sim = await rolling(approving(), seconds=60)
        assert (why(sim), step(sim)) == ("WaitingForApproval", 1)
        what = sim.status["candidate"]["revision"] + "/1"
        ask(sim, by="ann", approve=what)
        await sim.run(30)
        assert "1 of 2 approvals of leads (ann" in sim.condition("Ready")["message"]
        ask(sim, by="cat", groups="staff", approve=what)
        await sim.run(30)
        assert step(sim) == 1 and "ActionIgnored" in sim.reasons()
        ask(sim, by="bob", approve=what)
        await sim.run(30)
        assert stable(sim) == "v2" and sim.reasons().count("Approved") == 2

    run(story())


def test_an_approval_has_no_deadline_of_its_own() -> None:
    async def story() -> None:
        sim = await rolling(approving(), seconds=5000)
        assert (why(sim), step(sim)) == ("WaitingForApproval", 1)
        assert len(sim.kube.writes) < 700, "a write for each look at the metrics, no storm"

    run(story())


@pytest.mark.parametrize(
    ("then", "end"), [("Wait", "ApprovalTimedOut"), ("Abort", "RolledBack"), ("Promote", "Settled")]
)
def test_nobody_approves_in_time(then: str, end: str) -> None:
    async def story() -> None:
        sim = await rolling(approving(maxAge="2m", onTimeout=then), seconds=120)
        assert why(sim) == "WaitingForApproval" and f"(then: {then})" in sim.condition("Ready")["message"]
        await sim.run(120)
        assert why(sim) == end
        assert stable(sim) == ("v2" if then == "Promote" else "v1")
        before = len(sim.reasons())
        await sim.run(600)
        assert sim.reasons()[before:] == [], "it happens once"
        if then == "Wait":
            what = sim.status["candidate"]["revision"] + "/1"
            for name in ("ann", "bob"):
                ask(sim, by=name, approve=what)
                await sim.run(20)
            assert stable(sim) == "v2", "an approval still counts"

    run(story())


def test_a_metric_that_fails_while_people_are_asked_takes_it_off() -> None:
    async def story() -> None:
        nature = Nature()
        sim = await rolling(approving(), {"v2": nature}, seconds=100)
        assert why(sim) == "WaitingForApproval"
        nature.error_rate = 0.5
        await sim.run(15)
        assert ends(sim)[-1] == ("v2", "ErrorRateAboveLimit")

    run(story())


@pytest.mark.parametrize("hold", ["pause", "approval", "freeze"])
def test_an_operator_that_dies_while_it_is_held_takes_no_step_and_says_nothing_twice(hold: str) -> None:
    async def story() -> None:
        wish = {"pause": wishing(CANARY), "approval": approving(), "freeze": wishing(CANARY | FREEZE)}[hold]
        sim = await rolling(wish, seconds=10)
        if hold == "pause":
            ask(sim, pause="true")
        await sim.run(60)
        said, where = sim.reasons(), why(sim)
        for _ in range(3):
            await sim.restart()
            await sim.run(30)
        assert (sim.reasons(), why(sim), step(sim)) == (said, where, 1)

    run(story())


def test_a_bake_is_not_held_by_a_pause() -> None:
    """Nothing goes forward in it: it only ends, and the way back is an undo then."""

    async def story() -> None:
        sim = await rolling(wishing(CANARY | {"bake": BAKE}), seconds=45)
        assert why(sim) == "Baking"
        ask(sim, pause="true")
        await sim.run(90)
        assert stable(sim) == "v2"

    run(story())
