"""Plays bad rollouts side by side on a real cluster and gathers what every witness saw of them."""

import asyncio
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.breach import witnesses
from bench.breach.clients import Told, Witnesses
from bench.breach.facts import Facts, Look, Record
from bench.breach.witnesses import GATEWAY, OPERATOR, Tape
from examples.demo import setup
from examples.demo.kube import changes
from examples.demo.records import OK
from penstock.api.analysis import Analysis
from tests.e2e.stories.canaries import CANARY
from tests.e2e.stories.play import Outcome, open_house, play
from tests.e2e.stories.scene import ANALYSIS, NAMESPACE, House, Object, Scene, Sight

GOOD, BAD = "v1", "v3"
RATE = 20.0
PATIENCE = 30.0
LABEL_REVISION = "penstock.dev/revision"
AFTER = 1.5  # seconds of traffic past weight 0: whoever still reaches the bad version then is seen


@dataclass
class Bench:
    """One run of the bench: the house, its tapes, and the facts as they come."""

    house: House
    operator: Tape
    gateway: Tape
    rate: float = RATE
    facts: dict[str, Facts] = field(default_factory=dict)
    told: dict[str, list[Told]] = field(default_factory=dict)
    pods: dict[str, str] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    async def bad(self, scene: Scene) -> None:
        """v1 serves, v3 fails on one row in six and is taken off; everything is written down."""
        await scene.apply(GOOD, CANARY)
        await scene.settled(GOOD)
        home = scene.status["stable"]["revision"]
        crowd = self._clients(scene)
        await scene.apply(BAD, CANARY)
        await scene.rejected("ErrorRateAbove")
        await scene.until(lambda s: s.since(home) > 0 and _taken(s, home) > 0)
        off = scene.since(home)
        await scene.until(lambda s: any(each.sent > off + AFTER for each in crowd.told))
        self.loads.append(os.getloadavg()[0])
        self.facts[scene.name] = await self._gather(scene, home, crowd)

    def remember(self, pods: "subprocess.Popen[str]") -> None:
        """Whose address is whose, for ever: pods go with their rollout, the gateway's log names addresses."""
        for _, pod in changes(pods):
            if address := pod.get("status", {}).get("podIP"):
                self.pods[address] = pod["metadata"]["labels"].get(LABEL_REVISION, "")

    def _settle(self) -> None:
        """Wait until the gateway has written down what it did so far; it keeps lines back for up to ten seconds."""
        last = max((each.sent for told in self.told.values() for each in told if each.status), default=0.0)
        end = time.time() + PATIENCE
        while time.time() < end and self._logged() < last - 0.1:
            time.sleep(1.0)  # between two looks at the file

    def _logged(self) -> float:
        """When the last request began that the gateway's log speaks of."""
        tail = deque((line for line in self.gateway.lines() if line.get("start_time")), maxlen=1)
        return witnesses.unix(tail[0]["start_time"]) if tail else 0.0

    def record(self, **conditions: Any) -> Record:
        """All that was seen; the gateway's log without what went well."""
        self._settle()
        failed = (
            line for line in self.gateway.lines() if str(line.get("x-envoy-origin-path")).startswith("/v2/models/")
        )
        logged = tuple(line for line in failed if line.get("response_code") != OK)
        return Record(self.facts, self.told, self.pods, logged, tuple(self.loads), conditions | {"rate": self.rate})

    def _clients(self, scene: Scene) -> Witnesses:
        url = f"http://{self.house.address}/v2/models/{scene.name}/infer"
        crowd = Witnesses(url, self.house.rows, self.rate, {"Host": scene.host})
        self.told[scene.name] = crowd.told
        scene.send(crowd)
        return crowd

    async def _gather(self, scene: Scene, home: str, crowd: Witnesses) -> Facts:
        entry = scene.status["rejected"][-1]
        await scene.until(lambda s: bool(witnesses.audit(self.operator, s.name, "ErrorRateAbove")))
        line = witnesses.audit(self.operator, scene.name, "ErrorRateAbove")
        kubectl = self.house.kubectl
        mine, stable = [await asyncio.to_thread(witnesses.samples, kubectl, each) for each in (line["revision"], home)]
        return Facts(
            scene.name,
            Analysis.model_validate(ANALYSIS),
            tuple(crowd.told),
            BAD,
            GOOD,
            mine,
            stable,
            tuple(looks(scene.sights("ModelDeployment"))),
            witnesses.moments(line),
            seen_off=scene.since(home),
            confirmed=_taken(scene, home),
            reason=entry["reason"],
            message=entry["message"],
            load=self.loads[-1],
        )


def looks(sights: list[Sight]) -> Iterator[Look]:
    """The looks that the status showed of the comparison with the stable version, each once."""
    last = ""
    for sight in sights:
        for each in ((sight.seen.get("status") or {}).get("candidate") or {}).get("evidence", []):
            if "vs stable" in each["metric"] and each.get("lookedAt", "") > last:
                last = each["lookedAt"]
                sums = tuple(float(one) for one in each.get("sums", "").split())
                counts = each.get("candidate") or {}
                yield Look(witnesses.unix(last), sums, (counts.get("bad", 0), counts.get("total", 0)))


def _taken(scene: Scene, home: str) -> float:
    """When the gateway was seen to have taken the route that gives everything to `home`; 0 while it has not."""
    off = scene.since(home)
    for sight in scene.sights("HTTPRoute"):
        if off and sight.at >= off and _is_taken(sight.seen):
            return sight.at
    return 0.0


def _is_taken(route: Object) -> bool:
    conditions = [c for p in route.get("status", {}).get("parents", []) for c in p["conditions"]]
    now = route["metadata"]["generation"]
    return bool(conditions) and all(c["status"] == "True" and c["observedGeneration"] == now for c in conditions)


@contextmanager
def open_bench(cluster: str, rate: float = RATE) -> Iterator[Bench]:
    """The cluster of that name, brought up as far as it is not, with a house and its tapes."""
    place = setup.prepare(cluster)
    files = [setup.scratch() / f"breach-{each}.log" for each in ("operator", "gateway")]
    with (
        open_house(place) as house,
        Tape(place.kubectl, OPERATOR, files[0]) as operator,
        Tape(place.kubectl, GATEWAY, files[1]) as gateway,
    ):
        bench = Bench(house, operator, gateway, rate)
        stream = place.kubectl.watch(f"/api/v1/namespaces/{NAMESPACE}/pods")
        house.streams.append(stream)  # the house ends it
        threading.Thread(target=bench.remember, args=(stream,), daemon=True).start()
        yield bench


def measure(bench: Bench, runs: int, together: int) -> dict[str, Outcome]:
    """So many bad rollouts, some at a time; under names that no run before had, since logs and samples outlive it."""
    run = f"{int(time.time()) % 16**6:06x}"
    return play(bench.house, {f"bad-{run}-{number:02}": bench.bad for number in range(runs)}, together)
