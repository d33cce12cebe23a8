"""Stories at the edges: several wishes at once, wishes in a hurry, a gateway that stops to answer."""

from datetime import timedelta
from typing import Any

from penstock.model.measure import Answer, Question
from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim, model, settled


def replicas(sim: Sim) -> dict[str, int]:
    """Of each version, as its Deployment says."""
    return {sim.version_of(live["metadata"]["name"]): live["spec"]["replicas"] for live in sim.store.list("Deployment")}


def with_steps(version: str, weights: list[int]) -> dict[str, Any]:
    """A wish with other steps than the usual."""
    steps = [{"weight": weight, "duration": "30s"} for weight in weights]
    return model(version, rollout={"canary": {"steps": steps}, "deadline": "3m", "scaleDownDelay": "20s"})


def test_size_and_version_changed_in_one_edit_are_both_honoured() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2", scaling={"minReplicas": 5}))
        await sim.run(10)
        assert replicas(sim)["v1"] == 5, "the size belongs to the object, not to the version"
        assert sim.weights() == {"v1": 95, "v2": 5}
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2" and replicas(sim) == {"v2": 5}

    run(story())


def test_steps_edited_in_mid_rollout_act_on_the_next_one() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(80)
        assert sim.status["candidate"]["step"] == 2
        sim.apply(with_steps("v2", [1]))
        await sim.run(5)
        assert sim.weights() == {"v1": 50, "v2": 50}
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"
        assert {h.get(sim.status["stable"]["revision"]) for h in sim.history} <= {None, 0, 5, 25, 50, 100}
        sim.apply(with_steps("v3", [1]))
        await sim.run(10)
        assert sim.weights() == {"v2": 99, "v3": 1}

    run(story())


def test_versions_in_a_hurry_leave_nothing_behind() -> None:
    async def story() -> None:
        sim = await settled()
        for version in ("v2", "v3", "v4", "v5", "v6"):
            sim.apply(model(version))
            await sim.run(12)
        await sim.run(400)
        assert sim.weights() == {"v6": 100} and replicas(sim) == {"v6": 2}
        assert sorted(live["metadata"]["name"] for live in sim.store.list("Service")) == sorted(
            ["churn", sim.status["stable"]["revision"]]
        )
        assert sim.status.get("rejected", []) == []

    run(story())


def test_a_rejected_version_stays_off_however_often_it_is_applied() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(error_rate=0.3)})
        sim.apply(model("v2"))
        await sim.run(120)
        assert sim.condition("Ready")["reason"] == "RolledBack"
        before = len(sim.history)
        for again in range(10):
            sim.apply(model("v2", scaling={"minReplicas": 2 + again % 2}))
            await sim.run(20)
        assert sim.condition("Ready")["reason"] == "RolledBack"
        assert not any(h.get(sim.status["rejected"][0]["revision"]) for h in sim.history[before:])

    run(story())


def test_a_gateway_that_stops_to_answer_ends_at_the_deadline() -> None:
    async def story() -> None:
        sim = await settled()
        sim.gateway = False
        sim.apply(model("v2"))
        await sim.run(120)
        assert sim.condition("Ready")["reason"] == "WaitingForRoute"
        await sim.run(120)
        assert sim.status["rejected"][0]["reason"] == "RouteNotProgrammed"
        assert sim.status["stable"]["version"] == "v1" and "v2" in replicas(sim), "a 0 that is not confirmed keeps pods"
        sim.gateway = True
        route = ("HTTPRoute", "ml", "churn")
        sim.store.edit(route, lambda live: live["metadata"]["annotations"].update({"touched": "yes"}), "admin")
        await sim.run(120)
        assert sim.weights() == {"v1": 100}

    run(story())


def test_pods_that_die_for_good_end_at_the_deadline() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(60)
        sim.set_ready(sim.status["candidate"]["revision"], 0)
        await sim.run(240)
        assert sim.status["rejected"][0]["version"] == "v2"
        assert sim.weights() == {"v1": 100}

    run(story())


def test_a_clock_that_jumps_forward_never_promotes() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(30)
        sim.jump = timedelta(hours=5)
        await sim.run(60)
        assert sim.status["stable"]["version"] == "v1"

    run(story())


def test_a_sick_home_does_not_keep_the_cure_out() -> None:
    """v1 has lost every pod; v2 is ready. Nobody is answered until v2 has the traffic."""

    async def story() -> None:
        sim = await settled()
        sim.set_ready(sim.status["stable"]["revision"], 0)
        sim.apply(model("v2"))
        await sim.run(10)
        assert sim.weights().get("v2"), "it is ready, and the only one that could answer"
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"

    run(story())


def test_a_turn_that_waited_for_metrics_does_not_write_over_a_newer_wish() -> None:
    """The spec changes while the metric source is asked: what was decided from the old one must die at the fence."""

    async def story() -> None:
        sim = await settled()
        written: list[tuple[int, int]] = []
        before = {"status": sim.status}

        def watch(_: str, live: Object) -> None:
            if live["kind"] == "ModelDeployment" and live["status"] != before["status"]:
                before["status"] = live["status"]
                written.append((live["metadata"]["generation"], live["status"]["observedGeneration"]))

        def edited(sim: Sim, question: Question) -> Answer:
            sim.metrics = None
            sim.apply(model("v3"))
            return sim.count(question)

        sim.store.subscribe(watch)
        sim.metrics = edited
        sim.apply(model("v2"))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v3"
        assert all(generation == observed for generation, observed in written), written

    run(story())


def test_the_late_answer_of_a_write_brings_nothing_back_that_is_gone() -> None:
    """The object is deleted and made anew while the answer to a status write is under way."""

    async def story() -> None:
        sim = await settled()
        patch = sim.kube.update_status

        async def late(live: Object, status: Object) -> Object:
            answer = await patch(live, status)
            sim.kube.update_status = patch
            sim.store.delete("ModelDeployment", "ml", "churn")
            sim.apply(model("v2"))
            return answer

        sim.kube.update_status = late  # type: ignore[method-assign]
        sim.set_ready(sim.status["stable"]["revision"], 1)
        await sim.run(60)
        assert sim.status["stable"]["version"] == "v2"

    run(story())
