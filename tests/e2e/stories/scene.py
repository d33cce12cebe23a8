"""What a story can do and see: apply, annotate, send clients, follow every change of its objects."""

import asyncio
import json
import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from examples.demo.kube import Kubectl, changes
from examples.demo.load import Question
from examples.demo.records import Answer
from penstock.shell.observe import SETTLING
from tests.e2e.stories.crowd import Crowd

Object = dict[str, Any]
NAMESPACE = os.environ.get("PENSTOCK_E2E_NAMESPACE", "stories")  # two on one cluster need one each
KINDS = {
    "ModelDeployment": f"/apis/penstock.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments",
    "HTTPRoute": f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes",
    "Event": f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "Service": f"/api/v1/namespaces/{NAMESPACE}/services",
}
PATIENCE = 150.0  # only ends a story that has failed
ANALYSIS: Object = {
    "interval": "2s",
    "minRequests": 15,
    "metrics": [{"name": "errorRate", "max": "2%"}, {"name": "errorRate", "compare": "Stable"}],
}


@dataclass(frozen=True)
class Sight:
    """An object as it was at a moment."""

    at: float
    change: str
    seen: Object


@dataclass
class House:
    """Namespace, gateway and watches that all stories share."""

    kubectl: Kubectl
    address: str
    spell: Callable[[str], str]
    rows: list[Question]
    sane: list[Question]
    sights: defaultdict[tuple[str, str], list[Sight]] = field(default_factory=lambda: defaultdict(list))
    """By kind and name, an Event by what it regards: who looks twenty times a second goes through nobody else's."""
    streams: list[subprocess.Popen[str]] = field(default_factory=list)

    def watch(self) -> None:
        """Follow all kinds from now on."""
        for kind, path in KINDS.items():
            stream = self.kubectl.watch(path)
            self.streams.append(stream)
            threading.Thread(target=self._follow, args=(kind, stream), daemon=True).start()

    def _follow(self, kind: str, stream: subprocess.Popen[str]) -> None:
        for change, seen in changes(stream):
            about = seen.get("regarding", seen["metadata"])
            self.sights[kind, about.get("name", "")].append(Sight(time.time(), change, seen))

    def close(self) -> None:
        """End the watches."""
        for stream in self.streams:
            stream.terminate()
            stream.wait()


@dataclass
class Scene:
    """One story's own ModelDeployment, clients and sights."""

    house: House
    name: str
    began: float = field(default_factory=time.time)
    crowds: list[Crowd] = field(default_factory=list)
    sending: list[asyncio.Task[None]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    sleeps: float = 0.0  # since when its model has no pods
    gateway: str = "models"

    @property
    def host(self) -> str:
        """The host name of this story's model on the gateway."""
        return f"{self.name}.test"

    async def alone(self) -> None:
        """A Gateway of the story's own from now on: what others change at a listener cuts streams and renews limits."""
        shared = json.loads(await self.kubectl("get", "gateway", self.gateway, "-o", "json"))
        meta = {"name": self.name, "namespace": NAMESPACE}
        await self.create({k: shared[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": meta})
        await self.kubectl("wait", "--for=condition=Programmed", f"gateway/{self.name}", f"--timeout={PATIENCE}s")
        address = await self.kubectl("get", "gateway", self.name, "-o", "jsonpath={.status.addresses[0].value}")
        self.gateway, self.house = self.name, replace(self.house, address=address)

    async def kubectl(self, *words: str, given: str | None = None) -> str:
        """kubectl without holding up the other stories."""
        return await asyncio.to_thread(self.house.kubectl.run, "-n", NAMESPACE, *words, given=given)

    async def create(self, manifest: Object | str) -> Object:
        """What `kubectl apply` does, and what the API server made of it."""
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        made: Object = json.loads(await self.kubectl("apply", "-o", "json", "-f", "-", given=self.house.spell(text)))
        return made

    async def apply(self, version: str, rollout: Object | None = None, **spec: Any) -> None:
        """The story's ModelDeployment with this version; `None` removes a field of the usual spec.

        Returns when the watch has shown it: what the story sees from then on is never older than its wish.
        """
        timing = {"deadline": "90s", "scaleDownDelay": "4s"}
        wish: Object = {
            "model": {"version": version, "format": "sklearn", "uri": f"oci://penstock.local/models/digits:{version}"},
            "runtime": "mlserver",
            "traffic": {"gateway": {"name": self.gateway}, "hostnames": [self.host]},
            "rollout": timing | (rollout or {}),
            "analysis": ANALYSIS if rollout else None,
        }
        wish = {k: v for k, v in (wish | spec).items() if v is not None}
        meta = {"name": self.name, "namespace": NAMESPACE}
        made = await self.create(
            {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta, "spec": wish}
        )
        await self.until(lambda s: any(_is_of(x.seen, made) for x in s.sights("ModelDeployment")))

    async def annotate(self, who: str = "alice", groups: str = "", **actions: str) -> None:
        """What a person does; the name that is recorded must be the one that the API server knows."""
        said = [f"penstock.dev/{k.replace('_', '-')}{'=' + v if v else '-'}" for k, v in actions.items()]
        said += [f"penstock.dev/requested-by={who}"]
        said += [f"penstock.dev/requested-groups={groups}"] if groups else []
        person = [f"--as={who}", "--as-group=system:masters", *(f"--as-group={g}" for g in groups.split(",") if g)]
        await self.kubectl("annotate", "--overwrite", f"modeldeployment/{self.name}", *said, *person)

    def crowd(self, host: str = "", headers: Mapping[str, str] | None = None, rate: float = 20.0) -> Crowd:
        """Clients through the gateway, from now on."""
        url = f"http://{self.house.address}/v2/models/{self.name}/infer"
        return self.send(Crowd(url, self.house.rows, rate, {"Host": host or self.host, **(headers or {})}))

    def send(self, crowd: Crowd) -> Crowd:
        """Let these clients begin."""
        self.crowds.append(crowd)
        self.sending.append(asyncio.create_task(crowd.run()))
        return crowd

    async def quiet(self) -> None:
        """The clients go home."""
        for task in self.sending:
            task.cancel()
        for task in self.sending:
            with suppress(asyncio.CancelledError):
                await task
        self.sending.clear()

    def sights(self, kind: str, name: str = "") -> list[Sight]:
        """What was seen of one object, or of the Events about objects of its name, oldest first."""
        return list(self.house.sights.get((kind, name or self.name), ()))

    @property
    def status(self) -> Object:
        """The status as it was last seen."""
        seen = self.sights("ModelDeployment")
        return dict(seen[-1].seen.get("status", {})) if seen else {}

    @property
    def ready(self) -> Object:
        """The condition Ready, of the present generation; empty while there is none."""
        seen = self.sights("ModelDeployment")
        last: Object = seen[-1].seen if seen else {}
        found = [c for c in last.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
        fits = found and found[0]["observedGeneration"] == last["metadata"]["generation"]
        return dict(found[0]) if fits else {}

    def says(self, kind: str) -> str:
        """The status of a condition as it was last seen; empty where there is none."""
        return next((str(c["status"]) for c in self.status.get("conditions", []) if c["type"] == kind), "")

    @property
    def candidate(self) -> Object:
        """The candidate as it was last seen; empty where there is none."""
        return dict(self.status.get("candidate") or {})

    async def until(self, what: Callable[["Scene"], bool], seconds: float = PATIENCE) -> float:
        """Wait for a sight; the answer is when it was there."""
        end = time.time() + seconds
        while not what(self):
            for task in self.sending:
                if task.done():
                    task.result()  # clients that could not even begin end their story
            assert time.time() < end, f"never came: {self.ready} {self.candidate} {self.status.get('next')}"
            await asyncio.sleep(0.05)
        return time.time()

    async def settled(self, version: str) -> None:
        """Wait until a version serves, wanted and alone."""
        await self.until(lambda s: s.ready.get("status") == "True" and s.status["stable"]["version"] == version)

    async def known(self) -> None:
        """Wait until proxies do what their gateway has said. They follow; of an old route nobody else waits for that.

        As long as the operator waits where the old answers would be wrong (shell/observe.py).
        """
        await asyncio.sleep(SETTLING)

    async def rejected(self, reason: str) -> None:
        """Wait until the wanted version was taken off for this reason, or one that begins so."""
        await self.until(lambda s: s.ready.get("reason") == "RolledBack")
        assert self.status["rejected"][-1]["reason"].startswith(reason), self.status["rejected"]

    async def step(self, number: int, version: str = "v2") -> None:
        """Wait until a candidate is in a step, counted from 0, and has its traffic."""
        await self.until(
            lambda s: (
                s.candidate.get("version") == version
                and s.candidate.get("step", -1) >= number
                and bool(s.candidate.get("shiftedAt"))
            )
        )

    def reasons(self) -> list[str]:
        """Reasons of the Events about this object, in order, repeats counted on left out."""
        added = [s.seen for s in self.sights("Event") if s.change == "ADDED"]
        return [event["reason"] for event in added if event.get("regarding", {}).get("kind") == "ModelDeployment"]

    def weights(self) -> list[tuple[float, dict[str, int]]]:
        """The weights of the route over time, by revision."""
        made = []
        for sight in self.sights("HTTPRoute"):
            rules = sight.seen["spec"]["rules"]
            made.append((sight.at, {b["name"]: b.get("weight", 1) for b in rules[0]["backendRefs"]}))
        return made

    def since(self, revision: str) -> float:
        """Since when a revision has had everything."""
        since = 0.0
        for at, given in self.weights():
            since = (since or at) if given.get(revision) == 100 else 0.0
        return since

    def answers(self) -> list[Answer]:
        """All that all clients got."""
        return [a for crowd in self.crowds for a in crowd.answers]

    def no_failure(self) -> None:
        """Every request so far was answered."""
        failed = [a for a in self.answers() if a.failed]
        assert self.answers(), "nobody asked"
        assert not failed, f"{len(failed)} of {len(self.answers())} failed, first {failed[0]}"

    def note(self, **facts: object) -> None:
        """Figures for the report."""
        self.notes |= {k: str(v) for k, v in facts.items()}


def _is_of(seen: Object, made: Object) -> bool:
    """Whether an object was seen as it was made, or later."""
    mine, theirs = seen["metadata"], made["metadata"]
    return bool(mine["uid"] == theirs["uid"] and mine["generation"] >= theirs["generation"])
