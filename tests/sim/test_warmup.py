"""A model that is warmed: what its rollout tells while it does not answer, what that costs, and how it ends."""

from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim, model, settled
from tests.sim.test_room import put
from tests.sim.test_writes import spent

WARMING: Object = {"name": "warmup", "state": {"running": {}}, "ready": True, "started": True}
SERVER: Object = {"name": "server", "state": {"running": {}}, "ready": False, "started": False}


def pod(revision: str, number: int) -> Object:
    """A pod whose server runs, and whose model has not answered."""
    meta = {"name": f"{revision}-{number}", "namespace": "ml"}
    meta["labels"] = {"penstock.dev/name": "churn", "penstock.dev/revision": revision}  # type: ignore[assignment]
    status = {"containerStatuses": [SERVER], "initContainerStatuses": [WARMING]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


async def tried(sim: Sim) -> str:
    """v2 is tried; its pods are not there yet."""
    sim.apply(model("v2"))
    await sim.run(2)
    return str(sim.status["candidate"]["revision"])


def test_many_pods_that_wait_for_their_model_cost_one_write() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(ready_after=None)})
        revision = await tried(sim)
        for number in range(5):
            put(sim, pod(revision, number))
        assert await spent(sim, 30) == {"ModelDeployment": 1}
        said = f"the model has not answered its warm-up request: kubectl -n ml logs -l penstock.dev/revision={revision}"
        assert said in sim.condition("Ready")["message"]

    run(story())


def test_a_model_that_never_answers_is_taken_back_with_that_cause() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(ready_after=None)})
        put(sim, pod(await tried(sim), 0))
        await sim.run(200)
        (rejected,) = sim.status["rejected"]
        assert rejected["reason"] == "NeverReady" and "has not answered its warm-up request" in rejected["message"]
        assert sim.weights() == {"v1": 100}

    run(story())
