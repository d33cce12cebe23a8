"""What keeps traffic.policy, on a real API server with the schemas of Gateway API and Envoy Gateway: taken, kept.

Only the Certificate is not tried: its schema is cert-manager's, which is not installed here.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import access
from penstock.model.faults import Rejected
from penstock.model.platform import Fence, Platform, TokenIssuer
from penstock.model.values import Manifest, Plan, RouteSeen
from penstock.shell.act import changes
from penstock.shell.cache import Cache
from penstock.shell.kube import Kube
from tests.conftest import ControlPlane
from tests.golden.turns import world

Object = dict[str, Any]
NAMESPACE = "access"
TOKEN: Object = {"audiences": ["a", "b"], "claimHeaders": [{"claim": "realm.team", "header": "x-team"}]}
OTHER: Object = {
    "timeout": "1h30m5s300ms",
    "retries": {"attempts": 10, "codes": [500, 502, 503, 504, 511, 520, 598, 599]},
    "tls": {"secret": {"name": "certificate"}},
    "clients": [{"namespace": "shop", "podLabels": {"app": "checkout"}}, {}],
}
POLICIES: dict[str, Object] = {
    "key": OTHER
    | {
        "apiKey": {"secret": {"name": "keys"}, "header": "x-key", "clientHeader": "x-client"},
        "rateLimit": {"requests": 1_000_000_000, "per": "Hour", "header": "x-client"},
        "maxBody": "999999999Mi",
    },
    "provider": {"jwt": TOKEN | {"provider": "corp"}, "rateLimit": {"requests": 1}, "maxBody": "1"},
    "keys": {"jwt": TOKEN | {"issuer": "https://login.corp", "keys": {"name": "jwks"}}, "maxBody": "10k"},
}
PEER = {"namespaceSelector": {"matchLabels": {"team": "gateways"}}, "podSelector": {"matchLabels": {"proxy": "yes"}}}
PLATFORM = Platform(
    issuers={"corp": TokenIssuer("https://login.corp", "https://login.corp/keys")},
    locks=True,
    fence=Fence((PEER,), (PEER,)),
)


def model(name: str, policy: Object) -> Object:
    """A ModelDeployment with this policy, and a preview."""
    traffic = {"gateway": {"name": "models"}, "hostnames": ["churn.corp"], "policy": policy}
    preview = {"blueGreen": {"duration": "1m", "previewHostnames": ["next.churn.corp"]}}
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"version": "1", "format": "sklearn"},
            "runtime": "mlserver",
            "traffic": traffic,
            "rollout": preview,
        },
    }


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", NAMESPACE)


async def applied(control_plane: ControlPlane, made: list[Manifest]) -> list[Manifest]:
    """What the server makes of each."""
    kube = await Kube.connect(str(control_plane.kubeconfig), 2)
    try:
        return [await kube.apply(each) for each in made]
    finally:
        await kube.close()


def objects(control_plane: ControlPlane, name: str) -> list[Manifest]:
    """All that keeps the policy of this name, for routes that are there."""
    wish = model(name, POLICIES[name])
    live = json.loads(control_plane.kubectl("apply", "-f", "-", "-o", "json", input=json.dumps(wish)).stdout)
    route = RouteSeen({}, programmed=True, uid="6a0b4f3e-0000-4000-8000-000000000001")
    seen = replace(
        world(wish), uid=live["metadata"]["uid"], platform=PLATFORM, route=route, beside={f"{name}-preview": route}
    )
    made = access.make(seen)
    kinds = [each["kind"] for each in made]
    assert kinds.count("BackendTrafficPolicy") == 2 and "NetworkPolicy" in kinds
    assert kinds.count("SecurityPolicy") == 2 + kinds.count("ListenerSet"), "with the lock of its own listeners"
    return made


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("name", POLICIES)
def test_all_that_keeps_a_policy_is_taken_and_nothing_is_written_twice(control_plane: ControlPlane, name: str) -> None:
    made = objects(control_plane, name)
    cache = Cache()
    for live in asyncio.run(applied(control_plane, made)):
        cache.see_child(live)
    assert not changes(cache, (NAMESPACE, name), Plan(status=world(model(name, {})).status, children=tuple(made)))


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("SecurityPolicy", "apiKeyAuth", {"credentialRefs": [], "extractFrom": []}),
        ("BackendTrafficPolicy", "requestBuffer", {"limit": "many"}),
        ("ListenerSet", "listeners", []),
        ("NetworkPolicy", "policyTypes", "Ingress"),
    ],
)
def test_the_schemas_that_take_them_are_strict_ones(
    control_plane: ControlPlane, kind: str, field: str, value: Any
) -> None:
    """Else it would prove nothing that ours are taken."""
    made = next(each for each in objects(control_plane, "key") if each["kind"] == kind)
    wrong = made | {"metadata": made["metadata"] | {"name": "wrong"}, "spec": made["spec"] | {field: value}}
    with pytest.raises(Rejected):
        asyncio.run(applied(control_plane, [wrong]))
