"""Stories of a ModelDeployment that is deleted and comes back: what stays, what goes, what the next one makes of it."""

from typing import Any, Literal

import pytest

from penstock.model.faults import Retry
from tests.fake.clock import run
from tests.sim.given import behind, delete, names, plain, watched
from tests.sim.machine import Nature, Object, Sim, model

STAYS = {"deletionPolicy": "Orphan"}
KINDS = ("Deployment", "Service", "ControllerRevision", "PodDisruptionBudget", "HTTPRoute", "HorizontalPodAutoscaler")


def owners(sim: Sim) -> list[Object]:
    """All owner references of what Penstock made."""
    lives = [live for kind in KINDS for live in sim.store.list(kind)]
    return [ref for live in lives for ref in live["metadata"].get("ownerReferences") or []]


def births(sim: Sim) -> list[tuple[str, str]]:
    """Every object that was made, in order."""
    return [(live["kind"], live["metadata"]["name"]) for change, live in sim.store.history if change == "ADDED"]


def cascade_orphan(sim: Sim) -> None:
    """`kubectl delete mdep churn --cascade=orphan`: the garbage collector takes the references off first."""
    for kind in KINDS:
        for live in sim.store.list(kind):
            ref = (kind, "ml", live["metadata"]["name"])
            sim.store.edit(ref, lambda o: o["metadata"].pop("ownerReferences", None), "gc")
    delete(sim)


async def serving(version: str = "v1", natures: dict[str, Nature] | None = None, **spec: Any) -> Sim:
    sim = Sim(natures or {})
    sim.apply(model(version, **spec))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    return sim


def test_delete_takes_everything_along() -> None:
    async def story() -> None:
        sim = await serving()
        delete(sim)
        await sim.run(30)
        assert [live for kind in KINDS for live in sim.store.list(kind)] == []

    run(story())


def test_orphan_leaves_everything_and_everything_serves() -> None:
    async def story() -> None:
        sim = await serving(**STAYS)
        assert owners(sim) == []
        before = {kind: sim.store.list(kind) for kind in KINDS}
        delete(sim)
        await sim.run(60)
        assert {kind: sim.store.list(kind) for kind in KINDS} == before

    run(story())


def test_the_policy_can_be_changed_there_and_back_and_ready_says_when_it_holds() -> None:
    async def story() -> None:
        sim = await serving()
        assert len(owners(sim)) == 6
        told: list[str] = []

        def look(_: str, live: Object) -> None:
            ready = next((c for c in live.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
            if live["kind"] == "ModelDeployment" and ready["observedGeneration"] == live["metadata"]["generation"]:
                told.append(ready["reason"])
                assert ready["status"] == "False" or not owners(sim), "whoever waits for Ready may delete now"

        sim.store.subscribe(look)
        sim.kube.fail_next("apply", "PodDisruptionBudget", Retry(5, "down"))
        sim.apply(model("v1", **STAYS))
        await sim.run(30)
        assert owners(sim) == [] and told == ["Releasing", "Settled"]
        writes = len(sim.kube.writes)
        await sim.run(120)
        assert len(sim.kube.writes) == writes
        sim.store.unsubscribe(look)
        sim.apply(model("v1"))
        await sim.run(30)
        assert len(owners(sim)) == 6 and sim.condition("Ready")["status"] == "True"

    run(story())


@pytest.mark.parametrize("way", ["policy", "cascade"])
@pytest.mark.parametrize("policy", ["Delete", "Orphan"])
def test_the_same_spec_again_goes_on_where_it_was(way: str, policy: str) -> None:
    async def story() -> None:
        sim = await serving(**(STAYS if way == "policy" else {}))
        revision = sim.status["stable"]["revision"]
        watched(sim, 2)
        (delete if way == "policy" else cascade_orphan)(sim)
        await sim.run(30)
        count, template = len(births(sim)), sim.store.entries["Deployment", "ml", revision].live["spec"]["template"]
        route = sim.store.get("HTTPRoute", "ml", "churn")
        sim.apply(model("v1", deletionPolicy=policy))
        await sim.run(30)
        assert sim.status["stable"] | {"url": ""} == {"revision": revision, "version": "v1", "weight": 100, "url": ""}
        assert sim.condition("Ready")["status"] == "True"
        new = [kind for kind, _ in births(sim)[count:]]
        assert sorted(new) == ["Event", "ModelDeployment"] and sim.reasons()[-1] == "Adopted"
        live = sim.store.get("HTTPRoute", "ml", "churn")
        assert route and live and live["spec"] == route["spec"]
        assert sim.store.entries["Deployment", "ml", revision].live["spec"]["template"] == template
        assert len(owners(sim)) == (6 if policy == "Delete" else 0)

    run(story())


@pytest.mark.parametrize("gateway", [True, False])
def test_another_spec_is_a_rollout_against_what_was_left(gateway: bool) -> None:
    async def story() -> None:
        make = model if gateway else plain
        sim = Sim({"v2": Nature(ready_after=20)})
        sim.apply(make("v1", **STAYS))
        await sim.run(60)
        watched(sim, 2)
        delete(sim)
        await sim.run(10)
        sim.apply(make("v2", **STAYS))
        await sim.run(10)
        assert sim.status["stable"]["version"] == "v1" and sim.status["candidate"]["version"] == "v2"
        assert sim.weights().get("v1", 100) == 100, "it is not ready"
        await sim.run(400)
        assert sim.status["stable"]["version"] == "v2" and len(names(sim, "Deployment")) == 1
        if gateway:
            assert sim.weights() == {"v2": 100}
            assert len({tuple(h.values()) for h in sim.history}) > 4, "it walked its steps"

    run(story())


def test_a_bad_other_spec_is_rejected_and_what_was_left_serves_on() -> None:
    async def story() -> None:
        sim = await serving("v1", {"v2": Nature(error_rate=0.4)}, **STAYS)
        delete(sim)
        await sim.run(10)
        sim.apply(model("v2", **STAYS))
        await sim.run(200)
        assert sim.condition("Ready")["reason"] == "RolledBack" and sim.weights() == {"v1": 100}

    run(story())


@pytest.mark.parametrize("again", ["v1", "v2", "v3"])
def test_deleted_in_mid_rollout_nobody_who_has_traffic_is_removed(again: str) -> None:
    async def story() -> None:
        sim = await serving(**STAYS)
        sim.apply(model("v2", **STAYS))
        await sim.run(45)
        assert sim.weights() == {"v1": 75, "v2": 25}
        delete(sim)
        await sim.run(10)
        watched(sim, 2)
        sim.store.subscribe(lambda change, live: served(sim, change, live))
        sim.apply(model(again, **STAYS))
        await sim.run(15)
        assert len(names(sim, "Deployment")) == (3 if again == "v3" else 2), "what left keeps its pods for a while"
        await sim.run(500)
        assert sim.status["stable"]["version"] == again and sim.weights() == {again: 100}
        assert len(names(sim, "Deployment")) == 1 and sim.condition("Ready")["status"] == "True"

    run(story())


def served(sim: Sim, change: str, live: Object) -> None:
    """What has a share in the route is not deleted."""
    route = sim.store.get("HTTPRoute", "ml", "churn")
    shares = {r["name"]: r["weight"] for r in route["spec"]["rules"][0]["backendRefs"]} if route else {}
    assert not (change == "DELETED" and shares.get(live["metadata"]["name"])), live["metadata"]["name"]


def test_a_status_that_was_lost_stops_nobody_from_serving() -> None:
    """A backup that was restored without its status, or a hand that emptied it."""

    async def story() -> None:
        sim = await serving()
        sim.apply(model("v2"))
        await sim.run(45)
        sim.store.subscribe(lambda change, live: served(sim, change, live))
        watched(sim, 2)
        sim.store.edit(("ModelDeployment", "ml", "churn"), lambda live: live.update(status={}), "hand")
        await sim.restart()
        await sim.run(400)
        assert sim.weights() == {"v2": 100} and sim.status["stable"]["version"] == "v2"

    run(story())


WRITES = 20  # at least as many as the story has; the next test says so


async def told(crash: tuple[int, Literal["before", "after"]] | None) -> Sim:
    """v1 was left behind; v2 without a gateway takes over."""
    sim = Sim()
    sim.apply(plain("v1", **STAYS))
    await sim.run(60)
    delete(sim)
    await sim.restart()
    await sim.run(5)
    watched(sim, 3)
    if crash:
        sim.kube.crash_at(*crash)
    sim.apply(plain("v2"))
    await sim.run(90)
    return sim


def test_taking_over_orphans_has_no_more_writes_than_are_crashed_at() -> None:
    async def story() -> None:
        sim = await told(None)
        assert 10 <= len(sim.kube.writes) <= WRITES, len(sim.kube.writes)

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_at_any_write_of_a_takeover_changes_nothing(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await told((write, when))
        assert sim.status["stable"]["version"] == "v2" and behind(sim) == 3
        assert len(names(sim, "Deployment")) == 1 and sim.condition("Ready")["status"] == "True"

    run(story())
