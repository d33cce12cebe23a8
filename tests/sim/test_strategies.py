"""Every strategy on the whole loop: a good version walks all of it, a bad one is taken off before people meet it."""

from dataclasses import dataclass

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Object
from tests.sim.stories import (
    BAKE,
    COHORT,
    SHADOW,
    STEP,
    WALK,
    ends,
    front,
    path,
    replicas,
    rolling,
    stable,
    why,
    wishing,
)
from tests.sim.stories import revision as revision_of

PREVIEW = {"duration": "20s"}


@dataclass(frozen=True)
class Strategy:
    """A rollout, what a good version is given on its way, and what a bad one has been given when it is taken off."""

    rollout: Object
    good: list[str]
    bad: list[str]
    routed: bool = True
    judged: bool = True


STRATEGIES = {
    "rolling": Strategy({}, ["0", "100"], ["0"], judged=False),
    "rolling and bake": Strategy({"bake": BAKE}, ["0", "100"], ["0", "100", "0"]),
    "canary": Strategy({"canary": {"steps": [STEP]}}, ["0", "50", "100"], ["0", "50", "0"]),
    "blue-green": Strategy({"blueGreen": PREVIEW}, ["0", "100"], ["0"], judged=False),
    "blue-green and bake": Strategy({"blueGreen": PREVIEW, "bake": BAKE}, ["0", "100"], ["0", "100", "0"]),
    "shadow": Strategy({"shadow": SHADOW}, ["0", "copies 50", "0", "100"], ["0", "copies 50", "0"]),
    "A/B": Strategy({"abTest": COHORT}, ["0", "cohort", "100"], ["0", "cohort", "0"]),
    "all of it": Strategy(WALK, ["0", "copies 50", "0", "cohort", "50", "100"], ["0", "copies 50", "0"]),
    "rolling by Service": Strategy({}, ["0", "100"], ["0"], routed=False, judged=False),
    "blue-green by Service": Strategy({"blueGreen": PREVIEW}, ["0", "100"], ["0"], routed=False, judged=False),
    "canary by Service": Strategy({"canary": {"steps": [STEP]}}, ["0", "50", "100"], ["0", "50", "0"], routed=False),
    "bake by Service": Strategy({"bake": BAKE}, ["0", "100"], ["0", "100", "0"], routed=False),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_good_version_walks_the_whole_strategy(name: str) -> None:
    async def story() -> None:
        each = STRATEGIES[name]
        wish = wishing(each.rollout, each.routed, each.judged)
        sim = await rolling(wish)
        walked = path(sim)
        await sim.run(300)
        assert walked == each.good
        assert stable(sim) == "v2" and why(sim) == "Settled" and front(sim) == "v2"
        assert replicas(sim) == {"v2": 2}, "the old pods are gone"
        assert ends(sim) == [("v1", "Promoted"), ("v2", "Promoted")]
        assert sim.status.get("rejected", []) == []

    run(story())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_bad_version_is_taken_off_by_the_first_step_that_can_see_it(name: str) -> None:
    """Where requests are judged it fails them; where only readiness is asked for, it never gets ready."""

    async def story() -> None:
        each = STRATEGIES[name]
        bad = Nature(error_rate=0.4) if each.judged else Nature(ready_after=None)
        sim = await rolling(wishing(each.rollout, each.routed, each.judged), {"v2": bad})
        walked, home = path(sim), revision_of(sim, "v1")
        pods = [write for write in sim.kube.writes if write[1] == "Deployment" and home in str(write)]
        await sim.run(300)
        assert walked == each.bad
        assert stable(sim) == "v1" and front(sim) == "v1" and replicas(sim) == {"v1": 2}
        assert sim.status["rejected"][0]["reason"] == ("ErrorRateAboveLimit" if each.judged else "NeverReady")
        assert (why(sim), sim.condition("Available")["status"]) == ("RolledBack", "True")
        assert [write for write in sim.kube.writes if write[1] == "Deployment" and home in str(write)] == pods

    run(story())


def test_nobody_sees_an_answer_of_a_shadow_and_only_the_cohort_those_of_a_test() -> None:
    async def story() -> None:
        sim = await rolling(wishing({"shadow": SHADOW, "abTest": COHORT}))
        weights: list[int] = []
        sim.store.subscribe(lambda *_: weights.append(sim.weights().get("v2", 0)))
        await sim.run(45)
        assert set(weights) == {0}
        route = sim.store.get("HTTPRoute", "ml", "churn")
        assert route
        main, apart = route["spec"]["rules"]
        assert "filters" not in main, "copies have ended"
        assert apart["matches"][0]["headers"] == [{"type": "Exact", "name": "x-cohort", "value": "beta"}]

    run(story())


@pytest.mark.parametrize("routed", [True, False])
def test_a_preview_answers_under_its_own_address_until_the_switch(routed: bool) -> None:
    async def story() -> None:
        sim = await rolling(wishing({"blueGreen": PREVIEW}, routed, judged=False), seconds=15)
        assert front(sim) == "v1"
        preview = sim.store.get("Service", "ml", "churn-preview")
        assert preview and preview["spec"]["selector"] == {"penstock.dev/revision": revision_of(sim, "v2")}
        assert replicas(sim) == {"v1": 2, "v2": 2}, "full size before the switch"
        await sim.run(60)
        assert front(sim) == "v2"

    run(story())


def test_copies_of_a_shadow_do_not_wait_for_requests_that_nobody_sends() -> None:
    """Too little traffic is no verdict: it waits to its deadline, then says why."""

    async def story() -> None:
        wish = wishing({"shadow": SHADOW | {"percent": 1}})
        sim = await rolling(wish)
        await sim.run(400)
        assert ends(sim)[-1] in (("v2", "EvidenceMissing"), ("v2", "Promoted"))

    run(story())


def test_one_pod_gives_way_to_the_next_where_there_is_room_for_one() -> None:
    """capacityPolicy Replace with one replica: the old pod goes when the new one serves; no share can be split."""

    async def story() -> None:
        wish = wishing({"canary": {"steps": [STEP]}, "capacityPolicy": "Replace"}, scaling={"minReplicas": 1})
        sim = await rolling(wish)
        walked = path(sim)
        await sim.run(120)
        assert walked == ["0", "100"] and stable(sim) == "v2" and replicas(sim) == {"v2": 1}

    run(story())


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_replacing_asks_for_one_pod_more_than_the_full_number_at_most(rate: float) -> None:
    async def story() -> None:
        rollout = {"canary": {"steps": [STEP]}, "capacityPolicy": "Replace"}
        sim = await rolling(wishing(rollout, scaling={"minReplicas": 4}), {"v2": Nature(error_rate=rate)})
        most = 0
        for _ in range(240):
            await sim.run(0.5)
            most = max(most, sum(replicas(sim).values()))
        assert most <= 5, "one more is asked for, which waits for the one that it replaces"
        assert replicas(sim) == ({"v1": 4} if rate else {"v2": 4})
        assert stable(sim) == ("v1" if rate else "v2")

    run(story())
