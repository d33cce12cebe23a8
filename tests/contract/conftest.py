"""Two worlds for the same tests: the API in memory and a real API server, each as two clients and one empty namespace.

The real one is started here and stopped here. `PENSTOCK_TEST_KUBECONFIG` may name a running cluster instead, to hold
another Kubernetes version to the contract. It never skips: where the server cannot start, the tests fail.
"""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.shell.kube import Api, Kube
from tests.contract.prometheus_scene import play, stage  # noqa: F401 - fixtures of all modules here
from tests.fake.kube import FakeKube
from tests.fake.store import Store

ROOT = Path(__file__).parents[2]
DEFAULTS = {"ModelDeployment": {"status": {"observedGeneration": -1}}}


@dataclass
class World:
    """What a story may use: ours, another actor with its own field manager, and a namespace of its own."""

    kube: Api
    other: Api
    namespace: str


Story = Callable[[World], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture(scope="session")
def real_api() -> Iterator[str]:
    """The kubeconfig of a real control plane that knows ModelDeployments."""
    name = f"contract-{os.getpid()}"
    given = os.environ.get("PENSTOCK_TEST_KUBECONFIG")
    kubeconfig = given
    try:
        if not given:
            cluster("up", "--control-plane", "--name", name)
            kubeconfig = cluster("kubeconfig", "--name", name).strip()
        assert kubeconfig
        kubectl(kubeconfig, "apply", "--server-side", "-f", str(ROOT / "crds"))
        kubectl(kubeconfig, "wait", "--for=condition=Established", "crd/modeldeployments.penstock.dev")
        yield kubeconfig
    finally:
        if not given:
            cluster("down", "--name", name)


@pytest.fixture(params=["fake", "real"])
def tell(request: pytest.FixtureRequest) -> Tell:
    """Run a story in one of the two worlds."""
    if request.param == "fake":
        return tell_fake
    kubeconfig = request.getfixturevalue("real_api")
    return lambda story: tell_real(story, kubeconfig)


def tell_fake(story: Story) -> None:
    """In memory; HTTPRoute is unknown there as on a server without the Gateway API."""
    store = Store(defaults=DEFAULTS)
    store.missing_namespaces.add("nowhere")
    store.missing_kinds.add("HTTPRoute")
    asyncio.run(_run(story, World(FakeKube(store), FakeKube(store, "other"), "contract")))


def tell_real(story: Story, kubeconfig: str) -> None:
    """On the server, in a new namespace that goes away in the background."""
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    kubectl(kubeconfig, "create", "namespace", namespace)

    async def main() -> None:
        kube, other = await Kube.connect(kubeconfig), await Kube.connect(kubeconfig, 4, "other")
        try:
            await _run(story, World(kube, other, namespace))
        finally:
            await kube.close()
            await other.close()

    try:
        asyncio.run(main())
    finally:
        kubectl(kubeconfig, "delete", "namespace", namespace, "--wait=false")


async def _run(story: Story, world: World) -> None:
    await asyncio.wait_for(story(world), 60)


def cluster(*arguments: str) -> str:
    """The project's own cluster command."""
    return _stdout(sys.executable, "-m", "cluster", *arguments)


def kubectl(kubeconfig: str, *arguments: str) -> str:
    """The project's own kubectl, for what is not the operator's business."""
    return _stdout(cluster("path", "kubectl").strip(), "--kubeconfig", kubeconfig, *arguments)


def _stdout(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout
