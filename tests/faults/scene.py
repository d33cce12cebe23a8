"""A namespace with one ModelDeployment, an operator of its own behind a proxy, a gateway and a metric source.

Many scenes share one API server: whoever is killed in one of them is nobody's operator in the others.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.model.faults import Retry
from penstock.model.names import LABEL_NAME
from penstock.shell.kube import Kube
from tests.conftest import ControlPlane
from tests.faults.container import Operator
from tests.faults.ends import differences, end
from tests.faults.history import History, complaints
from tests.faults.proxy import Proxy
from tests.integration.surroundings import Source, gateway
from tests.sim.machine import RUNTIME, model

Object = dict[str, Any]
SERVER = "faults"  # a runtime of its own
PATIENCE = 90.0  # seconds; it only ends a failed test


@dataclass
class House:
    """What all scenes share."""

    plane: ControlPlane
    kube: Kube
    source: Source
    history: History
    environment: dict[str, str] = field(default_factory=dict)  # of operators that are yet to be started


@asynccontextmanager
async def open_house(plane: ControlPlane) -> AsyncIterator[House]:
    """Gateway, metric source and the eye that sees what really happens."""
    kube, source = await Kube.connect(str(plane.kubeconfig), manager="tests"), Source()
    runner, history = await source.start(), History(plane.kubeconfig)
    await kube.apply(RUNTIME | {"metadata": {"name": SERVER}})
    tasks = [asyncio.create_task(each) for each in (gateway(kube, None), history.keep())]
    try:
        yield House(plane, kube, source, history)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await runner.cleanup()
        await kube.close()
        assert not ended, f"nobody has looked: {ended}"


@dataclass
class Scene:
    """One namespace and its operator."""

    house: House
    namespace: str
    proxy: Proxy
    operator: Operator

    async def apply(self, version: str, **spec: Any) -> None:
        """What a user wants, with steps of a second."""
        wish = model(version, runtime=SERVER, **{**QUICK, **spec})
        wish["metadata"]["namespace"] = self.namespace
        wish["spec"] = {key: value for key, value in wish["spec"].items() if value is not None}
        await self.house.kube.apply(wish)

    async def live(self) -> Object:
        """The ModelDeployment."""
        found = await self.house.kube.get("ModelDeployment", self.namespace, "churn")
        assert found
        return found

    async def until(self, says: Callable[[Object], Any], seconds: float = PATIENCE) -> Object:
        """Poll the status until it says so; what is awaited is the status."""
        end, status = time.monotonic() + seconds, {}
        while time.monotonic() < end:
            try:
                status = (await self.live()).get("status", {})
            except Retry:  # the API server may be the one who is missing
                continue
            if says(status):
                return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"not within {seconds:.0f} s: {status}\n{self.operator.log.read_text()[-2000:]}")

    async def children(self, kind: str) -> list[Object]:
        """What carries the model's label."""
        return [one async for page in self.house.kube.pages(kind, self.namespace, LABEL_NAME) for one in page]

    async def sees(self, seen: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
        """Poll until it is seen."""
        end = time.monotonic() + seconds
        while not await seen():
            assert time.monotonic() < end, f"not seen:\n{self.operator.log.read_text()[-2000:]}"
            await asyncio.sleep(0.1)

    async def settled(self, version: str, seconds: float = PATIENCE) -> Object:
        """This version serves and nothing is left over."""

        def says(status: Object) -> bool:
            ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
            return ready == ["True"] and status["stable"]["version"] == version and not status.get("leaving")

        return await self.until(says, seconds)

    async def quiet(self, seconds: float) -> None:
        """Return once it has written nothing for so long; its Lease apart."""
        begin = time.monotonic()
        while (left := self._last_write(begin) + seconds - time.monotonic()) > 0:
            assert time.monotonic() < begin + PATIENCE, f"never quiet: {[w.where for w in self.proxy.written()[-20:]]}"
            await asyncio.sleep(left)

    async def ends(self, wanted: Object | None, still: float) -> Object:
        """The end, once it is as wanted and nothing was written for so long."""
        begin = time.monotonic()
        while True:
            await self.quiet(still)
            found = await end(self.house.kube, self.namespace)
            wrong = differences(wanted, found) if wanted is not None else []
            if not wrong:
                return found
            assert time.monotonic() < begin + PATIENCE, "\n".join(["another end, and still:", *wrong])

    def _last_write(self, begin: float) -> float:
        return max([begin, *(each.at for each in self.proxy.written()[-1:])])

    def complaints(self) -> list[str]:
        """Broken laws so far."""
        return complaints(self.house.history.of(self.namespace))


QUICK: Object = {
    "rollout": {
        "canary": {"steps": [{"weight": w, "duration": "1s"} for w in (20, 60)]},
        "deadline": "60s",
        "scaleDownDelay": "1s",
    },
    "analysis": {"interval": "1s", "minRequests": 30, "metrics": [{"name": "errorRate", "max": "2%"}]},
}


@asynccontextmanager
async def operator_in(house: House, namespace: str, name: str) -> AsyncIterator[tuple[Proxy, Operator]]:
    """An operator for one namespace behind a proxy of its own; it runs, and may wait for the Lease."""
    with tempfile.TemporaryDirectory() as at:
        folder = make_folder(at, name)
        async with Proxy(house.plane.kubeconfig) as proxy:
            told = (namespace, {"namespace": namespace})
            operator = Operator(folder, told, proxy.write_kubeconfig(folder), house.source.url)
            operator.environment |= house.environment
            proxy.kill = operator.kill
            operator.run()
            try:
                yield proxy, operator
            finally:
                await operator.stop()


def make_folder(at: str, name: str) -> Path:
    """For an operator of that name."""
    folder = Path(at, name)
    folder.mkdir()
    return folder


@asynccontextmanager
async def scene(house: House, namespace: str) -> AsyncIterator[Scene]:
    """A new namespace, with an operator that has synchronised and faults that have not begun."""
    await asyncio.to_thread(house.plane.kubectl, "create", "namespace", namespace)
    try:
        async with operator_in(house, namespace, "penstock-0") as (proxy, operator):
            await operator.synchronised(1)
            yield Scene(house, namespace, proxy, operator)
    finally:
        await _remove(house, namespace)
        house.history.forget(namespace)


async def _remove(house: House, namespace: str) -> None:
    """All that the model owns goes with it; to end a namespace costs the API server a hundred requests."""
    async for page in house.kube.pages("ModelDeployment", namespace):
        for live in page:
            await house.kube.delete("ModelDeployment", namespace, live["metadata"]["name"], live["metadata"]["uid"])
