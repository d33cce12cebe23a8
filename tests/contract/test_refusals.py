"""What only a real server can say, schema complaints and missing rights, and what `Kube` makes of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.model.faults import Rejected, Retry
from penstock.shell.kube import Kube

from .conftest import World, kubectl, tell_real
from .test_kube import make_deployment, make_service


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bogus": 1}, "bogus"),
        ({"replicas": "three"}, "replicas"),
        ({"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}, "containers"),
        ({"template": {"spec": {"containers": [{"image": "x"}]}}}, "containers"),
    ],
)
def test_a_manifest_outside_the_schema_is_rejected(real_api: str, change: dict[str, Any], message: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(Rejected) as raised:
            await world.kube.apply(make_deployment(world, **change))
        assert raised.value.reason == "ApiInvalid" and message in raised.value.message
        assert raised.value.message.startswith("Deployment/churn-1: ") and len(raised.value.message) <= 300

    tell_real(story, real_api)


def test_what_the_store_cannot_hold_is_refused_and_not_tried_for_ever(real_api: str) -> None:
    async def story(world: World) -> None:
        meta = {"namespace": world.namespace, "name": "large"}
        record = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": 1}
        with pytest.raises(Rejected) as raised:
            await world.kube.apply(record | {"data": {"a": "x" * 1_600_000}})
        assert raised.value.reason == "ApiTooLarge"

    tell_real(story, real_api)


def test_a_missing_right_is_named(real_api: str, tmp_path: Any) -> None:
    async def story(world: World) -> None:
        kubectl(real_api, "-n", world.namespace, "create", "serviceaccount", "nobody")
        token = kubectl(real_api, "-n", world.namespace, "create", "token", "nobody").strip()
        kube = await as_user(real_api, token, tmp_path)
        for attempt in (kube.apply(make_service(world, "x")), kube.get("Service", world.namespace, "x"), drain(kube)):
            with pytest.raises(Rejected) as raised:
                await attempt
            assert raised.value.reason == "ApiForbidden" and "system:serviceaccount" in raised.value.message
        await kube.close()

    tell_real(story, real_api)


def test_a_bad_credential_is_worth_a_retry_since_tokens_rotate(real_api: str, tmp_path: Any) -> None:
    async def story(world: World) -> None:
        kube = await as_user(real_api, "no-such-token", tmp_path)
        with pytest.raises(Retry, match="Unauthorized"):
            await kube.get("Service", world.namespace, "x")
        await kube.close()

    tell_real(story, real_api)


def test_a_namespace_that_goes_away_is_named(real_api: str) -> None:
    async def story(world: World) -> None:
        held = make_service(world, "held", finalizers=["example.com/hold"])
        live = await world.kube.apply(held)
        kubectl(real_api, "delete", "namespace", world.namespace, "--wait=false")
        await until_refused(lambda: world.kube.apply(make_service(world, "late")))
        held["metadata"]["finalizers"] = []
        await world.kube.apply(held)
        assert live

    tell_real(story, real_api)


async def until_refused(write: Callable[[], Awaitable[Any]]) -> None:
    """The namespace turns Terminating in the server's own time; then the reason must be that."""
    while True:
        try:
            await write()
        except Rejected as refusal:
            assert refusal.reason == "NamespaceTerminating"
            return
        await asyncio.sleep(0.05)


async def drain(kube: Kube) -> None:
    async for _ in kube.pages("Deployment"):
        pass


async def as_user(real_api: str, token: str, tmp_path: Any) -> Kube:
    """A client with only this token."""
    known = json.loads(kubectl(real_api, "config", "view", "--raw", "--flatten", "-o", "json"))
    known["users"] = [{"name": user["name"], "user": {"token": token}} for user in known["users"]]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(known))
    return await Kube.connect(str(path), pool=2)
