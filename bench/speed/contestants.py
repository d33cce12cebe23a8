"""Who takes part: how each is started, what its user applies for one job, and when that job is done.

A job is one model with one replica. Each contestant has the flags it ships with and, where it has such, the best ones.
"""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.speed.rig import NAMESPACE, ROOT, Client, Object, Process, running
from cluster import build, gotool
from cluster.programs import PINS, module_version
from tests.conftest import ControlPlane
from tests.integration.operator_process import Running, make_command
from tests.ports import free_port
from tests.sim.machine import RUNTIME

APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
PDBS = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
OURS = f"/apis/penstock.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments"
ROLLOUTS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts"
CANARIES = f"/apis/flagger.app/v1beta1/namespaces/{NAMESPACE}/canaries"
Done = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True)
class Contestant:
    """One program with one set of flags."""

    name: str
    job: Callable[[str], list[tuple[str, Object]]]  # what a user creates for a job of that name: collection, object
    children: dict[str, int]  # how many objects of a collection one job has in the end, its user's own included
    work: str  # the collection whose status tells that a job was seen
    crds: Callable[[], list[Path]]
    command: Callable[[Path, Path], list[str]]  # from a kubeconfig and a folder for its files

    def up(self, kubeconfig: Path) -> AbstractContextManager[Process]:
        """It runs."""
        return started(lambda folder: self.command(kubeconfig, folder))

    def install(self, plane: ControlPlane) -> None:
        """What it needs to be there before it starts."""
        install(plane, self.crds())
        if self.name == "Penstock":
            plane.kubectl("apply", "-f", "-", input=json.dumps(RUNTIME))

    def jobs(self, first: int, count: int) -> list[tuple[str, Object]]:
        """What a user creates for so many jobs."""
        return [each for number in range(first, first + count) for each in self.job(f"model-{number:04}")]

    @asynccontextmanager
    async def watched(self, client: Client) -> AsyncIterator[Done]:
        """Whether so many jobs are done, at any moment: their statuses are written and all children exist.

        A watch tells of statuses. Lists of many objects, asked ten times a second, would take what is measured.
        """
        seen: set[str] = set()

        async def keep() -> None:
            async for _, one in client.watch(self.work):
                (seen.add if is_seen(one) else seen.discard)(one["metadata"]["name"])

        async def done(count: int) -> bool:
            if len(seen) < count:
                return False
            counts = [await client.count(where) >= each * count for where, each in self.children.items()]
            return all(counts)

        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(keep())
            yield done
            keeping.cancel()


@contextmanager
def started(command: Callable[[Path], list[str]]) -> Iterator[Process]:
    """A program with a folder for its files and its log; gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(command(folder), folder / "log", {"POD_NAMESPACE": "default"}) as process:
            yield process


def install(plane: ControlPlane, crds: list[Path]) -> None:
    """These CRDs, ready for use."""
    for crd in crds:
        plane.kubectl("apply", "--server-side", "-f", str(crd))
    plane.await_crds()


def is_seen(one: Object) -> bool:
    """Whether its status speaks of it as it is."""
    status = one.get("status") or {}
    if "observedGeneration" in status:
        return int(status["observedGeneration"]) >= one["metadata"]["generation"]
    return bool(status.get("phase"))


def wish(name: str, **spec: object) -> Object:
    """The smallest ModelDeployment that has everything: one replica, a canary for later."""
    model = {"version": "v1", "format": "sklearn", "uri": "oci://registry.corp/churn:v1"}
    rollout = {"canary": {"steps": [{"weight": 50, "duration": "1h"}]}}
    analysis = {"metrics": [{"name": "errorRate", "compare": "Stable"}]}
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"model": model, "scaling": {"minReplicas": 1}, "rollout": rollout, "analysis": analysis, **spec},
    }


def _ours(name: str) -> list[tuple[str, Object]]:
    return [(OURS, wish(name))]


def operator(kubeconfig: Path, folder: Path, source: str = "http://127.0.0.1:9") -> list[str]:
    """The operator's command line; its configuration file is written, and its port noted beside it."""
    made = make_command(folder, kubeconfig, {}, source)
    (folder / "port").write_text(str(made.port))
    return made.words


def _crds_of_ours() -> list[Path]:
    return sorted((ROOT / "crds").glob("*.yaml"))


def requests(process: Process) -> dict[str, int]:
    """The operator's requests so far, by verb and kind, as it counts them itself."""
    port = int((process.log.parent / "port").read_text())
    found = Running(process.popen, port, process.log).requests()
    return {" ".join(where): number for where, number in found.items()}


@cache
def module(pin: str, name: str) -> Path:
    """The folder of a module as its pin has it, for the CRDs that come with it."""
    version = module_version(PINS / pin / "go.mod", name)
    words = [str(gotool.go()), "mod", "download", "-json", f"{name}@{version}"]
    said = subprocess.run(
        words, cwd=PINS / pin, env=gotool.environment(), check=True, capture_output=True, text=True
    ).stdout
    return Path(json.loads(said)["Dir"])


def _template(name: str) -> Object:
    container = {"name": "model", "image": "mlserver:1", "ports": [{"containerPort": 8080, "name": "http"}]}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}


def workload(name: str, kind: str, api: str, more: Object) -> Object:
    """A Deployment, or what stands for one, of one replica."""
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": _template(name), **more}
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}


def _rollout(name: str) -> list[tuple[str, Object]]:
    strategy = {"strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}}
    return [(ROLLOUTS, workload(name, "Rollout", "argoproj.io/v1alpha1", strategy))]


def _and_the_rest(name: str) -> list[tuple[str, Object]]:
    """A Rollout and what our operator makes beside a workload: its user's own work here, two Services and a budget."""
    meta = {"name": name, "namespace": NAMESPACE}
    guard: Object = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}
    kept = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": guard}
    return [*_rollout(name), *services(name, name, f"{name}-canary"), (PDBS, kept)]


def services(app: str, *names: str) -> list[tuple[str, Object]]:
    """Services of these names that lead to the pods of a workload."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    made: Object = {"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"app": app}, "ports": ports}}
    return [(f"{CORE}/services", made | {"metadata": {"name": each, "namespace": NAMESPACE}}) for each in names]


def crds_of_argo() -> list[Path]:
    folder = module("argo-rollouts", "github.com/argoproj/argo-rollouts") / "manifests" / "crds"
    return sorted(folder.glob("*-crd.yaml"))


def argo(*flags: str) -> Callable[[Path, Path], list[str]]:
    """Its command line, from a kubeconfig and a folder."""

    def command(kubeconfig: Path, _: Path) -> list[str]:
        ports = [f"--metricsPort={free_port()}", f"--healthzPort={free_port()}"]
        words = [str(build.program("rollouts-controller")), f"--kubeconfig={kubeconfig}", *ports]
        return [*words, "--leader-elect=false", *flags]

    return command


def _canary(interval: str) -> Callable[[str], list[tuple[str, Object]]]:
    """Flagger takes one step of its work, the making of children included, in each interval; 10 s is its least."""

    def job(name: str) -> list[tuple[str, Object]]:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        analysis = {"interval": interval, "threshold": 5, "iterations": 10}
        spec = {"provider": "kubernetes", "targetRef": target, "service": {"port": 8080}, "analysis": analysis}
        meta = {"name": name, "namespace": NAMESPACE}
        canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta, "spec": spec}
        return [(f"{APPS}/deployments", workload(name, "Deployment", "apps/v1", {})), (CANARIES, canary)]

    return job


def crds_of_flagger() -> list[Path]:
    return [module("flagger", "github.com/fluxcd/flagger") / "artifacts" / "flagger" / "crd.yaml"]


def flagger(*flags: str) -> Callable[[Path, Path], list[str]]:
    """Its command line, from a kubeconfig and a folder; the provider is that of the last word that names one."""

    def command(kubeconfig: Path, _: Path) -> list[str]:
        words = [str(build.program("flagger")), f"-kubeconfig={kubeconfig}", f"-port={free_port()}"]
        return [*words, "-mesh-provider=kubernetes", "-metrics-server=http://127.0.0.1:9", *flags]

    return command


PENSTOCK = Contestant(
    "Penstock",
    _ours,
    {f"{APPS}/deployments": 1, f"{APPS}/controllerrevisions": 1, f"{CORE}/services": 2, PDBS: 1},
    OURS,
    _crds_of_ours,
    operator,
)
_ROLLED = {f"{APPS}/replicasets": 1}
_SERVED = {**_ROLLED, f"{CORE}/services": 2, PDBS: 1}
_GUARDED = {f"{APPS}/deployments": 2, f"{CORE}/services": 3}  # one Deployment of the two is its user's
_FAST_ARGO = ("--qps=2000", "--burst=4000", "--rollout-threads=32", "--loglevel=error")
_FAST_FLAGGER = ("-kubeconfig-qps=2000", "-kubeconfig-burst=4000", "-threadiness=32", "-log-level=error")
RIVALS = tuple(
    Contestant(f"{who}, {how}", job, children, work, crds, command(*flags))
    for who, job, children, work, crds, command, fast in (
        ("Argo Rollouts", _rollout, _ROLLED, ROLLOUTS, crds_of_argo, argo, _FAST_ARGO),
        ("Argo Rollouts and the rest", _and_the_rest, _SERVED, ROLLOUTS, crds_of_argo, argo, _FAST_ARGO),
        ("Flagger", _canary("10s"), _GUARDED, CANARIES, crds_of_flagger, flagger, _FAST_FLAGGER),
    )
    for how, flags in (("its defaults", ()), ("best flags", fast))
)
AT_REST = (
    RIVALS[0],
    Contestant("Flagger, its defaults", _canary("1m"), _GUARDED, CANARIES, crds_of_flagger, flagger()),
)
