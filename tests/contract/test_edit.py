"""A change of places in somebody else's object: only those, only at the version that was seen, never a new object."""

from copy import deepcopy
from typing import Any

import pytest

from penstock.model.faults import Rejected, Stale
from tests.contract.conftest import Tell, World

Object = dict[str, Any]
PATH = "/spec/ports/1/targetPort"


async def made(world: World) -> Object:
    """Somebody's Service with two ports."""
    ports = [{"name": name, "port": port, "protocol": "TCP", "targetPort": port} for name, port in (("a", 1), ("b", 2))]
    meta = {"name": "theirs", "namespace": world.namespace, "labels": {"team": "risk"}}
    body = {"selector": {"app": "x"}, "ports": ports}
    return await world.other.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body})


def rest(live: Object) -> Object:
    """All that must stay as it is."""
    kept = deepcopy(live)
    for key in ("resourceVersion", "generation", "managedFields"):
        kept["metadata"].pop(key, None)
    kept["spec"]["ports"][1].pop("targetPort", None)
    return kept


def test_one_place_changes_and_all_else_stays(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await made(world)
        after = await world.kube.edit(before, [{"op": "add", "path": PATH, "value": 9}])
        assert after["spec"]["ports"][1]["targetPort"] == 9 and rest(after) == rest(before)
        live = await world.kube.get("Service", world.namespace, "theirs")
        assert live and live["spec"] == after["spec"]
        assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]

    tell(story)


def test_several_places_change_at_once_or_none(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await made(world)
        edits = [{"op": "add", "path": PATH, "value": 9}, {"op": "replace", "path": "/spec/ports/7/port", "value": 3}]
        with pytest.raises(Rejected):
            await world.kube.edit(before, edits)
        live = await world.kube.get("Service", world.namespace, "theirs")
        assert live and live["spec"]["ports"] == before["spec"]["ports"]

    tell(story)


def test_what_was_changed_meanwhile_is_not_overwritten(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await made(world)
        await world.other.apply({**before, "metadata": {**_named(before), "labels": {"team": "fraud"}}})
        with pytest.raises(Stale):
            await world.kube.edit(before, [{"op": "add", "path": PATH, "value": 9}])

    tell(story)


def test_what_is_gone_is_not_made_anew(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await made(world)
        await world.other.delete("Service", world.namespace, "theirs", before["metadata"]["uid"])
        with pytest.raises(Stale):
            await world.kube.edit(before, [{"op": "add", "path": PATH, "value": 9}])
        assert await world.kube.get("Service", world.namespace, "theirs") is None

    tell(story)


def test_an_object_without_a_version_is_never_edited(tell: Tell) -> None:
    async def story(world: World) -> None:
        before = await made(world)
        with pytest.raises(ValueError, match="resourceVersion"):
            await world.kube.edit({**before, "metadata": _named(before)}, [])

    tell(story)


def _named(live: Object) -> Object:
    return {key: live["metadata"][key] for key in ("name", "namespace")}
