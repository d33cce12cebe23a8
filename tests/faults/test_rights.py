"""The rights that the chart gives are those that the operator uses: none is missing, and none lies idle.

What is used is read from the requests of an operator that has nothing but its ServiceAccount's token, while models of
every kind come, change and go, and while the answer to the first write of each kind is lost.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penstock.model.names import LABEL_NAME
from tests.conftest import ControlPlane
from tests.faults.container import Operator
from tests.faults.proxy import Fault, Lose, Proxy, Request
from tests.faults.scene import PATIENCE, QUICK, House, make_folder, open_house
from tests.integration.test_chart import HOME, as_operator
from tests.meta.test_chart import named, of_kind, operator_rules, render
from tests.sim.machine import RUNTIME, model

Object = dict[str, Any]
Right = tuple[str, str, str]  # group, resource with its part, verb
VALUES = (
    "gateway.certManager=true",
    "gateway.locks=true",
    "networkPolicy.models.enabled=true",
    "payloadSinks.lake.service=lake/sink",
    "crds.install=false",
    "actions.verify=false",
)
RBAC = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
ASKED_BY_OTHERS = {  # granted, and never requested
    ("penstock.dev", "modeldeployments/finalizers", "update"): "an admission plugin that guards owner references asks",
}
NEVER = {"secrets", "pods/exec", "roles", "rolebindings", "clusterroles", "clusterrolebindings", "serviceaccounts"}


def rights(values: tuple[str, ...]) -> set[Right]:
    """What the chart grants to the operator."""
    return {
        (group, resource, verb)
        for _, rule in operator_rules(render(*values))
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(log: list[Request]) -> set[Right]:
    """What was asked for. An apply of what is not there needs the right to create it too."""
    found: set[Right] = set()
    for seen in log:
        if seen.place.resource:
            what = f"{seen.place.resource}/{seen.place.part}".rstrip("/")
            found |= {(seen.place.group, what, verb) for verb in (seen.verb, *["create"] * (seen.code == 201))}
    return found


def prepare(plane: ControlPlane) -> None:
    """cert-manager's kind, the operator's rights, and what the models name."""
    plane.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump(CERTIFICATES))
    plane.kubectl("wait", "--for=create", "crd/certificates.cert-manager.io")
    plane.kubectl("create", "namespace", HOME)
    plane.kubectl("apply", "--filename", "-", input=yaml.safe_dump_all(of_kind(render(*VALUES), *RBAC)))


CERTIFICATES: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "certificates.cert-manager.io"},
    "spec": {
        "group": "cert-manager.io",
        "names": {"kind": "Certificate", "plural": "certificates", "singular": "certificate"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
GUARDED: Object = {
    "traffic": {
        "gateway": {"name": "models"},
        "hostnames": ["guarded.corp"],
        "policy": {
            "apiKey": {"secret": {"name": "keys"}},
            "rateLimit": {"requests": 100},
            "tls": {"issuer": {"name": "corp"}},
        },
        "payloadLog": {"sink": "lake", "percent": 1},
    },
    "server": {"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]},
    "scaling": {"minReplicas": 2, "maxReplicas": 4, "metrics": [{"name": "cpu", "target": 70}]},
}
AT_ONCE: Object = {"rollout": {"deadline": "60s", "scaleDownDelay": "1s"}, "analysis": None}
BARE: Object = {"traffic": None, "scaling": {"minReplicas": 1}, **AT_ONCE}
GRPC: Object = {"traffic": {"gateway": {"name": "models"}, "protocol": "GRPC", "hostnames": ["grpc.corp"]}, **AT_ONCE}
ISTIO: Object = {"traffic": {"istio": {"gateways": ["istio-ingress/models"]}, "hostnames": ["istio.corp"]}, **AT_ONCE}
STEPS: Object = {"canary": {"steps": [{"weight": 25, "duration": "1s"}]}, "deadline": "60s", "scaleDownDelay": "1s"}
PODS: Object = {"traffic": None, "scaling": {"minReplicas": 3}, "rollout": STEPS}
LIVE: Object = {
    "scaling": {"minReplicas": 2, "maxReplicas": 4, "metrics": [{"name": "requestsPerSecond", "target": 9}]}
}
ABORTED = "aborted"  # no field: what a person wants to be aborted; the same twice is answered in the same words
MANY = 13  # versions: more than are kept


@dataclass(frozen=True)
class Wish:
    """What a model is asked to be, and by what one sees that it has come about."""

    version: str
    spec: Object
    made: tuple[str, ...] = ()  # kinds of which there is one of this model then
    gone: tuple[str, ...] = ()  # and kinds of which there is none
    stable: bool = True  # whether the version serves then
    ignored: int = 0  # how often the operator has said by then that it ignores what a person asks for


GUARDS = (
    "HTTPRoute",
    "ListenerSet",
    "Certificate",
    "SecurityPolicy",
    "BackendTrafficPolicy",
    "EnvoyExtensionPolicy",
    "HorizontalPodAutoscaler",
)
# name -> its life; of what is guarded no gateway says here that it is shut, so nobody is let in
LIVES: dict[str, tuple[Wish, ...]] = {
    "guarded": (
        Wish("v1", GUARDED | AT_ONCE, made=(*GUARDS, "NetworkPolicy"), stable=False),
        Wish("v1", BARE, gone=GUARDS),
    ),
    "grpc": (Wish("v1", GRPC, made=("GRPCRoute",), stable=False), Wish("v1", AT_ONCE, gone=("GRPCRoute",))),
    "istio": (Wish("v1", ISTIO, made=("VirtualService",)), Wish("v1", AT_ONCE, gone=("VirtualService",))),
    "pods": (Wish("v1", PODS), Wish("v2", PODS)),
    "many": tuple(Wish(f"v{number}", BARE | {"server": GUARDED["server"]}) for number in range(MANY)),
    "churn": (
        Wish("v1", AT_ONCE),
        *(Wish("v2", AT_ONCE | {ABORTED: who}, ignored=n) for n, who in ((1, "nobody"), (2, "noone"), (3, "nobody"))),
    ),
}
KEDA = {
    "live": (
        Wish("v1", LIVE | AT_ONCE, made=("ScaledObject",), stable=False),
        Wish("v1", AT_ONCE, gone=("ScaledObject",)),
    )
}


class FirstOfEach:
    """The answer to the first write of each kind is lost."""

    def __init__(self) -> None:
        self.met: set[tuple[str, str]] = set()

    def __call__(self, seen: Request) -> Fault | None:
        what = (seen.verb, seen.place.resource + seen.place.part)
        if not seen.number or what in self.met or seen.verb == "delete":
            return None
        self.met.add(what)
        return Lose()


async def apply(house: House, name: str, wish: Wish) -> None:
    """What a person asks for."""
    asked = {"penstock.dev/abort": wish.spec[ABORTED]} if ABORTED in wish.spec else {}
    made = model(wish.version, runtime="rights", **{**QUICK, **wish.spec, ABORTED: None})
    made["metadata"] = {"name": name, "namespace": "ml", "annotations": asked}
    made["spec"] = {key: value for key, value in made["spec"].items() if value is not None}
    await house.kube.apply(made)


async def lacks(house: House, name: str, wish: Wish) -> list[str]:
    """What has not come about yet."""
    found = await house.kube.get("ModelDeployment", "ml", name)
    assert found
    version = found.get("status", {}).get("stable", {}).get("version")
    missing = [f"{wish.version} is not stable"] if wish.stable and version != wish.version else []
    for kind in (*wish.made, *wish.gone):
        there = [each async for page in house.kube.pages(kind, "ml", f"{LABEL_NAME}={name}") for each in page]
        missing += [f"{kind}: {len(there)}"] if bool(there) is (kind in wish.gone) else []
    return missing


async def live(house: House, operator: Operator, name: str, wishes: tuple[Wish, ...]) -> None:
    """One model's life."""
    for wish in wishes:
        await apply(house, name, wish)
        end = time.monotonic() + PATIENCE
        while missing := await lacks(house, name, wish) or operator.said("ActionIgnored") < wish.ignored:
            assert time.monotonic() < end, f"{name}, {wish}: {missing}"
            await asyncio.sleep(0.2)


async def story(
    plane: ControlPlane, folder: Path, values: tuple[str, ...], lives: dict[str, tuple[Wish, ...]]
) -> list[Request]:
    """The operator of one installation through these lives; its requests."""
    told = yaml.safe_load(named(render(*values), "ConfigMap", "penstock")["data"]["config.yaml"])
    told = {key: value for key, value in told.items() if key not in ("metricSources", "warmupImage")}
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(plane))
        proxy = await stack.enter_async_context(Proxy(as_operator(plane, folder)))
        place = make_folder(str(folder), f"penstock-{time.monotonic_ns()}")
        operator = Operator(place, (HOME, told), proxy.write_kubeconfig(place), house.source.url)
        container = RUNTIME["spec"]["container"] | {"grpcPort": 8001}
        spec = RUNTIME["spec"] | {"container": container}
        await house.kube.apply(RUNTIME | {"metadata": {"name": "rights"}, "spec": spec})
        proxy.judge = FirstOfEach()
        operator.run()
        stack.push_async_callback(operator.stop)
        await operator.synchronised(1)
        await asyncio.gather(*(live(house, operator, name, wishes) for name, wishes in lives.items()))
        return [seen for seen in proxy.log if seen.place.namespace in ("", "ml", HOME)]  # others left theirs elsewhere


def test_the_chart_grants_what_is_used_and_nothing_else(control_plane: ControlPlane, tmp_path: Path) -> None:
    plane = control_plane
    prepare(plane)
    plane.kubectl("create", "namespace", "ml")
    plane.kubectl("-n", "ml", "create", "configmap", "limits", "--from-literal=a=b")
    plane.kubectl("-n", "ml", "label", "configmap", "limits", "penstock.dev/config=tracked")
    log = asyncio.run(story(plane, tmp_path, VALUES, LIVES))
    log += asyncio.run(story(plane, tmp_path, (*VALUES, "keda.use=true"), KEDA))
    found, granted = used(log), rights(VALUES)
    refused = sorted({seen.where for seen in log if seen.code == 403})
    assert refused == []
    assert sorted(found - granted) == []
    assert sorted(granted - found - ASKED_BY_OTHERS.keys()) == []
    assert not {resource for _, resource, _ in granted} & NEVER
