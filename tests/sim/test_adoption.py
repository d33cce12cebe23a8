"""Stories of what was there before: handed over, not handed over, taken back, and in whose way it stands."""

from typing import Literal

import pytest

from penstock.model.faults import Stale
from penstock.shell.claims import claim
from tests.fake.clock import run
from tests.sim.given import (
    LABEL,
    OLD,
    autoscaler,
    behind,
    delete,
    deployment,
    give,
    names,
    plain,
    running,
    service,
    watched,
)
from tests.sim.machine import Nature, Object, Sim, model, settled


def front(sim: Sim) -> Object:
    live = sim.store.get("Service", "ml", "churn")
    assert live
    return live


def test_a_deployment_and_its_service_are_taken_over_and_no_ready_pod_is_missed() -> None:
    async def story() -> None:
        sim = Sim({"v1": Nature(ready_after=30)})
        await running(sim, LABEL)
        seen = watched(sim, 3)
        sim.apply(plain("v1"))
        await sim.run(20)
        assert front(sim)["spec"]["selector"] == OLD, "nothing is touched before the new pods are ready"
        assert sim.condition("Available")["message"].startswith("Deployment old answers until")
        assert sim.condition("Available")["status"] == "True" and sim.condition("Ready")["reason"] == "WaitingForPods"
        await sim.run(15)
        revision = sim.status["stable"]["revision"]
        live = front(sim)
        assert live["spec"]["selector"] == {"penstock.dev/revision": revision}
        assert [(p["port"], p["targetPort"]) for p in live["spec"]["ports"]] == [(8080, "http"), (80, 8080)]
        assert live["spec"]["clusterIP"] == "10.0.0.7" and live["metadata"]["annotations"]["team"] == "risk"
        assert live["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"
        assert [g["revision"] for g in sim.status["leaving"]] == ["old"] and "old" in names(sim, "Deployment")
        assert sim.status["next"]["what"] == "the pods of old go"
        await sim.run(25)
        assert names(sim, "Deployment") == [revision] and "leaving" not in sim.status
        assert sim.reasons() == ["RolloutStarted", "Promoted", "Adopted"] and set(seen) == {3}
        before = len(sim.kube.writes)
        await sim.run(300)
        assert len(sim.kube.writes) == before

    run(story())


def test_the_next_versions_keep_the_ports_that_clients_know() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        sim.apply(plain("v1"))
        await sim.run(60)
        sim.apply(plain("v2"))
        await sim.run(60)
        assert sim.status["stable"]["version"] == "v2"
        assert [(p["port"], p["targetPort"]) for p in front(sim)["spec"]["ports"]] == [(8080, "http"), (80, 8080)]

    run(story())


def test_with_a_gateway_the_old_serves_until_route_and_service_are_seen_to_have_moved() -> None:
    async def story() -> None:
        sim = Sim(gateway=False)
        await running(sim, LABEL, replicas=2, name="churn")
        watched(sim, 2)
        sim.apply(model("v1"))
        await sim.run(60)
        assert sim.weights() == {"v1": 100} and "leaving" not in sim.status, "the gateway has not confirmed it"
        sim.gateway = True
        sim.store.edit(("HTTPRoute", "ml", "churn"), lambda r: r["metadata"]["annotations"].update(a="b"), "admin")
        await sim.run(5)
        assert [g["revision"] for g in sim.status["leaving"]] == ["churn"]
        assert sim.weights() == {"v1": 100}, "what is no revision is never a backend"
        await sim.run(30)
        assert "churn" not in names(sim, "Deployment") and sim.condition("Ready")["status"] == "True"

    run(story())


def test_what_is_larger_than_the_spec_asks_is_carried_until_it_has_left() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL, replicas=5)
        sim.apply(plain("v1"))
        await sim.run(15)
        watched(sim, 3)
        revision = sim.status["stable"]["revision"]
        size = lambda: sim.store.entries["Deployment", "ml", revision].live["spec"]["replicas"]  # noqa: E731
        assert size() == 5 and behind(sim) == 5
        await sim.run(60)
        assert names(sim, "Deployment") == [revision] and size() == 3

    run(story())


def test_a_first_revision_that_never_gets_ready_changes_nothing_for_clients() -> None:
    async def story() -> None:
        sim = Sim({"v1": Nature(ready_after=None), "v2": Nature()})
        await running(sim, LABEL)
        watched(sim, 3)
        sim.apply(plain("v1"))
        await sim.run(600)
        assert front(sim)["spec"]["selector"] == OLD and behind(sim) == 3
        assert sim.condition("Available")["status"] == "True"
        assert sim.condition("Stalled")["reason"] == "WaitingForPods"
        sim.apply(plain("v2"))
        await sim.run(60)
        assert sim.status["stable"]["version"] == "v2" and len(names(sim, "Deployment")) == 1

    run(story())


def test_without_the_label_it_is_a_conflict_that_names_the_command_and_then_it_goes_on() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim)
        watched(sim, 3)
        sim.apply(plain("v1"))
        await sim.run(30)
        assert sim.condition("Ready")["reason"] == "Conflict"
        assert "kubectl label service churn penstock.dev/name=churn --namespace ml" in sim.condition("Ready")["message"]
        assert front(sim)["spec"]["selector"] == OLD
        give(sim, "Service", "churn")
        await sim.run(400)
        assert sim.condition("Ready")["status"] == "True"
        assert "old" in names(sim, "Deployment"), "the Deployment was not handed over, so it stays"

    run(story())


def test_a_service_of_a_controller_is_nobodys_to_give() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        owner = {"apiVersion": "x/v1", "kind": "Route", "name": "other", "uid": "1", "controller": True}
        sim.store.collects = False
        sim.store.edit(("Service", "ml", "churn"), lambda s: s["metadata"].update(ownerReferences=[owner]), "other")
        sim.apply(plain("v1"))
        await sim.run(30)
        assert "belongs to Route other" in sim.condition("Ready")["message"]
        assert front(sim)["spec"]["selector"] == OLD and "old" in names(sim, "Deployment")

    run(story())


def test_a_headless_service_is_not_taken() -> None:
    async def story() -> None:
        sim = Sim()
        sim.store.apply(service(LABEL, clusterIP="None"), "helm")
        sim.apply(plain("v1"))
        await sim.run(30)
        assert sim.condition("Ready")["reason"] == "Conflict" and "headless" in sim.condition("Ready")["message"]
        assert front(sim)["spec"]["selector"] == OLD

    run(story())


def test_a_deployment_that_another_service_leads_to_is_not_deleted() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        sim.store.apply(service(name="second"), "helm")
        sim.apply(plain("v1"))
        await sim.run(120)
        assert "old" in names(sim, "Deployment")
        assert sim.condition("Ready")["reason"] == "Conflict"
        assert "Service second still leads to the pods of Deployment old" in sim.condition("Ready")["message"]
        sim.store.delete("Service", "ml", "second")
        await sim.run(400)
        assert "old" not in names(sim, "Deployment") and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_label_that_is_taken_back_in_time_saves_the_deployment() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        sim.apply(plain("v1"))
        await sim.run(15)
        assert [g["revision"] for g in sim.status["leaving"]] == ["old"]
        before = sim.store.get("Deployment", "ml", "old")
        assert before
        sim.store.edit(("Deployment", "ml", "old"), lambda live: live["metadata"].pop("labels"), "kubectl")
        sim.watch.see("Deployment", "DELETED", before)  # what a watch with a selector tells
        await sim.run(120)
        assert "old" in names(sim, "Deployment") and "leaving" not in sim.status

    run(story())


def test_their_autoscaler_goes_with_it_only_where_it_was_given_too() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        sim.store.apply(autoscaler("old", "given", LABEL), "helm")
        sim.store.apply(autoscaler("old", "kept"), "helm")
        sim.apply(plain("v1"))
        await sim.run(60)
        assert names(sim, "HorizontalPodAutoscaler") == ["kept"] and "old" not in names(sim, "Deployment")

    run(story())


def test_a_label_that_is_taken_back_between_the_look_and_the_write_is_obeyed() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        ours = {**service(), "metadata": {"name": "churn", "namespace": "ml", "ownerReferences": [{"uid": "1"}]}}
        manifest = await claim(sim.kube, ("ml", "churn"), "1", ours)
        sim.store.edit(("Service", "ml", "churn"), lambda live: live["metadata"].pop("labels"), "kubectl")
        with pytest.raises(Stale):
            await sim.kube.apply(manifest)

    run(story())


WRITES = 18  # at least as many as the story has; the first test says so


async def told(crash: tuple[int, Literal["before", "after"]] | None) -> Sim:
    """Their Deployment and Service are taken over by v1."""
    sim = Sim()
    await running(sim, LABEL)
    watched(sim, 3)
    if crash:
        sim.kube.crash_at(*crash)
    sim.apply(plain("v1"))
    await sim.run(90)
    return sim


def test_the_adoption_has_no_more_writes_than_are_crashed_at() -> None:
    async def story() -> None:
        sim = await told(None)
        assert 10 <= len(sim.kube.writes) <= WRITES, len(sim.kube.writes)

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_at_any_write_of_an_adoption_changes_nothing(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await told((write, when))
        revision = sim.status["stable"]["revision"]
        assert names(sim, "Deployment") == [revision] and sim.condition("Ready")["status"] == "True"
        assert front(sim)["spec"]["selector"] == {"penstock.dev/revision": revision}
        assert "leaving" not in sim.status

    run(story())


def test_a_service_whose_minimum_of_pods_was_given_too() -> None:
    async def story() -> None:
        sim = Sim()
        await running(sim, LABEL)
        meta = {"name": "churn", "namespace": "ml", "labels": LABEL}
        spec = {"selector": {"matchLabels": OLD}, "minAvailable": 1}
        sim.store.apply(
            {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}, "helm"
        )
        sim.apply(plain("v1"))
        await sim.run(60)
        live = sim.store.get("PodDisruptionBudget", "ml", "churn")
        assert live and live["spec"] == {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"penstock.dev/name": "churn"}},
        }

    run(story())


def test_what_is_given_while_the_gateway_is_at_work_waits_for_it() -> None:
    async def story() -> None:
        sim = await settled()
        sim.gateway = False
        sim.apply(model("v2"))
        await sim.run(10)
        sim.store.apply(deployment("late", 1, LABEL), "helm")
        await sim.run(60)
        assert "late" in names(sim, "Deployment") and "leaving" not in sim.status, "who knows where the traffic is?"
        sim.gateway = True
        sim.store.edit(("HTTPRoute", "ml", "churn"), lambda r: r["metadata"]["annotations"].update(a="b"), "admin")
        await sim.run(60)
        assert "late" not in names(sim, "Deployment")

    run(story())


def test_a_deployment_of_a_controller_is_nobodys_to_give() -> None:
    async def story() -> None:
        sim = Sim()
        sim.store.collects = False
        owner = {"apiVersion": "x/v1", "kind": "Model", "name": "other", "uid": "1", "controller": True}
        theirs = deployment(labels=LABEL)
        sim.store.apply(theirs | {"metadata": theirs["metadata"] | {"ownerReferences": [owner]}}, "other")
        sim.apply(plain("v1"))
        await sim.run(60)
        assert "old" in names(sim, "Deployment") and "leaving" not in sim.status
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_second_deployment_that_is_given_later_leaves_too() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(plain("v1"))
        await sim.run(60)
        sim.store.apply(deployment("late", 1, LABEL), "helm")
        await sim.run(60)
        assert "late" not in names(sim, "Deployment") and sim.condition("Ready")["status"] == "True"
        delete(sim)
        await sim.run(5)
        assert names(sim, "Deployment") == [] and names(sim, "Service") == []

    run(story())
