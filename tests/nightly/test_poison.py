"""Objects that nobody should have written: whatever one of them holds, the others are served and the process lives."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ControlPlane, furnished
from tests.faults.scenarios import first, promote
from tests.faults.scene import House, Scene, open_house, scene
from tests.sim.machine import model

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
LONG = "a" * 2**20
ODD = "\u2028\ufeff\u202e\u0000\U0001f9e8\uffff"
NAME = {"penstock.dev/name": "poison"}
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
GOOD = model("v1")["spec"]

# ModelDeployments as an older, laxer CRD would have let them in.
SPECS: dict[str, Any] = {
    "no spec": None,
    "a number": 7,
    "a text": "spec",
    "a list": [GOOD],
    "a long text": LONG,
    "a long version": GOOD | {"model": GOOD["model"] | {"version": LONG}},
    "odd characters": GOOD | {"model": GOOD["model"] | {"version": ODD, "uri": ODD}, "runtime": ODD},
    "a field that is gone": GOOD | {"replicas": 3},
    "mounts without names": GOOD | {"server": {"configMaps": [{"mountPath": "/a"}, 7, None]}},
    "a server that is none": GOOD | {"server": "server"},
    "numbers for texts": GOOD | {"model": {"version": 7, "format": 1.5}},
    "deep": GOOD | {"server": {"env": json.loads("[" * 200 + "]" * 200)}},
}
STATUSES: dict[str, Any] = {
    "a text": "status",
    "no roles": {"stable": "churn", "candidate": [], "history": {}},
    "no times": {"stable": {"revision": "poison-1", "version": "v0"}, "candidate": {"deadlineAt": "soon"}},
    "of nobody": {"stable": {"revision": "../../etc", "version": LONG[: 2**17], "weight": -5}},
    "conditions": {"conditions": [{"type": "Ready", "status": 7}, "Ready", None]},
}
ANNOTATIONS: dict[str, Object] = {
    "long": {"penstock.dev/promote": LONG[: 2**17], "penstock.dev/pause": "true"},
    "odd": {f"penstock.dev/{each}": ODD for each in ("abort", "undo", "retry", "approve", "requested-by")},
}
CHILDREN: dict[str, Object] = {
    "an empty record": {"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": {}},
    "a record of a StatefulSet": {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "revision": 1,
        "data": {"spec": {"template": {}}},
    },
    "a Service without a selector": {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"type": "ExternalName", "externalName": "example.com"},
    },
    "endpoints of nobody": {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "endpoints": [],
    },
    "an empty ConfigMap": {"apiVersion": "v1", "kind": "ConfigMap"},
    "a pod that does not start": {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [{"name": "a", "image": "a"}], "nodeSelector": {"a": "b"}},
    },
    "a route without rules": {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {}},
    "a budget": {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {}},
    "a policy": {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "spec": {"http": [{"route": [{"destination": {"host": "a"}}]}], "hosts": ["a"]},
    },
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Where the schemas of ours let everything pass, as those of an older release may have."""
    with furnished("poison") as made:
        for file in (ROOT / "crds").glob("*.yaml"):
            crd = yaml.safe_load(file.read_text())
            for version in crd["spec"]["versions"]:
                version["schema"]["openAPIV3Schema"] = ANYTHING
            made.kubectl("replace", "--filename", "-", input=json.dumps(crd))
        yield made


def objects(namespace: str) -> Iterator[tuple[str, Object]]:
    """Every poison, with a name that says where it is from."""
    for number, spec in enumerate(SPECS.values()):
        yield f"spec-{number}", _wish(f"spec-{number}", namespace, spec)
    for number, notes in enumerate(ANNOTATIONS.values()):
        wish = _wish(f"note-{number}", namespace, GOOD)
        wish["metadata"]["annotations"] = notes
        yield f"note-{number}", wish
    for number in range(len(STATUSES)):
        yield f"status-{number}", _wish(f"status-{number}", namespace, GOOD)
    for number, child in enumerate(CHILDREN.values()):
        labels = {**NAME, "penstock.dev/revision": "poison-1", "penstock.dev/config": "tracked"}
        yield (
            f"child-{number}",
            {**child, "metadata": {"name": f"child-{number}", "namespace": namespace, "labels": labels}},
        )
    yield "poison", _wish("poison", namespace, GOOD)


def _wish(name: str, namespace: str, spec: Any) -> Object:
    head = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment"}
    return {**head, "metadata": {"name": name, "namespace": namespace}, **({"spec": spec} if spec is not None else {})}


async def poison(made: Scene) -> None:
    """All of them are there."""
    kube = made.house.kube
    for _, each in objects(made.namespace):
        await kube.create(each)
    for number, status in enumerate(STATUSES.values()):
        patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
        where = ("-n", made.namespace, "patch", "modeldeployment", f"status-{number}", "--subresource=status")
        await asyncio.to_thread(made.house.plane.kubectl, *where, "--type=json", "--patch-file=/dev/stdin", input=patch)


def test_one_bad_object_never_stops_another(plane: ControlPlane) -> None:
    async def story() -> None:
        async with open_house(plane) as house, scene(house, f"poison-{time.monotonic_ns()}") as made:
            await poison(made)
            await told(house, made)

    asyncio.run(story())


async def told(house: House, made: Scene) -> None:
    await first(made)
    await promote(made)
    made.operator.kill()
    await made.operator.synchronised(2)  # and it lists them all
    await made.apply("v4")
    await made.settled("v4")
    await made.quiet(3.0)
    assert made.operator.codes == [-9], made.operator.log.read_text()[-3000:]
    lines = made.operator.log.read_text().splitlines()
    bugs = [line for line in lines if '"bug in a turn"' in line]
    assert not bugs, bugs[0][-2500:]
