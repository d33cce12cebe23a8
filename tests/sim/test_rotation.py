"""A canary without a gateway: the pods that the plain Service selects are its weights. Told write by write."""

from typing import Any, Literal

import pytest

from penstock.model.faults import Rejected
from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim
from tests.sim.stories import (
    ask,
    count,
    ends,
    front,
    labelled,
    revision,
    rolling,
    rotated,
    seen,
    spent,
    stable,
    step,
    why,
    wishing,
)

STEPS = {"canary": {"steps": [{"weight": 25, "duration": "20s"}, {"weight": 50, "duration": "20s"}]}}
FOUR: Object = {"minReplicas": 4}
NEAREST: Object = {"onShareUnreachable": "Nearest"}


def canary(rollout: Object = STEPS, **spec: Any) -> Any:
    """A wish for a canary without a gateway, of four pods."""
    wish = wishing(rollout, routed=False, **({"scaling": FOUR} | spec))

    def made(version: str) -> Object:
        found = wish(version)
        if "traffic" in spec:
            found["spec"]["traffic"] = spec["traffic"]
        return found

    return made


def selector(sim: Sim) -> Object:
    live = sim.store.get("Service", "ml", "churn")
    assert live
    return dict(live["spec"]["selector"])


ROTATION = {"penstock.dev/name": "churn", "penstock.dev/rotation": "in"}


def at_rest(sim: Sim, version: str) -> Object:
    return {"penstock.dev/revision": revision(sim, version)}


def test_a_canary_is_k_of_n_pods_and_the_service_is_at_rest_before_and_after() -> None:
    async def story() -> None:
        sim = await rolling(canary())
        assert selector(sim) == at_rest(sim, "v1") and labelled(sim) == {"v1": [""] * 4}
        await sim.run(3)
        assert labelled(sim)["v2"] == [""], "it is born out of rotation, and is not ready yet"
        assert selector(sim) == at_rest(sim, "v1")
        await sim.run(4)
        assert selector(sim) == ROTATION
        assert labelled(sim) == {"v1": ["in", "in", "in", ""], "v2": ["in"]}
        assert sim.status["candidate"]["weight"] == 25 and sim.status["stable"]["weight"] == 75
        await sim.run(30)
        assert step(sim) == 2 and labelled(sim) == {"v1": ["in", "in", "out", ""], "v2": ["in", "in"]}
        await sim.run(30)
        assert selector(sim) == at_rest(sim, "v2")
        await sim.run(60)
        assert stable(sim) == "v2" and why(sim) == "Settled" and ends(sim)[-1] == ("v2", "Promoted")
        assert selector(sim) == at_rest(sim, "v2")

    run(story())


def test_its_writes() -> None:
    async def story() -> None:
        sim = await rolling(canary())
        one = {"ModelDeployment": 1, "Event": 1, "ControllerRevision": 1, "Deployment": 1, "Service": 1}
        assert await spent(sim, 1) == one
        # ready: four labels; they are seen: the Service; the share is seen: status. Each turn writes the status first
        assert await spent(sim, 5) == {"ModelDeployment": 3, "Pod": 4, "Service": 1}
        # two looks, then the third, which is the step: one status each; the step also an Event and the candidate's size
        assert await spent(sim, 22) == {"ModelDeployment": 3, "Deployment": 1, "Event": 1}
        # grown: one more in; seen: one of the stable ones out; seen: status; a look, so that the next is on the beat
        assert await spent(sim, 6) == {"ModelDeployment": 4, "Pod": 2}
        # two looks, the last step, for which the candidate grows to full size
        assert await spent(sim, 19.9) == {"ModelDeployment": 3, "Deployment": 1, "Event": 1}
        # grown: the Service selects it, and no label is touched; seen: status, Event
        assert await spent(sim, 9) == {"ModelDeployment": 2, "Service": 1, "Event": 1}
        assert await spent(sim, 60) == {"ModelDeployment": 2, "-Deployment": 1, "-Service": 1}
        assert await spent(sim, 300) == {}

    run(story())


def test_a_return_is_one_write_of_the_service_before_anything_else() -> None:
    async def story() -> None:
        sim = await rolling(canary(), {"v2": Nature(error_rate=0.5)}, seconds=8)
        before = len(sim.kube.writes)
        assert await spent(sim, 12) == {"ModelDeployment": 2, "Service": 1, "Event": 1}
        assert [kind for _, kind, _ in sim.kube.writes[before:]][:2] == ["ModelDeployment", "Service"]
        assert selector(sim) == at_rest(sim, "v1") and why(sim) == "RolledBack"

    run(story())


def test_a_guard_of_pods_stops_a_canary_and_never_a_return() -> None:
    """Some clusters let nobody label pods: then no share begins; one that is there can still be taken off."""

    async def story() -> None:
        sim = await rolling(canary(), {"v2": Nature(error_rate=0.5)}, seconds=7)
        assert seen(sim).weights[revision(sim, "v2")] == 25
        for _ in range(50):
            sim.kube.fail_next("apply", "Pod", Rejected("ApiForbidden", "Pod: a policy says no"))
        await sim.run(30)
        assert selector(sim) == at_rest(sim, "v1") and why(sim) == "RolledBack"

    run(story())


def test_a_share_that_the_pods_cannot_give_is_not_begun_and_says_which_they_can() -> None:
    async def story() -> None:
        steps = {"canary": {"steps": [{"weight": 5, "duration": "20s"}]}}
        wish = canary(steps, scaling={"minReplicas": 2})
        sim = await rolling(wish, seconds=5)
        ready = sim.condition("Ready")
        assert (ready["reason"], ready["message"]) == (
            "ShareUnreachable",
            "version v2 is not begun: step 1: weight 5 needs 20 pods, or a gateway; with 2 pods 33% or 50% can be had:"
            " set traffic.onShareUnreachable: Nearest",
        )
        assert sim.condition("Stalled")["status"] == "True" and "candidate" not in sim.status
        assert await spent(sim, 300) == {}, "and waits without a request"
        sim.apply(canary(steps, scaling={"minReplicas": 2}, traffic=NEAREST)("v2"))
        await sim.run(8)
        tried = sim.status["candidate"]
        assert (tried["steps"][0]["weight"], tried["steps"][0]["asked"], tried["weight"]) == (33, 5, 33)
        assert "33% (nearest to 5%) -> 100%" in str([e["note"] for e in sim.store.list("Event")])
        await sim.run(120)
        assert stable(sim) == "v2"

    run(story())


def test_going_back_to_what_was_kept_takes_the_nearest_share_rather_than_none() -> None:
    async def story() -> None:
        steps = {"canary": {"steps": [{"weight": 5, "duration": "20s"}]}}
        sim = await rolling(canary(steps, traffic=NEAREST), seconds=120)
        assert stable(sim) == "v2"
        sim.apply(canary(steps)("v2"))
        ask(sim, undo=revision(sim, "v1"))
        await sim.run(8)
        assert sim.status["candidate"]["version"] == "v1" and sim.status["candidate"]["steps"][0]["weight"] == 20

    run(story())


def test_a_pod_that_is_replaced_is_replaced_in_rotation() -> None:
    async def story() -> None:
        sim = await rolling(canary(), seconds=10)
        sim.pods.replace(revision(sim, "v1"), 2)
        sim.set_ready(revision(sim, "v1"), 2)
        await sim.run(0.5)
        assert rotated(sim) == {revision(sim, "v1"): 67, revision(sim, "v2"): 33}, "all that there are serve"
        sim.set_ready(revision(sim, "v1"), 4)
        await sim.run(0.5)
        assert rotated(sim) == {revision(sim, "v1"): 75, revision(sim, "v2"): 25}
        sim.pods.replace(revision(sim, "v2"), 1)
        await sim.run(1.5)
        assert rotated(sim)[revision(sim, "v2")] == 25

    run(story())


def test_while_no_stable_pod_is_ready_nothing_moves() -> None:
    """Never flee to an unready home: who answers goes on, and home comes back by itself."""

    async def story() -> None:
        sim = await rolling(canary(), seconds=10)
        sim.set_ready(revision(sim, "v1"), 0)
        ask(sim, abort=revision(sim, "v2"))
        await sim.run(5)
        assert selector(sim) == ROTATION and rotated(sim) == {revision(sim, "v2"): 100}
        assert sim.status["rejected"][0]["reason"] == "Aborted"
        sim.set_ready(revision(sim, "v1"), 4)
        await sim.run(1)
        assert selector(sim) == at_rest(sim, "v1")

    run(story())


def test_a_hand_on_a_label_is_put_right_and_at_rest_means_nothing() -> None:
    async def story() -> None:
        sim = await rolling(canary(), seconds=10)
        pod = next(live for live in sim.store.list("Pod") if live["metadata"]["labels"].get("penstock.dev/rotation"))
        ref = ("Pod", "ml", pod["metadata"]["name"])
        wrong = {"penstock.dev/rotation": "out"}
        sim.store.edit(ref, lambda live: live["metadata"]["labels"].update(wrong), "somebody")
        await sim.run(1)
        assert rotated(sim)[revision(sim, "v2")] == 25
        await sim.run(200)
        right = {"penstock.dev/rotation": "in"}
        for live in sim.store.list("Pod"):
            ref = ("Pod", "ml", live["metadata"]["name"])
            sim.store.edit(ref, lambda found: found["metadata"]["labels"].update(right), "somebody")
        assert await spent(sim, 60) == {}
        assert front(sim) == "v2"

    run(story())


def test_pods_make_room_for_each_other_where_none_may_come_on_top() -> None:
    async def story() -> None:
        sim = await rolling(canary({**STEPS, "capacityPolicy": "Replace"}), seconds=25)
        assert labelled(sim) == {"v1": ["in", "in", "in"], "v2": ["in"]}
        await sim.run(15)
        assert labelled(sim) == {"v1": ["in", "in"], "v2": ["in", "in"]}
        await sim.run(200)
        assert stable(sim) == "v2" and labelled(sim).keys() == {"v2"}

    run(story())


def test_the_wish_for_a_third_version_leaves_no_pod_of_the_second_in_rotation() -> None:
    async def story() -> None:
        sim = await rolling(canary(), seconds=10)
        sim.apply(canary()("v3"))
        await sim.run(1)
        assert selector(sim) == at_rest(sim, "v1")
        await sim.run(8)
        assert seen(sim).weights == {revision(sim, "v1"): 75, revision(sim, "v3"): 25}
        assert "in" not in labelled(sim).get("v2", [])

    run(story())


def is_scaler(live: Object) -> bool:
    return bool(live["kind"] == "HorizontalPodAutoscaler")


def scale(sim: Sim, live: Object, replicas: int) -> None:
    ref = ("Deployment", "ml", live["metadata"]["name"])
    sim.store.edit(ref, lambda found: found["spec"].update(replicas=replicas), "autoscaler")


def test_an_autoscaler_that_adds_pods_in_a_step_gets_them_into_rotation() -> None:
    async def story() -> None:
        scaling = {"minReplicas": 4, "maxReplicas": 12, "metrics": [{"name": "cpu", "target": 70}]}
        sim = Sim(metrics=count)
        sim.store.subscribe(lambda _, live: scale(sim, live, live["spec"]["minReplicas"]) if is_scaler(live) else None)
        sim.apply(canary(scaling=scaling)("v1"))
        await sim.run(60)
        sim.apply(canary(scaling=scaling)("v2"))
        await sim.run(10)
        assert seen(sim).weights[revision(sim, "v2")] == 25
        scale(sim, {"metadata": {"name": revision(sim, "v1")}}, 8)
        await sim.run(6)
        words = labelled(sim)
        assert (words["v1"].count("in"), words["v2"].count("in")) == (6, 2), (
            "eight must serve, and the candidate grows with it"
        )
        await sim.run(200)
        assert stable(sim) == "v2"

    run(story())


WRITES = 40


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_at_any_write_of_a_canary_changes_nothing(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await rolling(canary(), {"v3": Nature(error_rate=0.5)})
        empty: list[str] = []
        sim.store.subscribe(lambda *_: empty.append("!") if not seen(sim).weights else None)
        sim.kube.crash_at(len(sim.kube.writes) + write, when)
        await sim.run(160)
        sim.apply(canary()("v3"))
        await sim.run(100)
        assert ends(sim)[1:] == [("v2", "Promoted"), ("v3", "ErrorRateAboveLimit")]
        assert selector(sim) == at_rest(sim, "v2") and not empty
        assert {live["metadata"]["name"] for live in sim.store.list("Deployment")} == {revision(sim, "v2")}

    run(story())
