"""From a release of long ago to the present one, back, and forth again, over a hundred models: nobody's pods notice.

The former operator is the repository's own, as it was at `FORMER`: the oldest commit whose CRDs mean the same. Each
change takes the CRDs first, as the chart does, then the operator; then thirty seconds must pass without a write.
`MODELS=10` tells it with fewer. Prints what each change has written.
"""

import asyncio
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.model.names import LABEL_NAME
from tests.conftest import ControlPlane, new_control_plane
from tests.faults.container import Operator
from tests.faults.proxy import Proxy, Request
from tests.faults.scene import SERVER, House, make_folder, open_house
from tests.sim.machine import model

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
FORMER = "1f644c10e396344cabad86ea0c187aae34f597d7"
MODELS = int(os.environ.get("MODELS", "100"))
STILL = 30.0  # seconds without a write, the Lease apart
PATIENCE = 300.0  # it only ends a failed test
KEPT = ("Deployment", "Service", "HTTPRoute", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ControllerRevision")
# What the present release says of old objects that the former one did not say: how fast replicas follow.
MEANT = {("HorizontalPodAutoscaler", "behavior")}
WRITTEN = {"modeldeployments/status", "horizontalpodautoscalers"}
GATE: Object = {"canary": {"steps": [{"weight": 20, "duration": "1s"}, {"weight": 60, "duration": "40m"}]}}
SLOW: Object = {"interval": "30m", "minRequests": 30, "metrics": [{"name": "errorRate", "max": "2%"}]}


@dataclass(frozen=True)
class Sort:
    """What a model does when the operator changes: its first wish, its second, and the step that this stays in."""

    first: Object
    second: Object | None = None
    step: int = 1
    bad: bool = False

    def rests(self, status: Object) -> bool:
        """Whether it has come to where the change meets it."""
        if self.bad:
            return bool(status.get("rejected")) and not status.get("leaving") and not status.get("candidate")
        if self.second:
            candidate = status.get("candidate") or {}
            return candidate.get("step") == self.step and bool(candidate.get("shiftedAt"))
        ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
        return ready == ["True"] and not status.get("leaving")


QUICK: Object = {"deadline": "60s", "scaleDownDelay": "1s"}
LOOKS: Object = SLOW | {"interval": "1s"}
WALK: Object = {"rollout": GATE | QUICK | {"deadline": "20m"}, "analysis": SLOW}
SETTLED = Sort({"rollout": GATE | QUICK, "analysis": SLOW})
CANARY = Sort(WALK, WALK)
BY_PODS = Sort({"traffic": None, "scaling": {"minReplicas": 3}, "rollout": QUICK, "analysis": None})
SCALED = Sort(
    {
        "scaling": {"minReplicas": 2, "maxReplicas": 4, "metrics": [{"name": "cpu", "target": 70}]},
        "rollout": QUICK,
        "analysis": None,
    }
)
REJECTED_WISH: Object = {
    "rollout": {"canary": {"steps": [{"weight": 20, "duration": "1s"}]}} | QUICK,
    "analysis": LOOKS,
}
REJECTED = Sort(REJECTED_WISH, REJECTED_WISH, bad=True)
BAKED_WISH: Object = {
    "rollout": {"canary": {"steps": [{"weight": 20, "duration": "1s"}]}, "bake": {"duration": "40m"}} | QUICK,
    "analysis": SLOW,
}
BAKED = Sort(BAKED_WISH, BAKED_WISH, step=2)
RARE = {
    0: SCALED,
    1: REJECTED,
    2: BY_PODS,
    4: BAKED,
}  # by the number of a model; of the others each third is in mid-canary


def sort_of(number: int) -> Sort:
    """What the model with this number is for."""
    return RARE.get(number) or (CANARY if number % 3 == 0 else SETTLED)


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the operator and the CRDs of that commit."""
    folder = tmp_path_factory.mktemp("former")
    there = subprocess.run(["git", "cat-file", "-e", FORMER], cwd=ROOT, check=False, capture_output=True)
    if there.returncode:
        pytest.skip(f"this clone does not reach back to {FORMER}: fetch its whole history")
    made = subprocess.run(["git", "archive", FORMER, "operator", "crds"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=made.stdout, check=True)
    return folder


@pytest.fixture(scope="module")
def plane(former: Path) -> Iterator[ControlPlane]:
    with new_control_plane("upgrade") as made:
        made.kubectl("apply", "--filename", str(former / "crds"))
        made.await_crds()
        made.install_gateway_api()
        made.install_schemas()
        yield made


@dataclass
class Stage:
    """One namespace, and the operators that come one after the other."""

    house: House
    namespace: str
    proxy: Proxy
    folder: Path

    def names(self) -> list[str]:
        """Of all models."""
        return [f"model-{number}" for number in range(MODELS)]

    async def wish(self, number: int, version: str, spec: Object) -> None:
        """What the user of one of them wants."""
        made = model(version, runtime=SERVER, **spec)
        made["metadata"] = {"name": f"model-{number}", "namespace": self.namespace}
        await self.house.kube.apply(made)

    async def live(self) -> dict[str, Object]:
        """All models by name."""
        pages = self.house.kube.pages("ModelDeployment", self.namespace)
        return {one["metadata"]["name"]: one async for page in pages for one in page}

    async def rest(self) -> None:
        """Until each model is where the change is to meet it."""
        end = time.monotonic() + PATIENCE
        while late := [n for n, one in (await self.live()).items() if not rests(n, one)]:
            for name in late:
                await self.spoil(name)
            assert time.monotonic() < end, f"{late}: {(await self.live())[late[0]].get('status')}"
            await asyncio.sleep(0.5)

    async def spoil(self, name: str) -> None:
        """What is to be rejected fails requests."""
        candidate = ((await self.live())[name].get("status") or {}).get("candidate")
        if candidate and sort_of(int(name.removeprefix("model-"))).bad:
            self.house.source.bad[candidate["revision"]] = 0.4

    async def kept(self) -> dict[str, Any]:
        """All that no change of the operator may touch: identities and what was asked of each, by kind and name."""
        found: dict[str, Any] = {}
        for kind in (*KEPT, "Pod"):
            async for page in self.house.kube.pages(kind, self.namespace, LABEL_NAME):
                for one in page:
                    spec = {k: v for k, v in (one.get("spec") or one["data"]).items() if (kind, k) not in MEANT}
                    found[f"{kind}/{one['metadata']['name']}"] = (one["metadata"]["uid"], json.dumps(spec))
        for name, one in (await self.live()).items():
            status = one["status"]
            candidate = status.get("candidate") or {}
            sides = candidate.get("revision"), candidate.get("step"), candidate.get("startedAt")
            found[f"ModelDeployment/{name}"] = (one["metadata"]["uid"], status["stable"]["revision"], sides)
        return found

    async def quiet(self) -> float:
        """Return once nothing was written for `STILL` seconds; how long it took to be so."""
        begin = time.monotonic()
        while True:
            last = max([begin, *(each.at for each in self.proxy.written()[-1:])])
            if time.monotonic() >= last + STILL:
                return last - begin
            assert time.monotonic() < begin + PATIENCE, f"never quiet: {told(self.proxy.written()[-50:])}"
            await asyncio.sleep(last + STILL - time.monotonic())

    @asynccontextmanager
    async def operator(self, code: Path, name: str) -> AsyncIterator[Operator]:
        """The process of that release, with the settings that it knows."""
        folder = make_folder(str(self.folder), name)
        place = (self.namespace, {"namespace": self.namespace})
        made = Operator(folder, place, self.proxy.write_kubeconfig(folder), self.house.source.url)
        made.environment |= {"PYTHONPATH": str(code / "operator"), "POD_NAME": "penstock-0"}
        if code != ROOT:
            config = yaml.safe_load((folder / "config.yaml").read_text())
            config.pop("warmupImage")
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
        self.proxy.kill = made.kill
        try:
            async with made.up():
                yield made
        finally:
            assert made.codes == [0], made.log.read_text()[-3000:]


def rests(name: str, one: Object) -> bool:
    """Whether this model has come to where the change meets it."""
    return sort_of(int(name.removeprefix("model-"))).rests(one.get("status") or {})


def told(writes: list[Request]) -> dict[str, int]:
    """Writes by verb and resource."""
    return dict(Counter(each.where.rpartition(" ")[0] for each in writes))


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not as it was."""
    return [
        f"{k}: {before.get(k)} -> {after.get(k)}" for k in sorted({*before, *after}) if before.get(k) != after.get(k)
    ]


async def settle_in(stage: Stage) -> None:
    """Every model comes to where it is met."""
    for number in range(MODELS):
        await stage.wish(number, "v1", sort_of(number).first)
    end = time.monotonic() + PATIENCE
    while late := [n for n, one in (await stage.live()).items() if not (one.get("status") or {}).get("stable")]:
        assert time.monotonic() < end, late
        await asyncio.sleep(0.5)
    for number in range(MODELS):
        if second := sort_of(number).second:
            await stage.wish(number, "v2", second)
    await stage.rest()
    await stage.quiet()


async def changed(stage: Stage, plane: ControlPlane, code: Path) -> None:
    """CRDs, then the operator, of that release; what that wrote is printed, and nobody's pods noticed."""
    before, count = await stage.kept(), len(stage.proxy.written())
    await asyncio.to_thread(plane.kubectl, "apply", "--filename", str(code / "crds"))
    await asyncio.to_thread(plane.await_crds)
    which = "the present one" if code == ROOT else "the former one"
    async with stage.operator(code, f"operator-{time.monotonic_ns()}") as running:
        took = await stage.quiet()
        writes = stage.proxy.written()[count:]
        print(f"to {which}: {told(writes)}, the last one after {took:.1f} s", flush=True)
        assert not running.said("bug in a turn")
        assert differing(before, await stage.kept()) == []
        assert {each.where.split()[1] for each in writes} <= WRITTEN


def test_nobodys_pods_notice(plane: ControlPlane, former: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_house(plane) as house, Proxy(plane.kubeconfig) as proxy:
            stage = Stage(house, "upgrade", proxy, tmp_path)
            await asyncio.to_thread(plane.kubectl, "create", "namespace", stage.namespace)
            async with stage.operator(former, "operator-0"):
                await settle_in(stage)
            for code in (ROOT, former, ROOT):
                await changed(stage, plane, code)
            async with stage.operator(ROOT, "operator-1"):
                await goes_on(stage)

    asyncio.run(story())


async def goes_on(stage: Stage) -> None:
    """A candidate that has seen three operators is promoted when a person says so."""
    (name, one), *_ = [(n, o) for n, o in (await stage.live()).items() if o["status"].get("candidate")]
    revision = one["status"]["candidate"]["revision"]
    note = {"op": "add", "path": "/metadata/annotations", "value": {"penstock.dev/promote": revision}}
    await stage.house.kube.edit(one, [note])
    end = time.monotonic() + PATIENCE
    while not _serves(status := (await stage.live())[name]["status"], revision):
        assert time.monotonic() < end, status
        await asyncio.sleep(0.2)


def _serves(status: Object, revision: str) -> bool:
    return bool(status["stable"]["revision"] == revision and not status.get("leaving"))
