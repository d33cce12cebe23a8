"""A story of gRPC: the client is a pod of the model server's own image, which has the library; the tests need none."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import yaml

from examples.demo import EXAMPLES
from tests.e2e.stories.scene import NAMESPACE, PATIENCE, Object, Scene

PORT = 80  # of the gateway's listener: clear text, HTTP/2 from the first byte
CLIENT = """
import json, sys, threading, time
import grpc
from mlserver.grpc.dataplane_pb2 import ModelInferRequest as Request
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub as Stub

address, host, model, rate, cohort = sys.argv[1:]
stub = Stub(grpc.insecure_channel(address, [("grpc.default_authority", host)]))
metadata = [("x-cohort", cohort)] if cohort else []
lock = threading.Lock()

def ask(number):
    request = Request(model_name=model)
    tensor = request.inputs.add(name="pixels", datatype="FP64", shape=[1, 64])
    tensor.contents.fp64_contents.extend(float((number * 7 + i) % 16) for i in range(64))
    sent = time.time()
    try:
        status, version = "OK", stub.ModelInfer(request, timeout=5, metadata=metadata).model_version
    except grpc.RpcError as error:
        status, version = f"{error.code().name}: {error.details()}", ""
    with lock:  # else lines of two threads get mixed
        print(json.dumps({"sent": sent, "status": status, "version": version}), flush=True)

number, start = 0, time.time()
while True:
    threading.Thread(target=ask, args=(number,)).start()
    number += 1
    time.sleep(max(0.0, start + number / float(rate) - time.time()))
"""


@dataclass(frozen=True)
class Client:
    """One pod that asks so many times a second and never retries."""

    scene: Scene
    name: str

    async def answers(self) -> list[Object]:
        """All that it has got so far."""
        text = await self.scene.kubectl("logs", f"pod/{self.name}")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    async def until(self, count: int) -> list[Object]:
        """Its answers, once there are so many more than now."""
        least = len(await self.answers()) + count
        end = time.time() + PATIENCE
        while len(found := await self.answers()) < least:
            assert time.time() < end, f"{self.name} got no {least} answers: {found[-1:]}"
            await asyncio.sleep(0.5)
        return found[least - count :]


async def client(scene: Scene, name: str, cohort: str = "") -> Client:
    """A client that asks from now on."""
    words = [f"{scene.house.address}:{PORT}", scene.host, scene.name, "20", cohort]
    server = {
        "name": "client",
        "image": "penstock.local/mlserver:1.7.1",
        "command": ["python", "-c", CLIENT, *words],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    user = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [server], "securityContext": user, "terminationGracePeriodSeconds": 1}
    meta = {"name": f"{scene.name}-{name}", "namespace": NAMESPACE}
    await scene.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    await scene.kubectl("wait", f"pod/{scene.name}-{name}", "--for=condition=Ready", "--timeout=120s")
    return Client(scene, f"{scene.name}-{name}")


async def grpc(scene: Scene) -> None:
    """Open Inference V2 over gRPC: a GRPCRoute carries cohort and weights, as the answers show; none fails."""
    wish: dict[str, Any] = {
        "runtime": "stories-grpc",
        "traffic": {"gateway": {"name": "models"}, "protocol": "GRPC", "hostnames": [scene.host]},
    }
    held = {
        "abTest": {"match": [{"header": "x-cohort", "value": "beta"}], "duration": "5s"},
        "canary": {"steps": [{"weight": 30, "duration": "10m"}]},
    }
    await scene.create(runtime())
    await scene.apply("v1", held, **wish)
    await scene.settled("v1")
    main, cohort = await client(scene, "main"), await client(scene, "beta", "beta")
    assert versions(await main.until(40)) == {"v1"}
    await scene.apply("v2", held, **wish)
    await scene.step(0)
    assert versions((await cohort.until(60))[20:]) == {"v2"}
    await scene.step(1)
    # Of all clients: a proxy that takes turns gives two of them that ask in time with each other unlike shares.
    told = await asyncio.gather(main.until(440), cohort.until(440))
    seen = [each for answers in told for each in answers[40:]]
    share = 100 * sum(each["version"] == "v2" for each in seen) / len(seen)
    assert 24 < share < 36, f"{share} of {len(seen)}: three and a half standard deviations from 30"
    await scene.annotate("alice", promote=scene.candidate["revision"])
    await scene.settled("v2")
    assert versions((await main.until(60))[20:]) == {"v2"}
    everything = [*await main.answers(), *await cohort.answers()]
    failed = [each for each in everything if each["status"] != "OK"]
    assert not failed, f"{len(failed)} of {len(everything)} failed, first {failed[0]}"
    scene.note(gRPC_requests=len(everything), gRPC_failed=0, share_of_30_percent=f"{share:.1f} %")
    await scene.kubectl("delete", "pod", main.name, cohort.name, "--wait=false")
    await scene.kubectl("delete", "modelruntime", "stories-grpc")


def runtime() -> Object:
    """MLServer as it is shipped, with its port for gRPC and the counters of that."""
    made: Object = yaml.safe_load((EXAMPLES / "runtimes" / "mlserver.yaml").read_text())
    made["metadata"]["name"] = "stories-grpc"
    made["spec"]["formats"] = ["stories-grpc"]
    made["spec"]["container"]["grpcPort"] = 8081
    ask = 'grpc_method="ModelInfer"'
    made["spec"]["metrics"] = {
        "requests": {"name": "grpc_server_handling_seconds_count", "where": ask},
        "successes": {"name": "grpc_server_handled_total", "where": f'{ask},grpc_code="OK"'},
    }
    return made


def versions(answers: list[Object]) -> set[str]:
    """Who answered."""
    return {each["version"] for each in answers}
