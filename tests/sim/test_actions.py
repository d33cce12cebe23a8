"""What people ask for, on the whole loop: in each step, twice, too late, together, and across a dead operator."""

from collections import Counter

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Sim
from tests.sim.stories import (
    BAKE,
    STEP,
    WALK,
    ask,
    ends,
    front,
    path,
    replicas,
    revision,
    rolling,
    spent,
    stable,
    why,
    wishing,
)
from tests.sim.stories import step as step_of

CANARY = {"canary": {"steps": [{"weight": 5, "duration": "20s"}, STEP]}}
SETTLED = 200.0


async def reach(sim: Sim, number: int) -> None:
    """Until the candidate is in this step, and its share was seen."""
    for _ in range(200):
        if step_of(sim) == number and sim.status["candidate"].get("shiftedAt"):
            return
        await sim.run(0.5)
    raise AssertionError(sim.status)


def tried(sim: Sim) -> str:
    """The revision that is tried."""
    return str(sim.status["candidate"]["revision"])


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_an_abort_in_any_step_sends_everybody_home_in_one_write(number: int) -> None:
    """In shadow, cohort, canary and bake; 100 % is left as soon as it is seen, by the bake."""

    async def story() -> None:
        sim = await rolling(wishing(WALK))
        await reach(sim, number)
        walked = path(sim)
        ask(sim, abort=tried(sim))
        written = Counter(await spent(sim, 2))
        assert walked[-1] == "0" and front(sim) == "v1"
        places = 2 if number == 2 else 1  # the cohort's empty place goes once nobody belongs to it
        assert written["HTTPRoute"] == places and not written["Deployment"] and not written["-Deployment"]
        await sim.run(60)
        assert replicas(sim) == {"v1": 2} and why(sim) == "RolledBack"
        assert sim.status["rejected"][0]["by"] == "ann"

    run(story())


def test_an_abort_while_it_grows_to_full_size_stops_it_before_everything() -> None:
    """Sent to 100 % past its steps, its pods not ready yet: abort wins."""

    async def story() -> None:
        sim = await rolling(wishing(CANARY, scaling={"minReplicas": 4}), {"v2": Nature(ready_after=10)}, seconds=13)
        ask(sim, promote_full=tried(sim))
        await sim.run(3)
        assert step_of(sim) == 3 and sim.weights()["v2"] == 5
        walked = path(sim)
        ask(sim, abort=tried(sim))
        await sim.run(60)
        assert "100" not in walked and stable(sim) == "v1" and sim.weights() == {"v1": 100}

    run(story())


def test_an_abort_while_nothing_rolls_changes_nothing_and_says_so() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=SETTLED)
        before = replicas(sim), sim.weights()
        for name in (revision(sim, "v2"), revision(sim, "v1"), "churn-0000000000"):
            ask(sim, abort=name)
            assert await spent(sim, 30) == {"ModelDeployment": 1, "Event": 1}
        assert (replicas(sim), sim.weights()) == before and why(sim) == "Settled"
        assert sim.reasons()[-3:] == ["ActionIgnored"] * 3

    run(story())


def test_an_abort_and_a_promotion_at_once_end_in_the_abort() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=10)
        ask(sim, promote_full=tried(sim), abort=tried(sim))
        walked = path(sim)
        await sim.run(60)
        assert walked[-1] == "0" and "100" not in walked and ends(sim)[-1] == ("v2", "Aborted")

    run(story())


def test_promote_passes_one_step_and_its_repeat_none() -> None:
    async def story() -> None:
        steps = {"steps": [{"weight": 5, "duration": "10m"}, {"weight": 50, "duration": "10m"}]}
        sim = await rolling(wishing({"canary": steps, "deadline": "1h"}))
        await reach(sim, 1)
        what = tried(sim)
        ask(sim, promote=what)
        await sim.run(30)
        assert step_of(sim) == 2
        ask(sim, promote=what)
        await sim.run(30)
        assert step_of(sim) == 2, "the same words are no second request"
        ask(sim, promote=f"{what}/1")
        await sim.run(5)
        assert step_of(sim) == 2 and sim.reasons()[-1] == "ActionIgnored", "it was for a step that is over"
        ask(sim, promote=f"{what}/2")
        await sim.run(30)
        assert stable(sim) == "v2"

    run(story())


def test_promote_never_goes_ahead_of_readiness() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), {"v2": Nature(ready_after=60)}, seconds=5)
        ask(sim, promote_full=tried(sim))
        await sim.run(40)
        assert sim.weights().get("v2", 0) == 0
        await sim.run(120)
        assert stable(sim) == "v2"

    run(story())


def test_promote_full_skips_all_steps_and_the_trail_names_who() -> None:
    async def story() -> None:
        sim = await rolling(wishing(WALK))
        await reach(sim, 1)
        walked = path(sim)
        ask(sim, promote_full=tried(sim))
        await sim.run(20)
        assert walked[-1] == "100" and "50" not in walked and "cohort" not in walked
        assert why(sim) == "Baking", "the way back stays open"
        await sim.run(120)
        assert stable(sim) == "v2" and sim.status["history"][-1]["by"] == "ann"

    run(story())


def test_skip_leaves_one_step_out() -> None:
    async def story() -> None:
        sim = await rolling(wishing(WALK))
        await reach(sim, 1)
        walked = path(sim)
        ask(sim, skip=f"{tried(sim)}/2")
        await sim.run(200)
        assert "cohort" not in walked and "50" in walked and stable(sim) == "v2"
        assert "StepSkipped" in sim.reasons()

    run(story())


def test_skip_of_the_bake_ends_with_the_switch() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY | {"bake": {"duration": "1h"}}))
        await reach(sim, 1)
        ask(sim, skip=f"{tried(sim)}/4")
        await sim.run(120)
        assert stable(sim) == "v2"

    run(story())


def test_retry_tries_a_rejected_revision_from_its_first_step() -> None:
    async def story() -> None:
        nature = Nature(error_rate=0.5)
        sim = await rolling(wishing(CANARY), {"v2": nature}, seconds=60)
        gone = sim.status["rejected"][0]["revision"]
        assert f"penstock.dev/retry={gone}" in sim.condition("Ready")["message"]
        nature.error_rate = 0.0
        await sim.run(60)
        assert step_of(sim) is None, "it does not come back by itself"
        ask(sim, retry=gone)
        await sim.run(8)
        assert step_of(sim) == 1 and sim.status.get("rejected", []) == []
        await sim.run(200)
        assert stable(sim) == "v2"

    run(story())


def test_a_retried_revision_that_is_still_bad_is_taken_off_again_and_not_retried_again() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), {"v2": Nature(error_rate=0.5)}, seconds=60)
        ask(sim, retry=sim.status["rejected"][0]["revision"])
        await sim.run(600)
        assert [e for e in ends(sim) if e[0] == "v2"] == [("v2", "ErrorRateAboveLimit")] * 2

    run(story())


@pytest.mark.parametrize(("window", "steps"), [("1h", False), ("1m", True), ("", True)])
def test_undo_within_the_window_returns_without_steps_and_after_it_with_all(window: str, steps: bool) -> None:
    async def story() -> None:
        rollout = CANARY | ({"rollbackWindow": window} if window else {})
        sim = await rolling(wishing(rollout), seconds=SETTLED)
        ask(sim, undo=revision(sim, "v1"))
        walked = path(sim, "v1")
        await sim.run(30)
        assert ("5" in walked) is steps and (stable(sim) == "v1") is not steps
        await sim.run(200)
        assert stable(sim) == "v1" and sim.weights() == {"v1": 100}
        assert why(sim) == "RolledBack" and "Undone" in sim.condition("Ready")["message"]
        await sim.restart()
        await sim.run(300)
        assert stable(sim) == "v1", "the spec does not bring it back by itself"

    run(story())


def test_undo_in_mid_rollout_returns_at_once() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY))
        await reach(sim, 2)
        ask(sim, undo=revision(sim, "v1"))
        await sim.run(1)
        assert sim.weights()["v1"] == 100 and ends(sim)[-1] == ("v2", "Undone")

    run(story())


def test_the_next_spec_ends_an_undo() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=SETTLED)
        ask(sim, undo=revision(sim, "v1"))
        await sim.run(15)
        assert sim.status["candidate"]["undoBy"] == "ann"
        sim.apply(wishing(CANARY)("v3"))
        await sim.run(200)
        assert stable(sim) == "v3" and why(sim) == "Settled"

    run(story())


def test_an_undo_that_turns_out_bad_leaves_what_serves() -> None:
    async def story() -> None:
        old = Nature()
        sim = await rolling(wishing(CANARY), {"v1": old}, seconds=SETTLED)
        old.error_rate = 0.5
        ask(sim, undo=revision(sim, "v1"))
        await sim.run(200)
        assert stable(sim) == "v2" and sim.weights() == {"v2": 100}

    run(story())


def test_undo_to_what_is_not_kept_names_what_is() -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=SETTLED)
        ask(sim, undo="churn-0000000000")
        await sim.run(5)
        said = [live["note"] for _, live in sim.store.history if live["kind"] == "Event"]
        assert f"{revision(sim, 'v1')} (version v1)" in said[-1]

    run(story())


@pytest.mark.parametrize("times", [1, 3])
def test_what_was_taken_up_is_not_taken_up_by_the_next_operator(times: int) -> None:
    async def story() -> None:
        sim = await rolling(wishing(CANARY | {"bake": BAKE}))
        await reach(sim, 1)
        ask(sim, promote=tried(sim))
        await sim.run(1)
        taken = sim.reasons().count("ActionTaken")
        for _ in range(times):
            await sim.restart()
            await sim.run(1)
        assert sim.reasons().count("ActionTaken") == taken == 1
        assert [a["action"] for a in sim.status["acted"]] == ["promote"]
        ask(sim, promote="")
        await sim.run(1)
        assert sim.status.get("acted", []) == []

    run(story())


def test_an_operator_that_dies_right_after_it_took_an_abort_up_still_sends_everybody_home() -> None:
    """Recorded, then acted: the next process finds it in status."""

    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=10)
        ask(sim, abort=tried(sim))
        sim.kube.crash_at(len(sim.kube.writes) + 1, "after")
        await sim.run(5)
        assert sim.weights()["v1"] == 100 and ends(sim)[-1] == ("v2", "Aborted")

    run(story())


def test_an_action_costs_exactly_this() -> None:
    async def story() -> None:
        sim = await rolling(wishing({"canary": {"steps": [{"weight": 50, "duration": "10m"}]}}), seconds=7)
        # told and recorded; nothing moves
        ask(sim, pause="true")
        assert await spent(sim, 1) == {"ModelDeployment": 1, "Event": 1}
        ask(sim, pause="")
        assert await spent(sim, 1) == {"ModelDeployment": 1, "Event": 1}
        # two Events (taken up, next step), one status; the candidate grows
        ask(sim, promote=tried(sim))
        assert await spent(sim, 1) == {"ModelDeployment": 1, "Event": 2, "Deployment": 1}

    run(story())
