"""Long answers through rollouts: what began goes on to its end, in time that its pod was given; then it is cut."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.e2e.stories import small
from tests.e2e.stories.scene import NAMESPACE, Scene

LINGER = 10  # seconds that a pod still answers after it has left the endpoints, as in core/template.py
TOLERANCE = 4.0  # seconds for the kubelet to do what is due
UNLIMITED = aiohttp.ClientTimeout(total=None, sock_read=30)
HALF: dict[str, Any] = {"canary": {"steps": [{"weight": 50, "duration": "10m"}]}, "scaleDownDelay": "3s"}


@dataclass
class Stream:
    """One answer of many tokens, as its client saw it."""

    url: str
    host: str
    began: float = field(default_factory=time.time)
    ended: float = 0.0
    versions: set[str] = field(default_factory=set)
    tokens: int = 0
    whole: bool = False
    """Whether the last token said that it was the last."""
    why: str = ""

    async def run(self) -> None:
        """Listen to the end, whichever it is."""
        try:
            async with aiohttp.ClientSession(timeout=UNLIMITED, trust_env=False) as session:
                await (self._socket(session) if self.url.startswith("ws") else self._events(session))
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            self.why = repr(error)
        self.ended = time.time()

    async def _events(self, session: aiohttp.ClientSession) -> None:
        async with session.get(self.url, headers={"Host": self.host}) as answer:
            self.why = "" if answer.status == 200 else f"status {answer.status}"
            async for line in answer.content:
                if line.startswith(b"data: "):
                    self._take(line.decode().removeprefix("data: ").strip())

    async def _socket(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(self.url, headers={"Host": self.host}) as answer:
            async for message in answer:
                self._take(str(message.data))

    def _take(self, token: str) -> None:
        self.whole = token == "[DONE]"
        if not self.whole:
            self.tokens += 1
            self.versions.add(json.loads(token)["model_version"])

    @property
    def version(self) -> str:
        """Who answers; empty before the first token."""
        return next(iter(self.versions), "")


async def listen(scene: Scene, seconds: int, number: int) -> list[Stream]:
    """So many streams, half of them events and half WebSockets; each has got its first token."""
    made = []
    for count in range(number):
        kind, path = ("http", "stream") if count % 2 else ("ws", "socket")
        url = f"{kind}://{scene.house.address}/v2/models/{scene.name}/{path}?seconds={seconds}"
        made.append(Stream(url, scene.host))
        scene.sending.append(asyncio.create_task(made[-1].run()))
    await scene.until(lambda s: all(each.tokens or each.ended for each in made))
    assert not [each.why for each in made if each.ended], made
    return made


async def patient(scene: Scene) -> None:
    """The gateway has no time limit for an answer of this scene: by default it would end each after 15 s."""
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": scene.name}
    spec = {
        "targetRefs": [target],
        "timeout": {"http": {"requestTimeout": "0s", "connectionIdleTimeout": "3s"}},
    }
    policy = {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy"}
    await scene.create(policy | {"metadata": {"name": f"{scene.name}-streams", "namespace": NAMESPACE}, "spec": spec})
    accepted = "--for=jsonpath={.status.ancestors[0].conditions[0].status}=True"
    await scene.kubectl("wait", accepted, f"backendtrafficpolicy/{scene.name}-streams", "--timeout=60s")


async def is_gone(scene: Scene, revision: str) -> float:
    """When a revision's Deployment was deleted, and so its pods were told to end."""
    await scene.until(lambda s: s.sights("Deployment", revision)[-1].change == "DELETED")
    return scene.sights("Deployment", revision)[-1].at


async def ended(scene: Scene, streams: list[Stream]) -> None:
    """Wait until nobody listens any more."""
    await scene.until(lambda s: all(each.ended for each in streams))


def whole(streams: list[Stream], version: str, gone: float) -> None:
    """All went on to their end with the version that they began with, past the moment at which its pods had to go."""
    assert streams, "nobody listened"
    for each in streams:
        assert each.whole and not each.why and each.versions == {version}, each
        assert each.ended > gone, f"it was over before its pod was told to go: {each}"


async def promoted(scene: Scene) -> None:
    """Streams that began with the old version go on with it to their end: through step, promotion and its removal."""
    pod = {"drainTimeout": "60s"}
    await scene.alone()
    await small.first(scene, HALF, pod=pod)
    await patient(scene)
    old = scene.status["stable"]["revision"]
    streams = await listen(scene, 35, 6)
    await small.apply(scene, "v2", HALF, pod=pod)
    await scene.step(0)
    await scene.annotate(promote=scene.candidate["revision"])
    gone = await is_gone(scene, old)
    await ended(scene, streams)
    whole(streams, "v1", gone)
    scene.note(seconds_after_the_pods_had_to_go=round(max(each.ended for each in streams) - gone, 1))


async def rolled_back(scene: Scene) -> None:
    """Streams that began with a candidate go on with it when it is taken off; at the pod's limit they are cut."""
    pod = {"drainTimeout": "15s"}
    await scene.alone()
    await small.first(scene, HALF, pod=pod)
    await patient(scene)
    await small.apply(scene, "v2", HALF, pod=pod)
    await scene.step(0)
    name = scene.candidate["revision"]
    short, long = await listen(scene, 20, 16), await listen(scene, 120, 16)
    await scene.annotate(abort=name)
    gone = await is_gone(scene, name)
    tried = [[each for each in streams if each.version == "v2"] for streams in (short, long)]
    await ended(scene, [*tried[0], *tried[1]])
    whole(tried[0], "v2", gone)
    assert tried[1] and not any(each.whole for each in tried[1])
    held = [each.ended - gone for each in tried[1]]
    limit = LINGER + 15
    assert limit - TOLERANCE < min(held) and max(held) < limit + TOLERANCE, held
    assert not any(each.ended for each in long if each.version == "v1"), "the stable version's own were touched"
    scene.note(cut_after_seconds=round(max(held), 1), limit=limit)
    await scene.rejected("Aborted")


async def scaled_down(scene: Scene) -> None:
    """Streams on the pods that a smaller size takes away go on to their end."""
    pod, many = {"drainTimeout": "60s"}, {"minReplicas": 4}
    await scene.alone()
    await small.first(scene, pod=pod, scaling=many)
    await patient(scene)
    streams = await listen(scene, 30, 12)
    await small.apply(scene, "v1", pod=pod, scaling={"minReplicas": 1})
    await scene.until(
        lambda s: s.sights("Deployment", s.status["stable"]["revision"])[-1].seen["spec"]["replicas"] == 1
    )
    asked = time.time()
    await ended(scene, streams)
    whole(streams, "v1", asked)
