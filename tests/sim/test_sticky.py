"""Stories of users who keep their revision: what the route says over time, and who could be refused or held."""

from itertools import groupby
from typing import Any

from penstock.model.values import RouteSeen
from penstock.routing import gateway
from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim, model
from tests.sim.stories import ask, revision
from tests.sim.test_cohort import routes

STICKY: Object = {"gateway": {"name": "models"}, "sticky": {"maxAge": "1h"}}
HEADER: Object = {"gateway": {"name": "models"}, "previewHeader": "x-revision"}


def wish(version: str, traffic: Object = STICKY, **spec: Any) -> Object:
    return model(version, traffic=traffic, **spec)


def drawn(sim: Sim) -> list[RouteSeen]:
    """The route over time, as it is read back."""
    return [gateway.read(route) for route in routes(sim) if route["metadata"]["name"] == "churn"]


def stages(sim: Sim) -> list[str]:
    """What stands in the route for users: nothing, a place for nobody, or the candidate's weight among them."""
    words = (
        str(seen.weights[seen.sticky.revision]) if seen.sticky and seen.sticky.revision else "place" * bool(seen.sticky)
        for seen in drawn(sim)
    )
    return [word for word, _ in groupby(words)]


async def tried(seconds: float, nature: Nature | None = None, **spec: Any) -> Sim:
    """v1 serves, v2 is applied and has so long."""
    sim = Sim(natures={"v2": nature or Nature()})
    sim.apply(wish("v1", **spec))
    await sim.run(60)
    sim.apply(wish("v2", **spec))
    await sim.run(seconds)
    return sim


def test_users_come_into_a_place_that_is_there_and_leave_it_before_it_goes() -> None:
    async def story() -> None:
        sim = await tried(240)
        assert stages(sim) == ["", "place", "5", "25", "50", "place", ""]
        assert sim.weights() == {"v2": 100} and sim.condition("Ready")["status"] == "True"

    run(story())


def test_no_share_rises_before_the_gateway_knows_the_place() -> None:
    """Its pods are ready at once, as those of a version that is tried again are."""

    async def story() -> None:
        sim = Sim(natures={"v2": Nature(ready_after=0.0)}, gateway=True)
        sim.apply(wish("v1"))
        await sim.run(60)
        sim.gateway = False
        sim.apply(wish("v2"))
        await sim.run(30)
        assert stages(sim) == ["", "place"]
        assert {seen.weights.get(revision(sim, "v2"), 0) for seen in drawn(sim)} == {0}
        assert sim.condition("Ready")["reason"] == "WaitingForRoute"

    run(story())


def test_an_abort_takes_everybody_back_in_one_write_and_a_retry_draws_anew() -> None:
    async def story() -> None:
        sim = await tried(20)
        name = revision(sim, "v2")
        first = sim.status["candidate"]["sticky"]
        before = len(drawn(sim))
        ask(sim, abort=name)
        await sim.run(30)
        after = drawn(sim)[before:]
        assert after[0].weights == {revision(sim, "v1"): 100, name: 0}
        assert after[0].sticky and not after[0].sticky.revision and after[-1].sticky is None
        ask(sim, retry=name)
        await sim.run(15)
        second = sim.status["candidate"]["sticky"]
        assert second["draw"] != first["draw"] and second | {"draw": ""} == first | {"draw": ""}
        seen = drawn(sim)[-1].sticky
        assert seen and (seen.draw, seen.revision) == (second["draw"], name)

    run(story())


def test_pods_that_die_take_their_users_back_and_the_same_draw_returns_with_them() -> None:
    async def story() -> None:
        sim = await tried(20)
        name = revision(sim, "v2")
        sim.set_ready(name, 0)
        await sim.run(5)
        assert drawn(sim)[-1].weights[name] == 0 and stages(sim)[-1] == "place"
        sim.set_ready(name, 1)
        await sim.run(5)
        assert stages(sim)[1:] == ["place", "5", "place", "5"]
        assert len({seen.sticky.draw for seen in drawn(sim) if seen.sticky}) == 1

    run(story())


def test_an_edit_of_the_wish_in_mid_rollout_acts_on_the_next_one() -> None:
    async def story() -> None:
        sim = await tried(20)
        pinned = sim.status["candidate"]["sticky"]
        sim.apply(wish("v2", traffic={"gateway": {"name": "models"}, "sticky": {"cookie": "other", "maxAge": "2h"}}))
        await sim.run(5)
        sim.apply(wish("v2", traffic={"gateway": {"name": "models"}}))
        await sim.run(5)
        assert sim.status["candidate"]["sticky"] == pinned == sim.status["candidate"]["sticky"]
        assert stages(sim) == ["", "place", "5"]
        await sim.run(240)
        assert stages(sim) == ["", "place", "5", "25", "50", "place", ""]

    run(story())


def test_a_third_version_meets_a_draw_in_use_and_gets_a_place_of_its_own_after_it() -> None:
    async def story() -> None:
        sim = await tried(20)
        sim.apply(wish("v3"))
        await sim.run(20)
        draws = [(seen.sticky.draw, bool(seen.sticky.revision)) for seen in drawn(sim) if seen.sticky]
        first, second = dict.fromkeys(name for name, _ in draws)
        told = [each for each, _ in groupby(draws)]
        assert told == [(first, False), (first, True), (first, False), (second, False), (second, True)]

    run(story())


def test_a_rollout_of_users_costs_one_write_of_the_route_more() -> None:
    """The place goes once nobody needs it. It comes with the candidate's own, and all else with the weights."""

    async def story() -> None:
        counts = []
        for traffic in (STICKY, {"gateway": {"name": "models"}}):
            sim = await tried(240, traffic=traffic)
            counts.append([kind for _, kind, _ in sim.kube.writes].count("HTTPRoute"))
            assert len(sim.kube.writes) == await still(sim)
        assert counts[0] - counts[1] == 1

    async def still(sim: Sim) -> int:
        await sim.run(300)
        return len(sim.kube.writes)

    run(story())


def picked(sim: Sim) -> dict[str, str]:
    """Words by which a request may pick a revision, and the version that it then gets."""
    live = sim.store.get("HTTPRoute", "ml", "churn-revisions")
    found = live["spec"]["rules"] if live else []
    return {
        match["headers"][0]["value"]: sim.version_of(rule["backendRefs"][0]["name"])
        for rule in found
        for match in rule["matches"]
    }


def test_a_revision_may_be_picked_while_it_is_ready_and_tried_or_stable() -> None:
    async def story() -> None:
        sim = Sim(natures={"v2": Nature(ready_after=8.0)})
        sim.apply(wish("v1", HEADER))
        await sim.run(60)
        one = revision(sim, "v1")
        assert picked(sim) == {"stable": "v1", one: "v1"}
        assert sim.status["stable"]["url"] == f"http://{one}.ml.svc"
        sim.apply(wish("v2", HEADER))
        await sim.run(6)
        two = revision(sim, "v2")
        assert picked(sim) == {"stable": "v1", one: "v1"}, "not ready yet"
        assert sim.status["candidate"]["url"] == f"http://{two}.ml.svc"
        await sim.run(4)
        assert picked(sim) == {"stable": "v1", one: "v1", "candidate": "v2", two: "v2"}
        ask(sim, abort=two)
        await sim.run(3)
        assert picked(sim) == {"stable": "v1", one: "v1"}
        ask(sim, retry=two)
        await sim.run(240)
        assert picked(sim) == {"stable": "v2", two: "v2"}
        sim.apply(wish("v2", {"gateway": {"name": "models"}}))
        await sim.run(5)
        assert picked(sim) == {}

    run(story())
