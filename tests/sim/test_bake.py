"""After 100 %: the old revision is warm, the metrics are live, and one write of traffic brings it back."""

from collections import Counter
from typing import Any

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Sim, silent
from tests.sim.stories import (
    BAKE,
    STEP,
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

CANARY = {"canary": {"steps": [STEP]}}


async def baking(rollout: dict[str, Any] | None = None, nature: Nature | None = None, **spec: Any) -> Sim:
    """v2 has all of the traffic, and its bake runs."""
    wish = wishing(CANARY | {"bake": BAKE} | (rollout or {}), **spec)
    sim = await rolling(wish, {"v2": nature or Nature()})
    for _ in range(120):
        await sim.run(1)
        if why(sim) == "Baking":
            return sim
    raise AssertionError(sim.status)


def test_a_bake_that_nothing_spoils_ends_and_the_old_pods_go() -> None:
    async def story() -> None:
        sim = await baking()
        assert stable(sim) == "v1" and front(sim) == "v2" and sim.weights() == {"v1": 0, "v2": 100}
        assert replicas(sim) == {"v1": 2, "v2": 2}
        await sim.run(65)
        assert stable(sim) == "v2" and "v1" in replicas(sim), "its pods stay for scaleDownDelay"
        await sim.run(60)
        assert replicas(sim) == {"v2": 2} and why(sim) == "Settled"

    run(story())


@pytest.mark.parametrize("routed", [True, False])
def test_a_breach_returns_in_one_write_of_traffic_and_without_a_pod(routed: bool) -> None:
    async def story() -> None:
        nature = Nature()
        sim = await (baking(None, nature) if routed else by_service(nature))
        walked, made = path(sim), len(sim.kube.writes)
        nature.error_rate = 0.5
        for _ in range(40):
            await sim.run(0.5)
            if front(sim) == "v1":
                break
        writes = sim.kube.writes[made:]
        assert walked[-1] == "0" and front(sim) == "v1"
        kind = "HTTPRoute" if routed else "Service"
        assert [w[1] for w in writes if w[1] in ("HTTPRoute", "Service", "Deployment")] in ([kind], [kind, "Service"])
        assert replicas(sim) == {"v1": 2, "v2": 2}, "no pod was made, none has gone"
        await sim.run(120)
        assert stable(sim) == "v1" and why(sim) == "RolledBack" and replicas(sim) == {"v1": 2}
        assert ends(sim)[-1] == ("v2", "ErrorRateAboveLimit")

    run(story())


async def by_service(nature: Nature) -> Sim:
    """The same without a gateway: all or nothing, then the bake."""
    sim = await rolling(wishing({"bake": BAKE}, routed=False), {"v2": nature})
    for _ in range(60):
        await sim.run(1)
        if why(sim) == "Baking":
            break
    return sim


def test_the_return_costs_exactly_this() -> None:
    async def story() -> None:
        nature = Nature()
        sim = await baking(None, nature)
        nature.error_rate = 0.5
        # the look: status and Event, the route, and the Service under the plain name; confirmed: status
        while not (seen := Counter(await spent(sim, 1)))["HTTPRoute"]:
            assert why(sim) == "Baking"
        seen.update(await spent(sim, 1))
        assert seen == {"ModelDeployment": 2, "Event": 1, "HTTPRoute": 1, "Service": 1}
        # unlisted, removed, forgotten
        gone = {"-Deployment": 1, "-Service": 1, "-ControllerRevision": 1}
        assert await spent(sim, 60) == {"ModelDeployment": 3, "HTTPRoute": 1} | gone
        assert await spent(sim, 300) == {}

    run(story())


def test_an_end_without_a_breach_costs_exactly_this() -> None:
    async def story() -> None:
        sim = await baking()
        await sim.run(55)
        # the last look is the verdict: status and Event; no traffic moves, as it has moved before
        end = await spent(sim, 10)
        assert (end.get("HTTPRoute"), end.get("Service"), end.get("Deployment"), end["Event"]) == (None, None, None, 1)
        # the old one is unlisted, removed, forgotten
        assert await spent(sim, 60) == {"ModelDeployment": 3, "HTTPRoute": 1, "-Deployment": 1, "-Service": 1}
        assert await spent(sim, 300) == {}

    run(story())


TOLERATED = [
    ({"onBreach": "Notify"}, False, True),
    ({"onBreach": "Notify"}, True, True),
    ({}, True, True),
    ({"onBreach": "Rollback"}, True, False),
    ({"onBreach": "Rollback"}, False, False),
]


@pytest.mark.parametrize(("policy", "forced", "stays"), TOLERATED)
def test_a_persons_decision_is_not_undone_unless_the_spec_says_so(
    policy: dict[str, str], forced: bool, stays: bool
) -> None:
    async def story() -> None:
        nature = Nature()
        sim = await rolling(wishing(CANARY | {"bake": BAKE | policy}), {"v2": nature}, seconds=8)
        if forced:
            ask(sim, promote_full=sim.status["candidate"]["revision"])
        for _ in range(60):
            await sim.run(1)
            if why(sim) == "Baking":
                break
        nature.error_rate = 0.5
        await sim.run(30)
        assert (why(sim) == "BreachTolerated") is stays
        assert ("BreachTolerated" in sim.reasons()) is stays and sim.reasons().count("BreachTolerated") <= 1
        await sim.run(200)
        assert stable(sim) == ("v2" if stays else "v1")

    run(story())


def test_a_tolerated_breach_is_still_taken_off_by_an_abort() -> None:
    async def story() -> None:
        nature = Nature()
        sim = await baking({"bake": {"duration": "10m", "onBreach": "Notify"}}, nature)
        nature.error_rate = 0.5
        await sim.run(30)
        assert why(sim) == "BreachTolerated"
        ask(sim, abort=sim.status["candidate"]["revision"])
        await sim.run(1)
        assert front(sim) == "v1" and sim.status["rejected"][0]["by"] == "ann"

    run(story())


def test_silence_ends_no_bake_and_takes_nothing_off() -> None:
    async def story() -> None:
        sim = await baking()
        sim.metrics = silent
        await sim.run(600)
        assert why(sim) == "MetricsUnavailable" and stable(sim) == "v1" and front(sim) == "v2"
        assert replicas(sim) == {"v1": 2, "v2": 2}, "whoever cannot see keeps the way back open"
        sim.metrics = None
        await sim.run(60)
        assert stable(sim) == "v2"

    run(story())


def test_pods_that_all_die_in_a_bake_send_everybody_home_at_once() -> None:
    async def story() -> None:
        sim = await baking()
        sim.set_ready(revision(sim, "v2"), 0)
        await sim.run(1)
        assert front(sim) == "v1" and sim.weights()["v1"] == 100
        assert sim.status["candidate"]["version"] == "v2", "it has until its deadline"
        sim.set_ready(revision(sim, "v2"), 2)
        await sim.run(3)
        assert sim.weights()["v2"] == 100

    run(story())


def test_a_new_version_in_a_bake_starts_against_the_same_stable_one() -> None:
    """v2 has not proven itself yet: v1 takes over at once, and v3 begins at its first step."""

    async def story() -> None:
        sim = await baking()
        sim.apply(wishing(CANARY | {"bake": BAKE})("v3"))
        await sim.run(2)
        assert (stable(sim), sim.weights()["v1"], sim.status["candidate"]["version"]) == ("v1", 100, "v3")
        assert ends(sim)[-1] == ("v2", "Superseded")
        await sim.run(300)
        assert stable(sim) == "v3" and replicas(sim) == {"v3": 2}

    run(story())


def test_the_old_spec_in_a_bake_is_a_return_without_a_verdict() -> None:
    async def story() -> None:
        sim = await baking()
        sim.apply(wishing(CANARY | {"bake": BAKE})("v1"))
        await sim.run(1)
        assert front(sim) == "v1" and sim.weights()["v1"] == 100
        await sim.run(60)
        assert why(sim) == "Settled" and sim.status.get("rejected", []) == []

    run(story())


def test_an_operator_that_dies_in_a_bake_goes_on_with_it() -> None:
    async def story() -> None:
        nature = Nature()
        sim = await baking(None, nature)
        until = sim.status["next"]["at"]
        await sim.restart()
        await sim.run(5)
        assert sim.status["next"]["at"] == until
        await sim.restart()
        nature.error_rate = 0.5
        await sim.run(20)
        assert front(sim) == "v1"

    run(story())


def test_a_person_ends_a_bake_early() -> None:
    async def story() -> None:
        sim = await baking({"bake": {"duration": "10m"}})
        ask(sim, promote=sim.status["candidate"]["revision"])
        await sim.run(2)
        assert stable(sim) == "v2"

    run(story())


def test_a_first_revision_has_nothing_to_bake_against() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(wishing({"bake": {"duration": "1h"}})("v1"))
        await sim.run(30)
        assert stable(sim) == "v1" and why(sim) == "Settled"

    run(story())
