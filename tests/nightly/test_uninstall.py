"""Everything that was installed is removed again, in every order: nothing is stuck, nothing stays, or what should does.

The parts are the release, the CRDs, the namespace of the models, and the models; one is settled, one in mid-canary.
The operator is a process with the rights of the chart, which go with the release as they do for a pod.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ControlPlane, helm, new_control_plane
from tests.faults.container import Operator
from tests.integration.test_chart import HOME, as_operator, install, uninstall
from tests.sim.machine import model

Object = dict[str, Any]
SPACE = "ml"
CRDS = ("modeldeployments.penstock.dev", "modelruntimes.penstock.dev")
LIVE_API = "v1beta1.external.metrics.k8s.io"
CHILDREN = "deployments,replicasets,pods,services,poddisruptionbudgets,controllerrevisions,endpointslices"
MINE = "app.kubernetes.io/instance=penstock"
LATE = 60.0  # seconds; until the garbage collector has come round
BY_PODS: Object = {
    "traffic": None,
    "scaling": {"minReplicas": 3},
    "rollout": {"canary": {"steps": [{"weight": 25, "duration": "10m"}]}, "deadline": "20m", "scaleDownDelay": "1s"},
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with new_control_plane("uninstall") as made:
        made.install_gateway_api()
        yield made


def wish(name: str, version: str, policy: str) -> Object:
    """A model by name."""
    made = model(version, runtime="mlserver", **BY_PODS, deletionPolicy=policy)
    made["metadata"] = {"name": name, "namespace": SPACE}
    made["spec"]["model"].pop("uri")
    return made


@asynccontextmanager
async def installed(plane: ControlPlane, folder: Path) -> AsyncIterator[Operator]:
    """The release, and its operator, which is started anew whenever it ends."""
    home = folder / f"penstock-{time.monotonic_ns()}"
    home.mkdir()
    await asyncio.to_thread(install, plane, "runtimes.install=true")
    kubeconfig = await asyncio.to_thread(as_operator, plane, home)
    made = Operator(home, (HOME, {}), kubeconfig, "http://127.0.0.1:9")
    async with made.up():
        await is_known_to_the_garbage_collector(plane)
        yield made


async def is_known_to_the_garbage_collector(plane: ControlPlane) -> None:
    """It looks for new kinds every 30 s, and never removes what belongs to a kind that came and went in between.

    That is Kubernetes' own limit, and nobody's who has had the release for longer than that.
    """
    ghost = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment", "name": "ghost", "uid": "0-0"}
    made = {"name": "orphan", "namespace": SPACE, "ownerReferences": [ghost]}
    await apply(plane, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": made})
    where = ("-n", SPACE, "get", "configmap", "orphan", "--ignore-not-found", "--output", "name")
    await seen(lambda: not plane.kubectl(*where).stdout)


async def models(plane: ControlPlane, policy: str) -> None:
    """One that is settled, one in mid-canary."""
    await apply(plane, *(wish(name, "v1", policy) for name in ("settled", "middle")))
    for name in ("settled", "middle"):
        await says(plane, "{.status.stable.version}", "v1", name)
    await apply(plane, wish("middle", "v2", policy))
    await says(plane, "{.status.candidate.weight}", "25", "middle")


async def apply(plane: ControlPlane, *made: Object) -> None:
    """As their user does."""
    for each in made:
        await asyncio.to_thread(plane.kubectl, "apply", "--filename", "-", input=json.dumps(each))


async def says(plane: ControlPlane, path: str, value: str, name: str) -> None:
    """Until the status of a model says it."""
    where = ("-n", SPACE, "wait", f"modeldeployment/{name}", f"--for=jsonpath={path}={value}", "--timeout=90s")
    await asyncio.to_thread(plane.kubectl, *where)


async def seen(what: Callable[[], Any]) -> None:
    """Poll until it is so."""
    end = time.monotonic() + LATE
    while not (found := await asyncio.to_thread(what)):
        assert time.monotonic() < end, f"still not after {LATE:.0f} s: {found}"
        await asyncio.sleep(0.2)


def children(plane: ControlPlane) -> dict[str, Object]:
    """What belongs to the models, by kind and name."""
    told = plane.kubectl("-n", SPACE, "get", CHILDREN, "--output", "json").stdout
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in json.loads(told)["items"]}


async def remove_release(plane: ControlPlane, operator: Operator) -> None:
    """The process outlives its rights a little, as a pod does."""
    await asyncio.to_thread(uninstall, plane)
    await operator.stop()


async def remove_crds(plane: ControlPlane, _: Operator) -> None:
    """And with them all of their kinds."""
    await asyncio.to_thread(plane.kubectl, "delete", "crd", *CRDS, "--ignore-not-found", "--timeout=60s")


async def remove_space(plane: ControlPlane, _: Operator) -> None:
    """The models' namespace."""
    await asyncio.to_thread(plane.kubectl, "delete", "namespace", SPACE, "--ignore-not-found", "--timeout=60s")


async def remove_models(plane: ControlPlane, _: Operator) -> None:
    """Where there still are any; their kind may be unknown by now."""
    done = await asyncio.to_thread(
        plane.kubectl, "-n", SPACE, "delete", "modeldeployments", "--all", "--timeout=60s", check=False
    )
    assert not done.returncode or "the server doesn't have a resource type" in done.stderr, done.stderr


STEPS: dict[str, Callable[[ControlPlane, Operator], Awaitable[None]]] = {
    "release": remove_release,
    "crds": remove_crds,
    "namespace": remove_space,
    "models": remove_models,
}


def orders() -> list[tuple[str, ...]]:
    """Every order that differs: once their kind or their namespace is gone there are no models left to remove."""
    every = permutations(STEPS)
    return [
        each for each in every if each[-1] == "models" or not {"crds", "namespace"} & {*each[: each.index("models")]}
    ]


def ids(order: tuple[str, ...]) -> str:
    """The order in words."""
    return "-".join(order)


@pytest.mark.parametrize("order", orders(), ids=ids)
def test_nothing_is_stuck_and_nothing_stays(plane: ControlPlane, order: tuple[str, ...], tmp_path: Path) -> None:
    async def story() -> None:
        plane.kubectl("create", "namespace", SPACE)
        async with installed(plane, tmp_path) as operator:
            await models(plane, "Delete")
            assert len(children(plane)) > 10
            for step in order:
                begin = time.monotonic()
                await STEPS[step](plane, operator)
                if step in ("crds", "models") and "namespace" not in order[: order.index(step)]:
                    await seen(lambda: not children(plane))
                print(f"{step}: {time.monotonic() - begin:.1f} s")
            assert not operator.said("bug in a turn")
        assert left(plane) == []

    asyncio.run(story())


def left(plane: ControlPlane) -> list[str]:
    """What is still there of the release, the CRDs and the namespace; a release's own namespace is whoever made it."""
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,apiservices"
    found = plane.kubectl("get", kinds, "-l", MINE, "--output", "name").stdout.split()
    found += plane.kubectl("-n", HOME, "get", "all,configmaps,serviceaccounts", "-l", MINE, "-o", "name").stdout.split()
    found += plane.kubectl("get", "crd", *CRDS, "--ignore-not-found", "--output", "name").stdout.split()
    return found + plane.kubectl("get", "namespace", SPACE, "--ignore-not-found", "--output", "name").stdout.split()


@pytest.mark.parametrize("order", list(permutations(["release", "crds", "models"])), ids=ids)
def test_what_is_left_behind_serves_and_is_taken_up_again(
    plane: ControlPlane, order: tuple[str, ...], tmp_path: Path
) -> None:
    async def story() -> None:
        plane.kubectl("create", "namespace", SPACE)
        try:
            async with installed(plane, tmp_path) as operator:
                await models(plane, "Orphan")
                await seen(lambda: not any(is_owned(one) for one in children(plane).values()))
                before, home = identities(children(plane)), stable(plane, "middle")
                for step in order:
                    await STEPS[step](plane, operator)
            await asyncio.sleep(5)  # the subject: the garbage collector finds nothing in this time
            assert identities(children(plane)) == before
            async with installed(plane, tmp_path) as operator:
                await apply(plane, wish("settled", "v1", "Orphan"), wish("middle", "v2", "Orphan"))
                await says(plane, "{.status.stable.version}", "v1", "settled")
                await says(plane, "{.status.candidate.version}", "v2", "middle")
                assert stable(plane, "middle") == home
                kept = {what: uid for what, uid in before.items() if "settled" in what or home in what}
                assert kept.items() <= identities(children(plane)).items()
                assert not operator.said("bug in a turn")
                await remove_release(plane, operator)
        finally:
            plane.kubectl("delete", "namespace", SPACE, "--timeout=60s")
            plane.kubectl("delete", "crd", *CRDS, "--ignore-not-found", "--timeout=60s")

    asyncio.run(story())


def stable(plane: ControlPlane, name: str) -> str:
    """The revision that serves."""
    path = "jsonpath={.status.stable.revision}"
    return plane.kubectl("-n", SPACE, "get", f"modeldeployment/{name}", "--output", path).stdout


def is_owned(one: Object) -> bool:
    """Whether it goes with its ModelDeployment."""
    return any(owner["kind"] == "ModelDeployment" for owner in one["metadata"].get("ownerReferences") or [])


def identities(found: dict[str, Object]) -> dict[str, str]:
    """Of what is there and not about to go."""
    return {what: one["metadata"]["uid"] for what, one in found.items() if "deletionTimestamp" not in one["metadata"]}


def test_an_api_that_nobody_answers_for_holds_namespaces_up_until_it_is_removed(plane: ControlPlane) -> None:
    """As where the operator's namespace is deleted before its release: what docs/install.md says must help then."""
    install(plane, "externalMetrics.install=true")
    plane.kubectl("create", "namespace", SPACE)
    try:
        plane.kubectl("delete", "namespace", HOME, SPACE, "--wait=false")
        where = ("wait", f"namespace/{SPACE}", "--for=condition=NamespaceDeletionDiscoveryFailure", "--timeout=60s")
        plane.kubectl(*where)
        plane.kubectl("delete", "apiservice", LIVE_API)
        plane.kubectl("wait", "--for=delete", f"namespace/{SPACE}", f"namespace/{HOME}", "--timeout=60s")
    finally:
        plane.kubectl("delete", "apiservice", LIVE_API, "--ignore-not-found")
        plane.kubectl("delete", "namespace", HOME, SPACE, "--ignore-not-found", "--timeout=60s")
        install(plane)  # the release's parts outside of its namespace have lost its record: taken over, then removed
        uninstall(plane)


def test_a_release_whose_kinds_are_gone_can_still_be_removed_and_made_again(plane: ControlPlane) -> None:
    for _ in range(2):  # what a hook has made is the release's own from the first upgrade on
        install(plane, "runtimes.install=true")
    plane.kubectl("delete", "crd", *CRDS, "--timeout=60s")
    uninstall(plane)
    install(plane, "runtimes.install=true")
    plane.kubectl("get", "modelruntime/mlserver")
    uninstall(plane)
    plane.kubectl("delete", "crd", *CRDS, "--timeout=60s")


def test_the_release_takes_its_api_along(plane: ControlPlane) -> None:
    install(plane, "externalMetrics.install=true")
    plane.kubectl("create", "namespace", SPACE)
    uninstall(plane)
    plane.kubectl("delete", "namespace", SPACE, "--timeout=60s")
    assert helm("list", "--all-namespaces", "--short", "--kubeconfig", str(plane.kubeconfig)).stdout == ""
