"""Where a ModelDeployment can be when somebody lays hands on what is ours: how each phase is reached, how it goes on.

Those before an HTTPRoute or a plain Service are told in the rough cluster, under the laws of every write; those that
need what only some gateways, autoscalers and administrators have are told in the meadow.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.model.platform import Scaler
from tests.sim.acts import annotate, change
from tests.sim.laws import Court
from tests.sim.machine import Nature, Object, Sim
from tests.sim.rough import Rough
from tests.sim.stories import revision
from tests.walk.grounds import ERRORS, GROUNDS, LIVE, NAMED, QUICK
from tests.walk.meadow import PLATFORM, WEATHERS, Meadow

Says = Callable[[Object], Any]
PATIENCE = 400.0  # seconds
STEPS: list[Object] = [{"weight": 20, "duration": "8s"}, {"weight": 60, "duration": "8s"}]
KNOBS: Object = {
    "version": "v1",
    "replicas": 2,
    "autoscaled": False,
    "deadline": "2m",
    "delay": "10s",
    "source": "default",
    "routed": True,
    "share": "Nearest",
    "judged": True,
    "rollout": {"canary": {"steps": STEPS}},
}
WISH = ("ModelDeployment", "ml", "churn")
SLOW, BAD = Nature(ready_after=9.0), Nature(ready_after=2.0, error_rate=0.4)


def tried(status: Object) -> Object:
    """The candidate; empty where nobody is tried."""
    found: Object = status.get("candidate") or {}
    return found


@dataclass(frozen=True)
class Phase:
    """A cluster, the versions that are asked for in turn, and what the status says once the phase is reached."""

    says: Says
    make: Callable[[dict[str, Nature]], Sim]
    ask: Callable[[Any, str], None]
    versions: tuple[str, ...] = ("v1", "v2")
    natures: dict[str, Nature] = field(default_factory=dict)
    meets: Says = tried  # what the status says when a person comes
    notes: Callable[[Sim], Object] = lambda _: {}  # the annotations of that person
    resume: Callable[[Any], None] = lambda _: None  # what a person does in the end
    rests: Says = lambda _: True  # what it must say in the end
    ends: bool = False  # whether the whole model is being deleted, its parts first


def at(kind: str, weight: int | None = None) -> Says:
    """A candidate in a step of this kind, with this part of the traffic."""

    def says(status: Object) -> bool:
        mine = tried(status)
        step = mine["steps"][mine.get("step", 0)] if mine else {}
        return bool(mine) and step.get("kind", "Canary") == kind and weight in (None, mine["weight"])

    return says


def why(reason: str) -> Says:
    """The reason of Ready."""
    return lambda status: any(
        one["type"] == "Ready" and one["reason"] == reason for one in status.get("conditions", [])
    )


def waits(status: Object) -> bool:
    """A candidate has no ready pod yet."""
    return bool(tried(status)) and why("WaitingForPods")(status)


def leaves(version: str) -> Says:
    """This version serves and another is about to go."""
    return lambda status: status.get("stable", {}).get("version") == version and status.get("leaving")


def settled(status: Object) -> bool:
    """Nothing is under way."""
    return why("Settled")(status) and not status.get("leaving")


# in the rough cluster


def _rough(**knobs: Any) -> Phase:
    """A phase under the laws of every write."""
    mine = KNOBS | knobs

    def make(natures: dict[str, Nature]) -> Sim:
        sim = Rough(natures, routed=mine["routed"])
        sim.witness = Court(sim).witness
        return sim

    return Phase(settled, make, lambda sim, version: change(sim, mine | {"version": version}))


def _canary(says: Says, **more: Any) -> Phase:
    return replace(_rough(), says=says, **more)


def _rollout(says: Says, rollout: Object, **knobs: Any) -> Phase:
    return replace(_rough(rollout=rollout, **knobs), says=says)


def _agree(sim: Rough) -> None:
    annotate(sim, {"approve": tried(sim.status)["revision"], "requested-by": "ann"})


def _go(sim: Sim) -> None:
    """All that holds the model is gone."""
    sim.store.edit(WISH, lambda live: live["metadata"].pop("finalizers"), "garbage-collector")


APPROVED: Object = {"canary": {"steps": [STEPS[0] | {"approval": {"minApprovals": 1}}]}}
COHORT: Object = {"match": [{"header": "x-cohort", "value": "beta"}], "duration": "20s"}
GREEN: Object = {"blueGreen": {"duration": "20s"}, "bake": {"duration": "15s"}}

# in the meadow


class Keda(Meadow):
    """KEDA scales, to as few pods as it may."""

    def _react(self, change: str, live: Object) -> None:
        super()._react(change, live)
        if live["kind"] in ("ScaledObject", "Deployment") and change != "DELETED":
            asyncio.get_running_loop().call_later(0.2, self._fewest, live["metadata"]["name"])

    def _fewest(self, name: str) -> None:
        live = self.store.get("ScaledObject", "ml", name)
        if live:
            self._size(name, {"minReplicas": live["spec"]["minReplicaCount"]})


def _meadow(spec: Object, weather: str = "fine", **platform: Any) -> Phase:
    def make(_: dict[str, Nature]) -> Sim:
        kind = Keda if platform else Meadow
        return kind(weather=WEATHERS[weather], platform=replace(PLATFORM, **platform))

    def ask(sim: Meadow, version: str) -> None:
        sim.want(spec | {"model": spec["model"] | {"version": version}})

    return Phase(settled, make, ask, versions=("v1",))


PATIENT: Object = QUICK | {"deadline": "5m"}  # longer than what stands in the way stays
TRIED: Object = GROUNDS["canary"] | {
    "rollout": PATIENT | {"canary": {"steps": [{"weight": 50, "duration": "30s"}]}},
    "analysis": {"interval": "5s", "minRequests": 20, "metrics": [ERRORS]},
}
POLICY: Object = {"apiKey": {"secret": {"name": "keys"}}, "maxBody": "1Mi", "tls": {"issuer": {"name": "ca"}}}
RICH: Object = TRIED | {
    "scaling": LIVE,
    "server": {"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]},
    "traffic": NAMED | {"previewHeader": "x-a", "payloadLog": {"sink": "lake", "percent": 5}, "policy": POLICY},
}
MESH: Object = TRIED | {"traffic": GROUNDS["istio"]["traffic"]}
GRPC: Object = TRIED | {"traffic": GROUNDS["grpc"]["traffic"]}
PREVIEWED: Object = TRIED | {
    "traffic": NAMED | {"policy": POLICY},
    "rollout": PATIENT | {"blueGreen": {"duration": "20s", "previewHostnames": ["next.corp"]}},
}
SCALED: Object = TRIED | {"scaling": LIVE}
KEDA: Object = {"scaler": Scaler.KEDA, "live": "http://live/live"}
SLEEPER: Object = GROUNDS["sleeper"]


def _both(name: str, spec: Object, step: str = "Canary", **platform: Any) -> dict[str, Phase]:
    """At rest, and with a candidate that gets requests."""
    rests = _meadow(spec, **platform)
    return {name: rests, f"{name}, in a rollout": replace(rests, says=at(step), versions=("v1", "v2"))}


PHASES: dict[str, Phase] = {
    "first pods": _canary(waits, versions=("v1",), natures={"v1": SLOW}),
    "settled": _canary(settled, versions=("v1",)),
    "candidate's pods": _canary(waits, natures={"v2": SLOW}),
    "at a weight": _canary(at("Canary", 20)),
    "paused": _canary(
        why("Paused"), notes=lambda _: {"pause": "true"}, resume=lambda sim: annotate(sim, {"pause": None})
    ),
    "unapproved": replace(_rollout(why("WaitingForApproval"), APPROVED), resume=_agree),
    "promotion": _canary(at("Full"), natures={"v2": SLOW}),
    "bake": _rollout(at("Bake", 100), {"canary": {"steps": STEPS[:1]}, "bake": {"duration": "30s"}}),
    "leaving": _canary(leaves("v2")),
    "rejected": _canary(lambda s: s.get("rejected") and s.get("leaving"), natures={"v2": BAD}),
    "rolled back": _canary(lambda s: s.get("rejected") and not s.get("leaving"), natures={"v2": BAD}),
    "undone": _canary(lambda s: tried(s).get("undoBy"), meets=settled, notes=lambda sim: {"undo": revision(sim, "v1")}),
    "superseded": _canary(lambda s: s.get("leaving") and tried(s), versions=("v1", "v2", "v3")),
    "autoscaled": replace(_rough(autoscaled=True), says=at("Canary", 20)),
    "shadow": _rollout(at("Shadow"), {"shadow": {"percent": 50, "duration": "20s"}}),
    "cohort": _rollout(at("Cohort"), {"abTest": COHORT}),
    "preview": _rollout(at("Preview"), GREEN),
    "sticky": replace(_rough(sticky=True, named=True), says=at("Canary", 20)),
    "by pods": replace(_rough(routed=False, replicas=4), versions=("v1",)),
    "by pods, at a weight": replace(_rough(routed=False, replicas=4), says=at("Canary", 20)),
    "deleted": replace(_canary(settled, versions=("v1",)), ends=True, resume=_go),
    "asleep": replace(_meadow(SLEEPER, "empty"), says=why("Asleep"), rests=why("Asleep")),
    **_both("rich", RICH),
    **_both("mesh", MESH),
    **_both("grpc", GRPC),
    **_both("previewed", PREVIEWED, "Preview"),
    **_both("keda", SCALED, **KEDA),
}


async def reach(phase: Phase) -> Sim:
    """The cluster, in this phase."""
    sim = phase.make(phase.natures)
    for version in phase.versions[:-1]:
        phase.ask(sim, version)
        await until(sim, settled if version == "v1" else tried)
    phase.ask(sim, phase.versions[-1])
    await sim.run(0.5)
    if phase.notes(sim):
        await until(sim, phase.meets)
        annotate(sim, phase.notes(sim))  # type: ignore[arg-type]
    await until(sim, phase.says)
    if phase.ends:
        sim.store.edit(WISH, lambda live: live["metadata"].update(finalizers=["foregroundDeletion"]), "kubectl")
        sim.store.delete(*WISH)
        await sim.run(5)
    return sim


def status_of(sim: Sim) -> Object:
    """As it stands; empty where there is none."""
    live = sim.store.get("ModelDeployment", "ml", "churn") or {}
    found: Object = live.get("status") or {}
    return found


async def until(sim: Sim, says: Says) -> None:
    """Let time pass until the status says so."""
    for _ in range(int(2 * PATIENCE)):
        if says(status_of(sim)):
            return
        await sim.run(0.5)
    raise AssertionError(f"never: {status_of(sim)}")
