"""A label on a pod that is not ours: nothing else of the pod, and no pod more. In memory and on a real API server."""

from typing import Any

import pytest

from penstock.model.faults import Stale
from penstock.model.names import LABEL_ROTATION
from penstock.shell.pods import read
from tests.fake.kube import FakeKube

from .conftest import Tell, World, kubectl, tell_real
from .test_kube import eventually
from .test_refusals import as_user
from .test_room import make_pod, put_pod, set_status

Object = dict[str, Any]
RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: labeller}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: labels}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: labels}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: labels}
subjects: [{kind: ServiceAccount, name: labeller, namespace: NAMESPACE}]
"""
THEIRS = {"penstock.dev/name": "churn", "penstock.dev/revision": "churn-1"}


async def made(world: World) -> Object:
    """A pod that somebody else has created."""
    pod = make_pod(world, "churn-1-a", labels=THEIRS)
    await put_pod(world, pod)
    live = await world.kube.get("Pod", world.namespace, "churn-1-a")
    assert live
    return live


def label(live: Object, word: str) -> Object:
    meta = {key: live["metadata"][key] for key in ("name", "namespace", "uid")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"labels": {LABEL_ROTATION: word}}}


def rest(live: Object) -> Object:
    return {"spec": live["spec"], "owners": live["metadata"].get("ownerReferences")}


def test_a_label_is_put_on_and_changed_and_nothing_else(tell: Tell) -> None:
    async def story(world: World) -> None:
        pod = await made(world)
        for word in ("in", "in", "out", "in"):
            live = await world.kube.apply(label(pod, word))
            assert live["metadata"]["labels"] == THEIRS | {LABEL_ROTATION: word}
            assert rest(live) == rest(pod)
            assert read(live).rotated == (word == "in")

    tell(story)


def test_the_same_label_again_is_no_change(tell: Tell) -> None:
    async def story(world: World) -> None:
        pod = await made(world)

        async def unchanged() -> bool:
            """Whoever runs the pod writes its status meanwhile, for a moment; that is no change of ours."""
            first, again = [await world.kube.apply(label(pod, "in")) for _ in range(2)]
            return bool(again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"])

        await eventually(unchanged)

    tell(story)


def test_a_label_that_others_set_too_gives_way_to_a_word_and_not_to_silence(tell: Tell) -> None:
    """Why a pod out of rotation says so."""

    async def story(world: World) -> None:
        pod = await made(world)
        await world.kube.apply(label(pod, "in"))
        await world.other.apply(label(pod, "in"))
        silent = label(pod, "in")
        silent["metadata"]["labels"] = {}
        assert (await world.kube.apply(silent))["metadata"]["labels"][LABEL_ROTATION] == "in"
        assert (await world.kube.apply(label(pod, "out")))["metadata"]["labels"][LABEL_ROTATION] == "out"

    tell(story)


def test_a_pod_that_is_gone_or_another_is_stale_and_never_made(tell: Tell) -> None:
    async def story(world: World) -> None:
        pod = await made(world)
        other = label(pod, "in")
        other["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
        with pytest.raises(Stale):
            await world.kube.apply(other)
        gone = label(pod, "in")
        gone["metadata"]["name"] = "churn-1-b"
        with pytest.raises(Stale):
            await world.kube.apply(gone)
        assert await world.kube.get("Pod", world.namespace, "churn-1-b") is None

    tell(story)


def test_readiness_is_read_as_the_endpoints_of_a_service_count_it(tell: Tell) -> None:
    async def story(world: World) -> None:
        pod = await made(world)
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        if isinstance(world.other, FakeKube):  # what plays the node says so itself
            assert not read(pod).ready
            await set_status(world, pod, ready)

        async def serves() -> bool:
            return read(await world.kube.apply(label(pod, "in"))).serves

        await eventually(serves)

    tell(story)


def test_who_may_only_patch_pods_can_label_them_and_is_told_that_one_is_gone(real_api: str, tmp_path: Any) -> None:
    """The operator's right, as in the chart: an apply to a pod that is gone asks for no right to make one."""

    async def story(world: World) -> None:
        pod, here = await made(world), ("-n", world.namespace)
        rights = tmp_path / "rights.yaml"
        rights.write_text(RIGHTS.replace("NAMESPACE", world.namespace))
        kubectl(real_api, *here, "apply", "-f", str(rights))
        token = kubectl(real_api, *here, "create", "token", "labeller").strip()
        kube = await as_user(real_api, token, tmp_path)
        try:
            assert read(await kube.apply(label(pod, "in"))).rotated
            gone = label(pod, "in")
            gone["metadata"]["name"] = "churn-1-b"
            with pytest.raises(Stale):
                await kube.apply(gone)
        finally:
            await kube.close()

    tell_real(story, real_api)
