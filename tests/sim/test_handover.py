"""A fixed number of replicas and an autoscaler take turns: nobody loses a pod by the change itself."""

from itertools import permutations
from math import ceil
from typing import Literal

import pytest

from penstock.model.platform import Platform, Scaler
from tests.fake.clock import run
from tests.sim.machine import Sim, model
from tests.sim.test_writes import spent

FIXED = {"minReplicas": 10}
SCALED = {"minReplicas": 2, "maxReplicas": 20, "metrics": [{"name": "cpu", "target": 70}]}


def stable(sim: Sim) -> tuple[str, str, str]:
    return ("Deployment", "ml", sim.status["stable"]["revision"])


def number(sim: Sim) -> int:
    return int(sim.store.entries[stable(sim)].live["spec"].get("replicas", 1))


def scale(sim: Sim, replicas: int) -> None:
    """What an autoscaler does."""
    sim.store.edit(stable(sim), lambda live: live["spec"].update(replicas=replicas), "kube-controller-manager")


async def with_ten() -> Sim:
    sim = Sim()
    sim.apply(model("v1", scaling=FIXED))
    await sim.run(60)
    assert number(sim) == 10
    return sim


def seen(sim: Sim) -> list[int]:
    """The numbers that all Deployments have from now on, after every write."""
    found: list[int] = []
    sim.store.subscribe(
        lambda _, live: found.append(live["spec"].get("replicas", 1)) if live["kind"] == "Deployment" else None
    )
    return found


def test_an_autoscaler_begins_with_the_pods_that_are_there() -> None:
    async def story() -> None:
        sim = await with_ten()
        numbers = seen(sim)
        sim.apply(model("v1", scaling=SCALED))
        # the status, the number's second owner, the Deployment that says no number, the autoscaler
        assert await spent(sim, 60) == {"ModelDeployment": 1, "Deployment": 2, "HorizontalPodAutoscaler": 1}
        assert set(numbers) == {10}
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_what_an_autoscaler_says_outlives_every_repair() -> None:
    async def story() -> None:
        sim = await with_ten()
        sim.apply(model("v1", scaling=SCALED))
        await sim.run(60)
        scale(sim, 14)
        assert await spent(sim, 60) == {"ModelDeployment": 2}, "14 wanted, 14 ready"
        sim.store.edit(stable(sim), lambda live: live["spec"].update(revisionHistoryLimit=3), "kubectl")
        assert await spent(sim, 60) == {"ModelDeployment": 1, "Deployment": 1}, "a repair needs no second owner"
        sim.apply(model("v1", scaling=SCALED, deletionPolicy="Orphan"))
        await sim.run(60)
        assert number(sim) == 14

    run(story())


def test_back_to_a_fixed_number_and_once_more() -> None:
    async def story() -> None:
        sim = await with_ten()
        for fixed in (4, 14, 14):
            sim.apply(model("v1", scaling=SCALED))
            await sim.run(60)
            scale(sim, 14)
            numbers = seen(sim)
            sim.apply(model("v1", scaling={"minReplicas": fixed}))
            await sim.run(60)
            assert set(numbers) == {fixed}
            assert not sim.store.list("HorizontalPodAutoscaler")
            sim.apply(model("v1", scaling=SCALED))
            await sim.run(60)
            assert set(numbers) == {fixed}

    run(story())


def test_a_rollout_in_mid_walk_keeps_both_numbers() -> None:
    async def story() -> None:
        sim = await with_ten()
        sim.apply(model("v2", scaling=FIXED))
        await sim.run(45)
        assert sim.status["candidate"]["step"] == 1
        before = {live["metadata"]["name"]: live["spec"]["replicas"] for live in sim.store.list("Deployment")}
        assert sorted(before.values()) == [3, 10]
        sim.apply(model("v2", scaling=SCALED))
        await sim.run(5)
        after = {live["metadata"]["name"]: live["spec"].get("replicas", 1) for live in sim.store.list("Deployment")}
        assert after == before

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_crash_at_any_write_loses_no_pod(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await with_ten()
        numbers = seen(sim)
        sim.kube.crash_at(len(sim.kube.writes) + write, when)
        dying = sim.kube
        sim.apply(model("v1", scaling=SCALED))
        await sim.run(60)
        assert sim.kube is not dying, "it died"
        assert set(numbers) == {10}
        scale(sim, 14)
        await sim.run(60)
        assert number(sim) == 14
        assert sim.store.list("HorizontalPodAutoscaler")[0]["spec"]["maxReplicas"] == 20

    run(story())


def test_a_number_that_changes_between_look_and_write_wins() -> None:
    """The second owner repeats a number that is old by then: refused, and the next turn looks again."""

    async def story() -> None:
        sim = await with_ten()
        numbers = seen(sim)
        sim.kube.on_request = lambda verb, kind, *_: scale(sim, 14) if (verb, kind) == ("get", "Deployment") else None
        sim.apply(model("v1", scaling=SCALED))
        await sim.run(60)
        assert set(numbers) == {14}

    run(story())


KEDA = Platform(scaler=Scaler.KEDA, live="http://penstock-live.penstock-system.svc/live")
WAYS = {"fixed": (FIXED, Platform()), "hpa": (SCALED, Platform()), "keda": (SCALED, KEDA)}


@pytest.mark.parametrize(("before", "after"), list(permutations(WAYS, 2)))
def test_from_each_way_to_each_other_never_two_at_a_time_and_no_pod_is_lost(before: str, after: str) -> None:
    async def story() -> None:
        (wish, platform), (later, then) = WAYS[before], WAYS[after]
        sim = await with_ten()
        sim.platform = platform
        await sim.restart()
        sim.apply(model("v1", scaling=wish))
        await sim.run(60)
        numbers, both = seen(sim), []
        sim.store.subscribe(lambda *_: both.append(len(scalers(sim))))
        sim.platform = then
        await sim.restart()
        sim.apply(model("v1", scaling=later))
        await sim.run(60)
        assert set(numbers) <= {10} and max(both) <= 1
        assert scalers(sim) == {"fixed": [], "hpa": ["HorizontalPodAutoscaler"], "keda": ["ScaledObject"]}[after]
        assert number(sim) == 10 and sim.condition("Ready")["status"] == "True"

    run(story())


def scalers(sim: Sim) -> list[str]:
    return [live["kind"] for kind in ("HorizontalPodAutoscaler", "ScaledObject") for live in sim.store.list(kind)]


def sync(sim: Sim, ratio: float) -> None:
    """One look of an autoscaler at every revision by itself: its formula, with its tolerance of a tenth."""
    for scaler in sim.store.list("HorizontalPodAutoscaler"):
        ref, bounds = ("Deployment", "ml", scaler["metadata"]["name"]), scaler["spec"]
        now = sim.store.entries[ref].live["spec"].get("replicas", 1) if ref in sim.store.entries else 0
        wanted = now if abs(ratio - 1) <= 0.1 else ceil(now * ratio)
        wanted = min(max(wanted, bounds["minReplicas"]), bounds["maxReplicas"])
        if now and wanted != now:
            sim.store.edit(ref, lambda live, to=wanted: live["spec"].update(replicas=to), "kube-controller-manager")


@pytest.mark.parametrize(("ratio", "ends"), [(0.70 / 0.65, 5), (0.5, 2)], ids=["memory a bit over", "load is gone"])
def test_rollouts_do_not_ratchet_the_replicas_up(ratio: float, ends: int) -> None:
    """Five pods by load; two rollouts; memory a bit over its target: five stay five, and go when the load does."""

    async def story() -> None:
        sim = Sim()
        sim.apply(model("v1", scaling=SCALED))
        for _ in range(4):
            await sim.run(15)
            sync(sim, 1.0)
        scale(sim, 5)
        for version in ("v2", "v3"):
            sim.apply(model(version, scaling=SCALED))
            for _ in range(20):
                await sim.run(15)
                sync(sim, ratio)
                assert sum(live["spec"].get("replicas", 1) for live in sim.store.list("Deployment")) <= 10
            assert sim.status["stable"]["version"] == version
        (scaler,) = sim.store.list("HorizontalPodAutoscaler")
        assert scaler["spec"]["minReplicas"] == 2 and number(sim) == ends

    run(story())
