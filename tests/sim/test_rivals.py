"""Stories of somebody who works on what is ours: put right where that helps, named where it would be a fight."""

from tests.fake.clock import run
from tests.sim.given import LABEL, OLD, autoscaler, behind, plain, running
from tests.sim.machine import Object, Sim


def front(sim: Sim) -> Object:
    live = sim.store.get("Service", "ml", "churn")
    assert live
    return live


def test_somebody_who_adds_to_our_selector_is_put_right() -> None:
    """A tool that still holds the old manifest merges its labels into the selector; together they select nothing."""

    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        sim.apply(plain("v1"))
        await sim.run(60)
        sim.store.edit(("Service", "ml", "churn"), lambda s: s["spec"]["selector"].update(OLD), "helm")
        await sim.run(1)
        assert front(sim)["spec"]["selector"] == {"penstock.dev/revision": sim.status["stable"]["revision"]}
        assert behind(sim) == 3

    run(story())


def test_somebody_elses_autoscaler_on_our_deployment_is_named_and_not_fought() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(plain("v1"))
        await sim.run(60)
        revision = sim.status["stable"]["revision"]
        sim.store.apply(autoscaler(revision), "somebody")
        ref = ("Deployment", "ml", revision)
        sim.store.edit(ref, lambda live: live["spec"].update(replicas=7), "kube-controller-manager")
        await sim.run(5)
        message = sim.condition("Ready")["message"]
        assert sim.condition("Ready")["reason"] == "Conflict" and sim.condition("Stalled")["status"] == "True"
        assert f"HorizontalPodAutoscaler theirs scales Deployment {revision}" in message
        await sim.run(600)
        assert ("apply", *ref[::2]) not in sim.kube.writes[-30:], "no fight"
        assert sim.condition("Ready")["message"] == message
        assert sim.store.entries[ref].live["spec"]["replicas"] == 7
        sim.store.edit(ref, lambda live: live["spec"].update(replicas=3), "kube-controller-manager")
        await sim.run(150)
        assert sim.condition("Ready")["message"] == message, "it happens to agree, and may scale again at any time"
        sim.store.edit(ref, lambda live: live["spec"].update(replicas=7), "kube-controller-manager")
        sim.store.delete("HorizontalPodAutoscaler", "ml", "theirs")
        await sim.run(130)
        assert sim.store.entries[ref].live["spec"]["replicas"] == 3
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_number_that_a_person_changed_is_put_right() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(plain("v1"))
        await sim.run(60)
        ref = ("Deployment", "ml", sim.status["stable"]["revision"])
        sim.store.edit(ref, lambda live: live["spec"].update(replicas=7), "kubectl")
        await sim.run(10)
        assert sim.store.entries[ref].live["spec"]["replicas"] == 3
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_two_autoscalers_on_the_same_pods_are_told_as_kubernetes_tells_it() -> None:
    async def story() -> None:
        sim = Sim()
        both = {"minReplicas": 1, "maxReplicas": 5, "metrics": [{"name": "cpu", "target": 70}]}
        sim.apply(plain("v1", scaling=both))
        await sim.run(60)
        told = {"type": "ScalingActive", "status": "False", "reason": "AmbiguousSelector", "message": "by theirs too"}
        ref = ("HorizontalPodAutoscaler", "ml", sim.status["stable"]["revision"])
        sim.store.edit(ref, lambda live: live.update(status={"conditions": [told]}), "hpa")
        await sim.run(5)
        assert sim.condition("Ready")["reason"] == "Conflict" and "theirs" in sim.condition("Ready")["message"]
        sim.store.edit(ref, lambda live: live.update(status={"conditions": []}), "hpa")
        await sim.run(5)
        assert sim.condition("Ready")["status"] == "True"

    run(story())
