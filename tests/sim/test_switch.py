"""Stories of an edit of `traffic` that chooses another router: the old route stays until the new one is confirmed."""

from datetime import datetime
from typing import Any

import pytest

from penstock.api.traffic import Traffic
from penstock.routing import ROUTES, istio, place_of
from tests.fake.clock import run
from tests.sim.machine import RUNTIME, Nature, Object, Sim, model
from tests.sim.stories import spent
from tests.sim.test_own_route import route

TRAFFICS: dict[str, Object] = {
    "gateway": {"gateway": {"name": "models"}, "hostnames": ["churn.corp"], "path": "/v2"},
    "grpc": {"gateway": {"name": "models"}, "hostnames": ["churn.corp"], "protocol": "GRPC"},
    "istio": {"istio": {"gateways": ["istio-ingress/models"]}, "hostnames": ["churn.corp"], "path": "/v2"},
    "route": {"route": {"name": "churn-route", "rules": ["main"]}},
}
PAIRS = [(a, b) for a in TRAFFICS for b in TRAFFICS if a != b]
CONFIRMED = [pair for pair in PAIRS if pair[1] != "istio"]  # of a VirtualService nobody says anything


class Watched(Sim):
    """At every moment some route that is confirmed leads to pods that are ready, once one has."""

    began = False
    log: list[tuple[str, str, str]]
    dark: list[str]

    def __post_init__(self) -> None:
        """With a server that speaks whatever a route may."""
        self.dark = []
        super().__post_init__()
        container = {**RUNTIME["spec"]["container"], "grpcPort": 8081}
        self.store.apply({**RUNTIME, "spec": RUNTIME["spec"] | {"container": container}}, "admin")

    def _react(self, change: str, live: Object) -> None:
        super()._react(change, live)
        if live["kind"] in ROUTES and "log" in vars(self):
            self.log.append((change, live["kind"], live["metadata"]["name"]))
            good = [kind for kind in ROUTES for each in self.store.list(kind) if leads(self, kind, each)]
            self.began |= bool(good)
            self.dark += [] if good or not self.began else [f"{change} {live['kind']} {live['metadata']['name']}"]

    async def run(self, seconds: float) -> None:
        """A turn would take what is raised within it for a bug of its own, so it is looked at here."""
        await super().run(seconds)
        assert not self.dark


def leads(sim: Sim, kind: str, live: Object) -> bool:
    """Confirmed in some generation, and all that it gives traffic to is there and ready."""
    seen = ROUTES[kind].read(live)
    weights = next(iter(seen.rules.values()), seen.weights)
    if kind == "VirtualService":
        born = datetime.fromisoformat(live["metadata"]["creationTimestamp"])
        if (sim.now() - born).total_seconds() < istio.LAG - 1:
            return False
    elif not live.get("status", {}).get("parents"):
        return False
    found = {name: sim.store.get("Deployment", "ml", name) for name, weight in weights.items() if weight}
    return bool(found) and all(d and d.get("status", {}).get("readyReplicas") for d in found.values())


def place(router: str) -> tuple[str, str, str]:
    """Of the object that carries the shares."""
    kind, name = place_of(Traffic.model_validate(TRAFFICS[router]), "churn") or ("", "")
    return kind, "ml", name


def wish(version: str, router: str) -> Object:
    """The usual canary through this router."""
    return model(version, traffic=TRAFFICS[router])


async def settled(router: str, natures: dict[str, Nature] | None = None) -> Watched:
    """v1 is stable through this router; from now on routes are watched."""
    sim = Watched(natures or {})
    sim.store.apply(route(), "gitops")
    sim.apply(wish("v1", router))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    sim.log = []
    return sim


def ours(sim: Sim) -> list[tuple[str, str]]:
    """Routes that are there, but not the one of the user."""
    found = [(kind, each["metadata"]["name"]) for kind in ROUTES for each in sim.store.list(kind)]
    return [each for each in found if each != ("HTTPRoute", "churn-route")]


def given(sim: Sim, router: str) -> dict[str, int]:
    """Weights that this router's object has now, by version."""
    kind, _, name = place(router)
    live = sim.store.get(kind, "ml", name)
    seen = ROUTES[kind].read(live or {})
    return {sim.version_of(n): w for n, w in (seen.rules.get("main") or seen.weights).items()}


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_switch_loses_nothing_and_leaves_no_orphan(old: str, new: str) -> None:
    async def story() -> None:
        sim = await settled(old)
        sim.apply(wish("v1", new))
        await sim.run(60)
        assert sim.condition("Ready")["status"] == "True" and given(sim, new) == {"v1": 100}
        assert len(ours(sim)) == (new != "route"), ours(sim)
        assert await spent(sim, 300) == {}

    run(story())


@pytest.mark.parametrize(("old", "new"), CONFIRMED)
def test_the_old_route_stays_as_long_as_the_new_one_is_not_confirmed(old: str, new: str) -> None:
    async def story() -> None:
        sim = await settled(old)
        before = ours(sim)
        sim.gateway = False
        sim.apply(wish("v1", new))
        await sim.run(120)
        assert set(before) <= set(ours(sim)) and given(sim, old) == {"v1": 100}
        assert "DELETED" not in [change for change, *_ in sim.log]
        sim.gateway = True
        sim.store.edit(place(new), lambda live: live["metadata"]["annotations"].update(x="y"), "admin")
        await sim.run(30)
        assert len(ours(sim)) == (new != "route") and sim.condition("Ready")["status"] == "True"

    run(story())


@pytest.mark.parametrize(("old", "new"), [pair for pair in CONFIRMED if pair[0] != "route"])
def test_a_bad_version_loses_its_traffic_in_the_old_route_too(old: str, new: str) -> None:
    """In the middle of a rollout, and the new gateway is dead: what is taken off is taken off where clients are."""

    async def story() -> None:
        sim = await settled(old, {"v2": Nature(error_rate=0.0)})
        sim.apply(wish("v2", old))
        await sim.run(20)
        assert given(sim, old) == {"v1": 95, "v2": 5}
        sim.gateway = False
        sim.apply(wish("v2", new))
        await sim.run(5)
        assert given(sim, old) == given(sim, new) == {"v1": 95, "v2": 5}
        sim.apply(wish("v1", new))
        await sim.run(2)
        assert given(sim, old)["v1"] == given(sim, new)["v1"] == 100

    run(story())


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_switch_in_mid_rollout_goes_on_with_it(old: str, new: str) -> None:
    async def story() -> None:
        sim = await settled(old)
        sim.apply(wish("v2", old))
        await sim.run(20)
        sim.apply(wish("v2", new))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2" and given(sim, new) == {"v2": 100}
        assert len(ours(sim)) == (new != "route")
        left = {sim.version_of(each["metadata"]["name"]) for each in sim.store.list("Deployment")}
        assert left == ({"v2"} if old != "route" else {"v1", "v2"}), "what a route of the user's names stays"

    run(story())


def test_what_a_left_route_names_goes_when_it_names_it_no_more() -> None:
    async def story() -> None:
        sim = await settled("route")
        sim.apply(wish("v1", "gateway"))
        await sim.run(30)
        sim.apply(wish("v2", "gateway"))
        await sim.run(240)
        assert given(sim, "route") == {"v1": 100} and len(sim.store.list("Deployment")) == 2
        back: Any = [{"name": "churn", "port": 80}]
        edit = lambda live: live["spec"]["rules"][1].update(backendRefs=back)  # noqa: E731
        sim.store.edit(("HTTPRoute", "ml", "churn-route"), edit, "gitops")
        await sim.run(30)
        assert len(sim.store.list("Deployment")) == 1 and sim.condition("Ready")["status"] == "True"

    run(story())


def test_away_from_every_gateway_the_route_goes_at_once() -> None:
    async def story() -> None:
        sim = await settled("gateway")
        del sim.log  # nobody is led anywhere by a route any more
        plain = model("v1", rollout={"deadline": "3m"})
        del plain["spec"]["traffic"], plain["spec"]["analysis"]
        sim.apply(plain)
        await sim.run(30)
        assert not ours(sim) and sim.condition("Ready")["status"] == "True"

    run(story())
