"""What is done to the cluster from outside: servers and operators die, gateways restart, Deployments are given."""

import asyncio
import os
import signal
import time
from pathlib import Path

from bench.breach.witnesses import GATEWAY
from examples.demo.kube import Kubectl
from tests.e2e.stories import small
from tests.e2e.stories.scene import NAMESPACE, Scene

PATIENCE = "300s"
PAUSE = 0.1


def kill_operator(kubectl: Kubectl) -> None:
    """SIGKILL; where it is just starting anew, as soon as it is there."""
    pods = kubectl.get("pods", "--namespace=penstock-system")["items"]
    _kill([pod["metadata"]["uid"] for pod in pods], b"penstock.main")


async def kill_server(scene: Scene, revision: str) -> None:
    """SIGKILL for the server of one pod of a revision: nobody is told before."""
    words = ("pods", "-n", NAMESPACE, "-l", f"penstock.dev/revision={revision}")
    pods = (await asyncio.to_thread(scene.house.kubectl.get, *words))["items"]
    await asyncio.to_thread(_kill, [pods[0]["metadata"]["uid"]], b"server.py")


def _kill(uids: list[str], word: bytes) -> None:
    found: list[int] = []
    while not found:
        found = [int(f.name) for f in Path("/proc").glob("[0-9]*") if _runs(f, uids, word)]
        time.sleep(PAUSE)  # between two looks at the processes
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def _runs(folder: Path, uids: list[str], word: bytes) -> bool:
    """Whether a process is the one of these very pods, by the uid in its control group."""
    try:
        group, command = (folder / "cgroup").read_text(), (folder / "cmdline").read_bytes()
    except OSError:
        return False  # it has ended
    return word in command and any(uid in group or uid.replace("-", "_") in group for uid in uids)


async def retry(scene: Scene) -> None:
    """The gateway asks another pod where one did not answer; what it does by itself is nothing of the kind."""
    meta = {"name": scene.name, "namespace": NAMESPACE}
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": scene.name}
    triggers = ["connect-failure", "reset"]
    spec = {
        "targetRefs": [target],
        "timeout": {"http": {"connectionIdleTimeout": "3s"}},
        "retry": {"numRetries": 2, "retryOn": {"triggers": triggers}},
    }
    policy = {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy"}
    await scene.create(policy | {"metadata": meta, "spec": spec})
    accepted = "--for=jsonpath={.status.ancestors[0].conditions[0].status}=True"
    await scene.kubectl("wait", accepted, f"backendtrafficpolicy/{scene.name}", f"--timeout={PATIENCE}")


def restart_gateway(kubectl: Kubectl) -> None:
    """All proxies of our own Gateway, one after the other; done when the last old one is gone."""
    where, chosen = GATEWAY[:2]
    before = _pods(kubectl, where, chosen)
    kubectl.run("rollout", "restart", "deployment", where, chosen)
    kubectl.run("rollout", "status", "deployment", where, chosen, f"--timeout={PATIENCE}")
    while before & _pods(kubectl, where, chosen):
        time.sleep(PAUSE)  # between two looks at the pods


def _pods(kubectl: Kubectl, *words: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in kubectl.get("pods", *words)["items"]}


async def plain(scene: Scene) -> str:
    """A Deployment and a Service as anybody might have written them; the answer is the URL behind the Service."""
    await small.furnish(scene)
    await scene.create(small.plain(scene))
    await scene.kubectl("rollout", "status", f"deployment/{scene.name}-server", f"--timeout={PATIENCE}")
    address = await scene.kubectl("get", "service", scene.name, "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}:9000/v2/models/{scene.name}/infer"


async def hand_over(scene: Scene) -> None:
    """What their owner does to give them to Penstock."""
    for what in (f"deployment/{scene.name}-server", f"service/{scene.name}"):
        await scene.kubectl("label", what, f"penstock.dev/name={scene.name}")
