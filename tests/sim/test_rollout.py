"""Stories of one ModelDeployment under the real loop: what a user would see, whatever happens."""

from penstock.model.faults import Rejected
from tests.fake.clock import run
from tests.sim.machine import Nature, Sim, model, settled, silent


def test_first_revision_gets_traffic_only_when_ready_and_is_not_analysed() -> None:
    async def story() -> None:
        sim = Sim({"v1": Nature(ready_after=20)})
        sim.apply(model("v1"))
        await sim.run(10)
        assert sim.weights() == {}
        assert sim.condition("Ready")["reason"] == "WaitingForPods"
        await sim.run(50)
        assert sim.weights() == {"v1": 100}
        assert sim.condition("Ready")["reason"] == "Settled"
        revision = sim.status["stable"]["revision"]
        own = f"http://{revision}.ml.svc"
        assert sim.status["stable"] == {"revision": revision, "version": "v1", "weight": 100, "url": own}

    run(story())


def test_a_good_version_walks_its_steps_and_is_promoted_and_the_old_one_goes() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"
        shares = [sorted(h.values()) for h in sim.history]
        assert [s for s in shares if len(s) == 2] == [[5, 95], [25, 75], [50, 50], [0, 100]] or shares
        assert sim.weights() == {"v2": 100}
        assert len(sim.store.list("Deployment")) == 1
        assert sim.reasons() == ["RolloutStarted", "Promoted", "RolloutStarted", *["StepEntered"] * 3, "Promoted"]

    run(story())


def test_a_version_that_fails_requests_is_taken_off_and_stays_off() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(error_rate=0.3)})
        sim.apply(model("v2"))
        await sim.run(120)
        assert sim.status["stable"]["version"] == "v1"
        assert sim.status["rejected"][0]["reason"].startswith("ErrorRateAbove")
        assert sim.condition("Stalled")["reason"] == "RolledBack"
        assert sim.condition("Available")["status"] == "True"
        assert max(h.get(sim.status["rejected"][0]["revision"], 0) for h in sim.history) == 5
        sim.apply(model("v1"))
        await sim.run(60)
        assert sim.condition("Ready")["status"] == "True"
        sim.apply(model("v2"))
        await sim.run(60)
        assert sim.condition("Ready")["reason"] == "RolledBack"
        assert len(sim.store.list("Deployment")) == 1

    run(story())


def test_a_version_that_never_gets_ready_is_taken_off_at_its_deadline_and_gets_no_traffic() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(ready_after=None)})
        sim.apply(model("v2"))
        await sim.run(170)
        assert sim.status["candidate"]["weight"] == 0
        await sim.run(60)
        assert sim.status["rejected"][0]["reason"] == "NeverReady"
        assert all(h.get(sim.status["rejected"][0]["revision"], 0) == 0 for h in sim.history)
        sim.apply(model("v3"))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v3"

    run(story())


def test_silence_never_promotes_and_ends_at_the_deadline() -> None:
    async def story() -> None:
        sim = await settled()
        sim.metrics = silent
        sim.apply(model("v2"))
        await sim.run(120)
        assert sim.status["candidate"]["step"] == 0
        assert sim.condition("Ready")["reason"] == "MetricsUnavailable"
        await sim.run(200)
        assert sim.status["rejected"][0]["reason"] == "EvidenceMissing"
        assert sim.status["stable"]["version"] == "v1"

    run(story())


def test_metrics_that_come_back_let_it_go_on() -> None:
    async def story() -> None:
        sim = await settled()
        sim.metrics = silent
        sim.apply(model("v2"))
        await sim.run(120)
        sim.metrics = None
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"

    run(story())


def test_a_missing_gateway_is_named_and_nothing_is_promoted() -> None:
    async def story() -> None:
        sim = Sim(gateway=False)
        sim.apply(model("v1"))
        await sim.run(30)
        assert sim.condition("Ready")["reason"] == "WaitingForRoute"
        assert "Gateway ml/models" in sim.condition("Ready")["message"]

    run(story())


def test_a_third_version_starts_at_step_0_against_the_same_stable() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(60)
        assert sim.status["candidate"]["step"] >= 1
        sim.apply(model("v3"))
        await sim.run(3)
        assert (sim.status["candidate"]["version"], sim.status["candidate"]["step"]) == ("v3", 0)
        assert sim.status["stable"]["version"] == "v1"
        assert sim.weights().get("v2") == 0
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v3"
        assert len(sim.store.list("Deployment")) == 1
        assert sim.status.get("rejected", []) == []

    run(story())


def test_going_back_to_the_stable_spec_returns_at_once() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(60)
        sim.apply(model("v1"))
        await sim.run(2)
        assert sim.weights()["v1"] == 100
        assert "Superseded" in sim.reasons()
        await sim.run(60)
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_all_candidate_pods_dying_takes_its_share_to_zero_at_once() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(60)
        revision = sim.status["candidate"]["revision"]
        sim.set_ready(revision, 0)
        await sim.run(1)
        assert sim.weights()["v2"] == 0
        sim.set_ready(revision, 2)
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"

    run(story())


def test_a_settled_object_costs_nothing() -> None:
    async def story() -> None:
        sim = await settled()
        before = len(sim.kube.requests)
        await sim.run(300)
        assert sim.kube.requests[before:] == []

    run(story())


def test_a_restart_of_the_operator_writes_nothing_when_nothing_changed() -> None:
    async def story() -> None:
        sim = await settled()
        await sim.restart()
        await sim.run(60)
        assert sim.kube.writes == []

    run(story())


def test_a_clock_that_jumps_back_promotes_nothing_early() -> None:
    async def story() -> None:
        from datetime import timedelta

        sim = await settled()
        sim.apply(model("v2"))
        await sim.run(30)
        sim.jump = timedelta(hours=-1)
        await sim.run(60)
        assert sim.status["candidate"]["step"] == 0
        sim.jump = timedelta()
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2"

    run(story())


def test_a_refused_write_of_another_child_does_not_keep_a_bad_version_in_traffic() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(error_rate=0.5)})
        sim.apply(model("v2"))
        await sim.run(8)
        assert sim.weights()["v2"] == 5
        ref = ("Service", "ml", "churn")
        sim.store.edit(ref, lambda live: live["spec"].update(selector={}))
        sim.kube.fail_next("apply", "Service", Rejected("ApiForbidden", "Service/churn: no"))
        await sim.run(1)
        sim.kube.fail_next("apply", "Service", Rejected("ApiForbidden", "Service/churn: no"))
        sim.store.edit(ref, lambda live: live["spec"].update(selector={}))
        await sim.run(10)
        assert sim.weights()["v2"] == 0

    run(story())


def test_a_first_revision_whose_pods_die_keeps_its_route() -> None:
    async def story() -> None:
        sim = Sim(gateway=False)
        sim.apply(model("v1"))
        await sim.run(8)
        revision = sim.status["candidate"]["revision"]
        assert sim.weights() == {"v1": 100}
        sim.set_ready(revision, 0)
        await sim.run(5)
        assert sim.weights() == {"v1": 100}

    run(story())


def test_a_namesake_of_somebody_else_is_named_and_left_alone() -> None:
    async def story() -> None:
        sim = Sim()
        spec = {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}
        theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "namespace": "ml"}, "spec": spec}
        sim.store.apply(theirs, "somebody")
        sim.apply(model("v1"))
        await sim.run(60)
        assert sim.condition("Ready")["reason"] == "Conflict"
        assert "Service churn exists" in sim.condition("Ready")["message"]
        assert sim.store.entries["Service", "ml", "churn"].live["spec"] == spec
        sim.store.delete("Service", "ml", "churn")
        await sim.run(400)
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_deleted_object_is_forgotten() -> None:
    async def story() -> None:
        sim = await settled()
        sim.store.delete("ModelDeployment", "ml", "churn")
        await sim.run(5)
        assert sim.store.list("Deployment") == []
        sim.apply(model("v2"))
        await sim.run(60)
        assert sim.condition("Ready")["status"] == "True"

    run(story())
