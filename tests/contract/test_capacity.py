"""The arithmetic against the real thing: scheduler and quota admission let in exactly as many pods as it says."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import ge
from pathlib import Path
from typing import Any

from penstock.core.capacity import shortage
from penstock.model.faults import Rejected
from penstock.shell.room import Rooms

from .conftest import World, kubectl, tell_real
from .test_kube import eventually, make_service
from .test_room import (
    CORDON,
    GPU,
    NOW,
    container,
    make_node,
    make_pod,
    make_quota,
    put_node,
    put_pod,
    put_quota,
    remove,
)

Object = dict[str, Any]
HARD = ("NoSchedule", "NoExecute")
PATIENT = {"tolerations": [{"operator": "Exists"}]}  # no taint drives it away

# the real scheduler


@dataclass(frozen=True)
class Case:
    """Some nodes of their own, pods that sit there already, and pods that want to go there."""

    nodes: list[tuple[Object, dict[str, str]]]
    sitting: list[Object]
    spec: Object


def cases(world: World, count: int) -> Iterator[Case]:
    """Made by chance, the same ones each time; `case` ties pods and nodes of one case together."""
    chance = random.Random(4)
    for number in range(count):
        label = {"case": f"{world.namespace}-{number}"}
        nodes = [_some_node(chance, f"{label['case']}-{i}", label) for i in range(chance.randint(1, 3))]
        names = [manifest["metadata"]["name"] for manifest, _ in nodes]
        sitting = [
            {"containers": [container(_some_amounts(chance, 1))], "nodeName": chance.choice(names), **PATIENT}
            for _ in range(chance.randint(0, 2))
        ]
        yield Case(nodes, sitting, _some_spec(chance, label))


def _some_node(chance: random.Random, name: str, label: Object) -> tuple[Object, dict[str, str]]:
    taints = [{"key": "dedicated", "value": chance.choice(["ml", "web"]), "effect": chance.choice(HARD)}]
    soft = [{"key": "busy", "effect": "PreferNoSchedule"}]
    spec: Object = {
        "labels": label | {"gpu": chance.choice(["a100", "h100", "none"]), "size": str(chance.randint(1, 9))}
    }
    spec |= {"taints": chance.choice([taints, soft, taints + soft])} if chance.random() < 0.3 else {}
    spec |= {"unschedulable": True} if chance.random() < 0.15 else {}
    allocatable = {"cpu": f"{chance.randint(1000, 6000)}m", "memory": f"{chance.randint(2, 9)}Gi"}
    allocatable |= {"pods": str(chance.randint(2, 6))} | (
        {GPU: str(chance.randint(0, 5))} if chance.random() < 0.7 else {}
    )
    return make_node(name, **spec), allocatable


def _some_amounts(chance: random.Random, most: int) -> Object:
    found: Object = {"cpu": f"{chance.randint(1, 1000 * most)}m"} if chance.random() < 0.8 else {}
    return found | ({"memory": f"{chance.randint(100, 1500 * most)}Mi"} if chance.random() < 0.6 else {})


def _some_spec(chance: random.Random, label: Object) -> Object:
    limits = {GPU: str(chance.randint(1, 2))} if chance.random() < 0.2 else {}
    spec: Object = {"containers": [container(_some_amounts(chance, 1), limits)], "nodeSelector": label}
    if chance.random() < 0.2:
        spec["nodeSelector"] = label | {"gpu": chance.choice(["a100", "h100"])}
    if chance.random() < 0.4:
        tolerations: list[Object] = [
            {"operator": "Exists"},
            {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "dedicated", "value": "ml"},
            {"key": CORDON, "operator": "Exists"},
        ]
        spec["tolerations"] = [chance.choice(tolerations)]
    if chance.random() < 0.3:
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _some_terms(chance)}}
    if chance.random() < 0.3:
        restarts = {"restartPolicy": "Always"}
        spec["initContainers"] = [
            container(_some_amounts(chance, 2), name=f"i{i}") | (restarts if chance.random() < 0.5 else {})
            for i in range(2)
        ]
    if chance.random() < 0.2:
        spec["resources"] = {"requests": {"cpu": "1", "memory": "1Gi"}}
        for one in spec["containers"] + spec.get("initContainers", []):
            one["resources"] = {"requests": {"cpu": "100m"}, "limits": limits if one["name"] == "c" else {}}
    return spec


def _some_terms(chance: random.Random) -> Object:
    size = str(chance.randint(2, 8))
    choices: list[Object] = [
        {"key": "gpu", "operator": "In", "values": ["a100", "none"]},
        {"key": "gpu", "operator": "NotIn", "values": ["h100"]},
        {"key": "size", "operator": "Gt", "values": [size]},
        {"key": "size", "operator": "Lt", "values": [size]},
        {"key": "missing", "operator": "DoesNotExist"},
        {"key": "missing", "operator": "Exists"},
        {"key": "missing", "operator": "NotIn", "values": ["x"]},
        {"key": "missing", "operator": "Lt", "values": ["5"]},
    ]
    terms = [{"matchExpressions": chance.sample(choices, chance.randint(1, 2))} for _ in range(2)]
    return {"nodeSelectorTerms": terms}


async def placed(world: World, fits: list[int]) -> list[int]:
    """How many pods of each case have a node, once so many have one and the scheduler has refused all others.

    It may refuse a pod first that fits, before it has heard of a node, so less than that is waited for.
    """
    counts = [0] * len(fits)

    async def settled() -> bool:
        found = [item async for page in world.other.pages("Pod", world.namespace, "case") for item in page]
        numbers = [int(item["metadata"]["labels"]["case"]) for item in found if item["spec"].get("nodeName")]
        counts[:] = [numbers.count(number) for number in range(len(fits))]
        return all(map(is_decided, found)) and all(map(ge, counts, fits))

    with suppress(TimeoutError):
        await asyncio.wait_for(eventually(settled), 40)
    return counts


def is_decided(live: Object) -> bool:
    """Bound, or the scheduler has said that no node takes it."""
    told = {one["type"]: one["status"] for one in (live.get("status") or {}).get("conditions") or []}
    return bool(live["spec"].get("nodeName")) or told.get("PodScheduled") == "False"


def test_the_scheduler_places_as_many_pods_as_were_said_to_fit(real_api: str) -> None:
    async def story(world: World) -> None:
        made = list(cases(world, 40))
        names = [manifest["metadata"]["name"] for case in made for manifest, _ in case.nodes]
        try:
            await asyncio.gather(*(put_node(world, node, **given) for case in made for node, given in case.nodes))
            for number, case in enumerate(made):
                for i, spec in enumerate(case.sitting):
                    await put_pod(world, make_pod(world, f"s{number}-{i}", **spec))
            room = await Rooms(world.kube).see(world.namespace, NOW)
            said = [shortage(room, case.spec, 100) for case in made]
            fits = [one.fits if one else 100 for one in said]
            for number, case in enumerate(made):
                for i in range(fits[number] + 1):
                    pod = make_pod(world, f"p{number}-{i}", labels={"case": str(number)}, **case.spec)
                    await world.other.create(pod)
            counts = await placed(world, fits)
            assert not [(count, said[i], made[i]) for i, count in enumerate(counts) if count != fits[i]]
            assert fits.count(0) > 5 and sum(count > 3 for count in fits) > 8, "both kinds of cases are there"
        finally:
            await remove(world, "Node", None, names)

    tell_real(story, real_api)


# the real quota admission


def plain(requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    return {"containers": [container(requests, limits)], **more}


SIDECAR = container({"cpu": "500m"}, {"cpu": "1"}, name="i", restartPolicy="Always")
FIRST = container({"cpu": "1500m"}, name="i")
ANY = 5  # so many pods are tried; as many fits where the quota does not count them


QUOTAS: list[tuple[Object, Object, Object, int]] = [
    ({"requests.cpu": "2"}, {}, plain({"cpu": "700m"}), 2),
    ({"cpu": "2"}, {}, plain({}, {"cpu": "600m"}), 3),
    ({"pods": "3"}, {}, plain(), 3),
    ({"count/pods": "3", "requests.cpu": "9"}, {}, plain({"cpu": "1"}), 3),
    ({"limits.memory": "4Gi"}, {}, plain({}, {"memory": "1500Mi"}), 2),
    ({"requests.ephemeral-storage": "4Gi"}, {}, plain({"ephemeral-storage": "1Gi"}), 4),
    ({f"requests.{GPU}": "5"}, {}, plain({}, {GPU: "2"}), 2),
    ({f"requests.{GPU}": "0"}, {}, plain({"cpu": "1"}), ANY),
    ({"requests.cpu": "4"}, {}, plain({"cpu": "1"}, initContainers=[FIRST]), 2),
    ({"requests.cpu": "4", "limits.cpu": "9"}, {}, plain({"cpu": "1"}, {"cpu": "2"}, initContainers=[SIDECAR]), 2),
    ({"pods": "2"}, {"scopes": ["NotBestEffort"]}, plain({"cpu": "1"}), 2),
    ({"pods": "2"}, {"scopes": ["NotBestEffort"]}, plain(), ANY),
    ({"pods": "2"}, {"scopes": ["BestEffort"]}, plain({}, {GPU: "1"}), 2),
    ({"pods": "2"}, {"scopes": ["BestEffort"]}, plain({}, {"memory": "1Gi"}), ANY),
    ({"pods": "2"}, {"scopes": ["NotTerminating"]}, plain(), 2),
    ({"pods": "2"}, {"scopes": ["Terminating"]}, plain(), ANY),
    ({"pods": "2"}, {"scopes": ["CrossNamespacePodAffinity"]}, plain(), ANY),
]


def test_the_quota_lets_in_as_many_pods_as_were_said_to_fit(real_api: str, tmp_path: Path) -> None:
    async def let_in(world: World, hard: Object, scoped: Object, spec: Object) -> tuple[int, int]:
        """How many were said to fit, and how many came in."""
        await put_quota(world, make_quota(world, hard, **scoped), dict.fromkeys(hard, "0"))
        await admission_knows(world)
        room = replace(await Rooms(world.kube).see(world.namespace, NOW), nodes=None)
        said = shortage(room, spec, ANY)
        for i in range(ANY):
            try:
                await put_pod(world, make_pod(world, f"p{i}", schedulerName="nobody", **spec))
            except Rejected as fault:
                assert fault.reason == "QuotaExceeded" and "exceeded quota: compute" in fault.message
                return said.fits if said else ANY, i
        return said.fits if said else ANY, ANY

    async def story(world: World) -> None:
        worlds = [replace(world, namespace=f"{world.namespace}-{i}") for i in range(len(QUOTAS))]
        file = tmp_path / "namespaces.json"
        made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one.namespace}} for one in worlds]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
        kubectl(real_api, "create", "-f", str(file))
        try:
            cases = ((one, hard, scoped, spec) for one, (hard, scoped, spec, _) in zip(worlds, QUOTAS, strict=True))
            found = await asyncio.gather(*(let_in(*case) for case in cases))
            assert found == [(fits, fits) for *_, fits in QUOTAS]
        finally:
            kubectl(real_api, "delete", "-f", str(file), "--wait=false")

    tell_real(story, real_api)


async def admission_knows(world: World) -> None:
    """Wait until the admission knows the quotas: it learns of them in order, so it is asked about a later one."""
    await put_quota(world, make_quota(world, {"services": "0"}, "later"), {"services": "0"})
    tried = iter(range(1000))

    async def knows() -> bool:
        try:
            await world.other.create(make_service(world, f"s{next(tried)}"))
        except Rejected as fault:
            assert fault.reason == "QuotaExceeded"
            return True
        return False

    await eventually(knows)
