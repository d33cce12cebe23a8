"""What taking over and letting go rely on, told against the in-memory API and a real API server."""

from typing import Any

import pytest

from penstock.model.faults import Rejected, Stale

from .conftest import Tell, World
from .test_kube import get, make_model, make_service

Object = dict[str, Any]
THEIRS = {"app": "churn", "tier": "web"}


def theirs(world: World, *ports: Object) -> Object:
    made = make_service(world, "churn", labels={"team": "risk"})
    return made | {"spec": {"selector": THEIRS, "ports": list(ports) or [{"port": 8080, "protocol": "TCP"}]}}


def ours(world: World, *ports: Object, **meta: Any) -> Object:
    made = make_service(world, "churn", **meta)
    http = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    return made | {"spec": {"selector": {"penstock.dev/revision": "churn-1"}, "ports": [*ports, http]}}


def budget(world: World, **spec: Any) -> Object:
    meta = {"namespace": world.namespace, "name": "churn"}
    selector = {"selector": {"matchLabels": THEIRS}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": selector | spec}


KEPT = {"name": "port-8080", "port": 8080, "targetPort": "http", "protocol": "TCP"}


def test_one_apply_replaces_the_whole_selector_and_keeps_what_it_does_not_name(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await world.other.apply(theirs(world))
        after = await world.kube.apply(ours(world, KEPT))
        assert after["spec"]["selector"] == {"penstock.dev/revision": "churn-1"}
        assert [(p["name"], p["port"], p["targetPort"]) for p in after["spec"]["ports"]] == [
            ("port-8080", 8080, "http"),
            ("http", 80, "http"),
        ]
        assert after["spec"].get("clusterIP") == before["spec"].get("clusterIP")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["labels"] == {"team": "risk"}

    tell(story)


def test_a_second_port_beside_one_without_a_name_is_refused(tell: Tell) -> None:
    async def story(world: World) -> None:
        await world.other.apply(theirs(world))
        with pytest.raises(Rejected, match="name: Required value"):
            await world.kube.apply(ours(world))
        await world.other.apply(theirs(world, KEPT | {"name": "http"}))
        with pytest.raises(Rejected, match="Duplicate value"):
            await world.kube.apply(ours(world))

    tell(story)


def test_an_owner_reference_that_is_left_out_goes(tell: Tell) -> None:
    async def story(world: World) -> None:
        owner = await world.other.apply(make_model(world))
        ref = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": "churn", "controller": True}
        ref |= {"uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}
        tied = await world.kube.apply(ours(world, ownerReferences=[ref]))
        assert [r["uid"] for r in tied["metadata"]["ownerReferences"]] == [ref["uid"]]
        assert not (await world.kube.apply(ours(world)))["metadata"].get("ownerReferences")
        tied = await world.kube.apply(ours(world, ownerReferences=[ref]))
        assert len(tied["metadata"]["ownerReferences"]) == 1

    tell(story)


def test_a_version_in_an_apply_is_a_fence(tell: Tell) -> None:
    async def story(world: World) -> None:
        seen = await world.other.apply(theirs(world))
        await world.other.apply(theirs(world) | {"metadata": theirs(world)["metadata"] | {"labels": {"team": "other"}}})
        with pytest.raises(Stale):
            await world.kube.apply(ours(world, KEPT, resourceVersion=seen["metadata"]["resourceVersion"]))
        live = await get(world.kube, theirs(world))
        assert live and live["spec"]["selector"] == THEIRS
        version = live["metadata"]["resourceVersion"]
        taken = await world.kube.apply(ours(world, KEPT, resourceVersion=version))
        assert taken["spec"]["selector"] != THEIRS

    tell(story)


def test_a_null_in_an_apply_removes_what_somebody_else_set(tell: Tell) -> None:
    async def story(world: World) -> None:
        await world.other.apply(budget(world, minAvailable=1))
        with pytest.raises(Rejected, match="cannot be both set"):
            await world.kube.apply(budget(world, maxUnavailable=1))
        live = await world.kube.apply(budget(world, maxUnavailable=1, minAvailable=None))
        assert live["spec"] == {"selector": {"matchLabels": THEIRS}, "maxUnavailable": 1}
        again = await world.kube.apply(budget(world, maxUnavailable=1))
        assert again["spec"] == live["spec"]

    tell(story)
