"""Writes are budgeted: each transition writes exactly this, so that a new feature that writes more is seen at once."""

from collections import Counter

from tests.fake.clock import run
from tests.sim.machine import Nature, Sim, model

Writes = dict[str, int]


async def spent(sim: Sim, seconds: float) -> Writes:
    """The writes of the next seconds, by kind; deletions apart."""
    before = len(sim.kube.writes)
    await sim.run(seconds)
    new = sim.kube.writes[before:]
    return dict(Counter(("-" if verb == "delete" else "") + kind for verb, kind, _ in new))


CREATED = {
    "ModelDeployment": 1,
    "Event": 1,
    "ControllerRevision": 1,
    "Deployment": 1,
    "Service": 2,
    "PodDisruptionBudget": 1,
}


def test_creation_until_settled() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(model("v1"))
        assert await spent(sim, 1) == CREATED
        # ready: status and route; the gateway has not answered yet: status; confirmed and stable: status and Event
        assert await spent(sim, 60) == {"ModelDeployment": 3, "HTTPRoute": 1, "Event": 1}

    run(story())


def test_a_rollout() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(model("v1"))
        await sim.run(60)
        sim.apply(model("v2"))
        started = await spent(sim, 1)
        one = {"ModelDeployment": 1, "Event": 1, "ControllerRevision": 1, "Deployment": 1, "Service": 1}
        assert started == one | {"HTTPRoute": 1}, "the candidate is listed at weight 0"
        # ready: status and route; confirmed: status
        assert await spent(sim, 5) == {"ModelDeployment": 2, "HTTPRoute": 1}
        # a look, one on the beat and two more, then the step's: one status each; the step also an Event and the route
        assert await spent(sim, 31.6) == {"ModelDeployment": 5, "HTTPRoute": 1, "Event": 1}
        # confirmed, three looks, the step
        assert await spent(sim, 31.5) == {"ModelDeployment": 5, "HTTPRoute": 1, "Event": 1}
        # confirmed, three looks, the last step, for which the candidate grows to full size
        assert await spent(sim, 31.5) == {"ModelDeployment": 5, "Deployment": 1, "Event": 1}
        # grown: status and route; confirmed: status, Event, and the apex Service points to the new revision
        assert await spent(sim, 10) == {"ModelDeployment": 2, "HTTPRoute": 1, "Service": 1, "Event": 1}
        # the old one is unlisted (fenced), then removed (fenced), then forgotten
        assert await spent(sim, 60) == {"ModelDeployment": 3, "HTTPRoute": 1, "-Deployment": 1, "-Service": 1}
        assert await spent(sim, 300) == {}

    run(story())


def test_a_rollback() -> None:
    async def story() -> None:
        sim = Sim({"v2": Nature(error_rate=0.5)})
        sim.apply(model("v1"))
        await sim.run(60)
        sim.apply(model("v2"))
        await sim.run(7)
        # the look: status, Event, and the route at weight 0 - before any pod is touched; confirmed: status
        assert await spent(sim, 10) == {"ModelDeployment": 2, "Event": 1, "HTTPRoute": 1}
        # unlisted, removed, forgotten; the record goes too, as nobody goes back to a rejected revision
        gone = {"-Deployment": 1, "-Service": 1, "-ControllerRevision": 1}
        assert await spent(sim, 60) == {"ModelDeployment": 3, "HTTPRoute": 1} | gone
        assert await spent(sim, 300) == {}

    run(story())


def test_drift_is_repaired_once() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(model("v1"))
        await sim.run(60)
        ref = ("Service", "ml", "churn")
        sim.store.edit(ref, lambda live: live["spec"]["selector"].update({"penstock.dev/revision": "elsewhere"}))
        assert await spent(sim, 60) == {"ModelDeployment": 1, "Service": 1}
        assert sim.store.entries[ref].live["spec"]["selector"] != {"penstock.dev/revision": "elsewhere"}

    run(story())
