"""Tracked ConfigMaps on a real API server: the watch by label, immutable copies, what the server does to content."""

import time
from typing import Any

import pytest

from penstock.core.config import LIMIT
from tests.conftest import ControlPlane
from tests.integration.test_rollout import Scene, operator, told, writes

Object = dict[str, Any]
MOUNTS = {"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]}


async def put(made: Scene, text: str, **meta: Any) -> None:
    """What a user does with `kubectl apply`."""
    named = {"name": "limits", "namespace": made.namespace, "labels": {"penstock.dev/config": "tracked"}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named | meta, "data": {"limits.yaml": text}}
    await made.kube.apply(config)


async def mounted(made: Scene, revision: str) -> Object:
    """The copy that the pods of a revision mount."""
    live = await made.kube.get("Deployment", made.namespace, revision)
    assert live
    volumes = live["spec"]["template"]["spec"]["volumes"]
    (name,) = (v["configMap"]["name"] for v in volumes if "configMap" in v)
    copy = await made.kube.get("ConfigMap", made.namespace, name)
    assert copy and copy["immutable"] is True
    return copy


async def served(made: Scene) -> str:
    """The content that the stable revision's pods find."""
    revision = (await made.live())["status"]["stable"]["revision"]
    text: str = (await mounted(made, revision))["data"]["limits.yaml"]
    return text


def ready(status: Object) -> str:
    return next((c["reason"] for c in status.get("conditions", []) if c["type"] == "Ready"), "")


def test_an_edit_is_rolled_out_and_bad_content_is_taken_back(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await put(made, "old")
            await made.apply("v1", server=MOUNTS)
            first = (await made.settled("v1"))["stable"]["revision"]
            await put(made, "new")
            await made.until(lambda s: s.get("candidate"))
            second = (await made.until(lambda s: ready(s) == "Settled" and not s.get("leaving")))["stable"]["revision"]
            assert first != second and await served(made) == "new"
            await put(made, "bad")
            made.source.bad[(await made.until(lambda s: s.get("candidate")))["candidate"]["revision"]] = 0.3
            status = await made.until(lambda s: ready(s) == "RolledBack" and not s.get("leaving"))
            assert status["stable"]["revision"] == second and await served(made) == "new"
            copies = [
                c async for page in made.kube.pages("ConfigMap", made.namespace, "penstock.dev/name") for c in page
            ]
            assert [c["data"] for c in copies] == [{"limits.yaml": "new"}]
        with operator(made) as running:
            await put(made, "bad", annotations={"touched": "yes"})
            await made.until(lambda s: ready(s) == "RolledBack")
            await put(made, "new")
            await made.until(lambda s: ready(s) == "Settled")
            assert {kind for _, kind in writes(running)} <= {"ModelDeployment", "Event"}, "nothing else had to change"

    told(story, control_plane, "config-edited")


def test_nobody_can_edit_a_copy_and_a_deleted_one_comes_back(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await put(made, "old")
            await made.apply("v1", server=MOUNTS)
            copy = await mounted(made, (await made.settled("v1"))["stable"]["revision"])
            name = copy["metadata"]["name"]
            edit = ("-n", made.namespace, "patch", f"configmap/{name}", "-p", '{"data":{"limits.yaml":"edited"}}')
            done = made.plane.kubectl(*edit, check=False)
            assert "field is immutable when `immutable` is set" in done.stderr
            made.plane.kubectl("-n", made.namespace, "delete", "configmap/limits")
            await made.until(lambda s: ready(s) == "ConfigNotFound")
            await made.kube.delete("ConfigMap", made.namespace, name, copy["metadata"]["uid"])
            end, back = time.monotonic() + 30, None
            while not back or back["metadata"]["uid"] == copy["metadata"]["uid"]:
                assert time.monotonic() < end, "it did not come back"
                back = await made.kube.get("ConfigMap", made.namespace, name)
            assert back["data"] == {"limits.yaml": "old"}, "from the record: the source is gone"

    told(story, control_plane, "config-lost")


def test_it_is_tracked_for_as_long_as_it_carries_the_label(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made):
            await put(made, "old", labels={})
            await made.apply("v1", server=MOUNTS)
            await made.until(lambda s: ready(s) == "ConfigNotFound")
            label = ("-n", made.namespace, "label", "configmap/limits")
            made.plane.kubectl(*label, "penstock.dev/config=tracked")
            await made.settled("v1")
            made.plane.kubectl(*label, "penstock.dev/config-")
            status = await made.until(lambda s: ready(s) == "ConfigNotFound")
            assert status["stable"]["version"] == "v1" and await served(made) == "old"

    told(story, control_plane, "config-label")


@pytest.mark.parametrize(("letter", "name"), [("<", "escaped"), ("\U0001f600", "wide"), ("\n", "lines")])
def test_as_much_as_is_allowed_can_be_stored_and_no_more_is_tried(
    control_plane: ControlPlane, letter: str, name: str
) -> None:
    """The record and the copy must fit into etcd, however the content is spelt in JSON."""

    async def story(made: Scene) -> None:
        whole = letter * ((LIMIT - len("limits.yaml")) // len(letter.encode()))
        with operator(made):
            await put(made, whole)
            await made.apply("v1", server=MOUNTS)
            await made.settled("v1")
            assert await served(made) == whole
            await put(made, whole + letter + "and more")
            status = await made.until(lambda s: ready(s) == "ConfigTooLarge")
            assert "candidate" not in status

    told(story, control_plane, f"config-{name}")
