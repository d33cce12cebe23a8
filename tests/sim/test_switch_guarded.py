"""An edit of `traffic` to another router, or from one, where the gateway keeps what no other router does."""

import pytest

from tests.fake.clock import run
from tests.sim.machine import Object, Sim, model
from tests.sim.test_access import GUARDS, KEYS, Guarded
from tests.sim.test_own_route import route
from tests.sim.test_sticky import STICKY
from tests.sim.test_switch import TRAFFICS, Watched, ours

PLAIN: Object = {"rollout": {"scaleDownDelay": "5s"}, "analysis": None}
BEHIND: Object = TRAFFICS["gateway"] | {"policy": KEYS}


class Switched(Guarded):
    """Guarded is what a gateway serves; of what Istio serves nobody asked for a guard."""

    def _check_route(self, live: Object) -> None:
        if live["kind"] == "HTTPRoute":
            super()._check_route(live)


async def settled(traffic: Object) -> Switched:
    """v1 is stable through this router."""
    sim = Switched()
    sim.apply(model("v1", traffic=traffic, **PLAIN))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    return sim


def test_a_guarded_route_is_born_shut_though_another_routers_is_open() -> None:
    async def story() -> None:
        sim = await settled(TRAFFICS["istio"])
        sim.takes = False
        sim.apply(model("v1", traffic=BEHIND, **PLAIN))
        await sim.run(60)
        assert sim.store.get("HTTPRoute", "ml", "churn") and not sim.is_open()
        assert ("VirtualService", "churn") in ours(sim), "whoever was answered still is"
        assert sim.condition("Ready")["reason"] == "PolicyNotAccepted"
        for kind in GUARDS:
            owners = sim.store.get(kind, "ml", "churn")["metadata"]["ownerReferences"]  # type: ignore[index]
            assert sim.store.get("HTTPRoute", "ml", "churn")["metadata"]["uid"] == owners[1]["uid"]  # type: ignore[index]
        sim.takes = True
        for kind in GUARDS:
            sim._hold((kind, "ml", "churn"), 1)
        await sim.run(60)
        assert sim.is_open() and ours(sim) == [("HTTPRoute", "churn")] and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_guarded_route_keeps_its_guards_until_it_is_gone() -> None:
    async def story() -> None:
        sim = await settled(BEHIND)
        sim.apply(model("v1", traffic=TRAFFICS["istio"], **PLAIN))
        await sim.run(3)  # Istio has not taken it, as far as anybody can know
        assert sim.is_open() and all(sim.store.get(kind, "ml", "churn") for kind in GUARDS)
        await sim.run(60)
        assert ours(sim) == [("VirtualService", "churn")]
        assert not any(sim.store.get(kind, "ml", "churn") for kind in GUARDS)

    run(story())


@pytest.mark.parametrize("new", [*TRAFFICS.values(), {}], ids=[*TRAFFICS, "service"])
def test_a_rollout_of_users_goes_on_by_requests_where_no_router_can_draw_them(new: Object) -> None:
    async def story() -> None:
        sim: Sim = Watched({})
        sim.store.apply(route(), "gitops")
        for version, seconds in (("v1", 60), ("v2", 30)):
            sim.apply(model(version, traffic=STICKY))
            await sim.run(seconds)
        assert sim.status["candidate"]["sticky"] and sim.weights()["v2"] == 5
        sim.apply(model("v2", traffic=new, rollout={"canary": {"steps": [{"weight": 50, "duration": "20s"}]}}))
        await sim.run(400)
        assert sim.status["stable"]["version"] == "v2" and "candidate" not in sim.status, sim.status
        assert sim.condition("Ready")["status"] == "True"

    run(story())
