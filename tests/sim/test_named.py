"""Named cases of delivery (docs/testing.md) that belong to no other story: a stable side that shrank, many hands."""

import asyncio

from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim
from tests.sim.stories import STEP, count, ends, path, replicas, revision, rolling, stable, step, why, wishing

CANARY = {"canary": {"steps": [STEP]}}


def test_traffic_returns_to_a_stable_side_that_shrank_only_as_its_pods_come_back() -> None:
    """It had given its pods away for the candidate's: four of them carry everything, two of them half."""

    async def story() -> None:
        natures = {"v2": Nature(error_rate=0.3)}
        sim = await rolling(wishing(CANARY | {"capacityPolicy": "Replace"}, scaling={"minReplicas": 4}), natures, 8)
        home = revision(sim, "v1")
        assert sim.weights() == {"v1": 50, "v2": 50} and replicas(sim) == {"v1": 2, "v2": 2}
        natures["v1"] = Nature(ready_after=20)
        shares: list[tuple[int, int]] = []
        for _ in range(120):
            await sim.run(0.5)
            deployment = sim.store.get("Deployment", "ml", home)
            assert deployment
            shares.append((sim.weights()["v1"], deployment["status"].get("readyReplicas", 0)))
        assert ends(sim)[-1] == ("v2", "ErrorRateAboveLimit")
        assert all(100 * ready // 4 >= share for share, ready in shares), shares
        assert shares[-1] == (100, 4) and replicas(sim) == {"v1": 4}

    run(story())


def scale(sim: Sim, name: str, size: int) -> None:
    """What an autoscaler does."""

    def change(live: Object) -> None:
        live["spec"]["replicas"] = size

    if sim.store.get("Deployment", "ml", name):
        sim.store.edit(("Deployment", "ml", name), change, "hpa")


def autoscaled(natures: dict[str, Nature]) -> Sim:
    """A cluster with an autoscaler that asks for the minimum."""
    sim = Sim(natures, metrics=count)

    def follow(_: str, live: Object) -> None:
        if live["kind"] == "HorizontalPodAutoscaler":
            least = live["spec"]["minReplicas"]
            asyncio.get_running_loop().call_later(0.1, scale, sim, live["metadata"]["name"], least)

    sim.store.subscribe(follow)
    return sim


def test_an_autoscaler_that_acts_in_a_rollback_keeps_no_traffic_back() -> None:
    async def story() -> None:
        scaling = {"minReplicas": 2, "maxReplicas": 8, "metrics": [{"name": "cpu", "target": 70}]}
        wish, sim = wishing(CANARY, scaling=scaling), autoscaled({"v2": Nature(error_rate=0.3)})
        sim.apply(wish("v1"))
        await sim.run(60)
        sim.apply(wish("v2"))
        await sim.run(8)
        names = revision(sim, "v1"), revision(sim, "v2")
        for size in (5, 3, 8, 2, 4, 6, 2, 8):
            for name in names:
                scale(sim, name, size)
            await sim.run(1)
        assert sim.weights()["v1"] == 100 and ends(sim)[-1] == ("v2", "ErrorRateAboveLimit")
        await sim.run(60)
        assert replicas(sim) == {"v1": 8}, "the autoscaler's word stands"

    run(story())


def test_many_hands_on_one_object_neither_stop_it_nor_heat_it() -> None:
    """Twenty writers touch labels and annotations twice a second; the rollout ends as if nobody did."""

    async def story() -> None:
        sim = await rolling(wishing(CANARY))
        before = len(sim.kube.writes)
        for number in range(240):

            def touch(live: Object, number: int = number) -> None:
                live["metadata"].setdefault("labels", {})[f"writer-{number % 20}"] = str(number)

            sim.store.edit(("ModelDeployment", "ml", "churn"), touch, f"writer-{number % 20}")
            await sim.run(0.5)
        assert stable(sim) == "v2" and why(sim) == "Settled"
        assert len(sim.kube.writes) - before < 60

    run(story())


def test_stable_pods_that_die_in_a_canary_do_not_send_their_share_astray() -> None:
    """A home without a pod gets nothing more; what can answer keeps what it has, and it goes on once home is back."""

    async def story() -> None:
        sim = await rolling(wishing(CANARY), seconds=8)
        walked = path(sim)
        sim.set_ready(revision(sim, "v1"), 0)
        await sim.run(5)
        assert sim.weights()["v2"] >= 50 and sim.condition("Available")["status"] == "False"
        sim.set_ready(revision(sim, "v1"), 2)
        await sim.run(120)
        assert stable(sim) == "v2" and step(sim) is None and walked[-1] == "100"

    run(story())
