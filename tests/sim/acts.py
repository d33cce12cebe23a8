"""Everything that may happen to the operator and its cluster, one kind of event each.

An event is data (kind and arguments), so that a story can be printed, kept and cut down. To add a kind: a function
that draws arguments, a function that does it, one line in `ACTS`. Roles are resolved when it happens.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Literal

from penstock.model.faults import Rejected, Retry, Stale
from tests.sim import wishes
from tests.sim.machine import Object
from tests.sim.pods import door_container
from tests.sim.rough import Rough

Arguments = dict[str, Any]
KINDS = ("ModelDeployment", "Deployment", "HTTPRoute", "ControllerRevision", "Service", "EndpointSlice", "Pod")
REMOVABLE = ("Deployment", "Service", "HTTPRoute", "PodDisruptionBudget", "HorizontalPodAutoscaler")
ACTIONS = ("promote", "promote-full", "abort", "retry", "approve", "skip", "undo", "pause")
FAULTS: dict[str, Callable[[str], Exception]] = {
    "retry": lambda kind: Retry(1.0, f"{kind}: no answer"),
    "stale": lambda kind: Stale(f"{kind}: the object has been modified"),
    "refused": lambda kind: Rejected("ApiForbidden", f"{kind}: exceeded quota"),
}


@dataclass(frozen=True)
class Act:
    """One kind of event: how its arguments are drawn, what it does, how often it is drawn among others."""

    draw: Callable[[Random], Arguments]
    do: Callable[[Rough, Arguments], None]
    share: int


def later(seconds: float, undo: Callable[[], None]) -> None:
    """What ends after a while."""
    asyncio.get_running_loop().call_later(seconds, undo)


def change(sim: Rough, new: Object) -> None:
    """Apply the wish with other knobs; as the API server has it, pods that give way have no autoscaler."""
    knobs = (sim.wishes[-1][1] if sim.wishes else {}) | new
    if knobs["rollout"].get("capacityPolicy") == "Replace":
        knobs["autoscaled"] = False
    if wishes.may_sleep(knobs):  # one pod, and none at times
        knobs["replicas"] = 1
    sim.wishes.append((sim.time(), knobs))
    sim.apply(wishes.make(knobs))


def target(sim: Rough, role: str) -> str:
    """The revision in a role, as the status has it now; any other word is a version."""
    status = (sim.live("ModelDeployment", "churn") or {}).get("status") or {}
    if role == "rejected":
        return next((str(one["revision"]) for one in reversed(status.get("rejected", []))), "")
    if role in ("stable", "candidate"):
        return str((status.get(role) or {}).get("revision", ""))
    return next((name for name, version in sim.versions.items() if version == role), "churn-0000000000")


def draw_spec(random: Random) -> Arguments:
    new: list[Arguments] = [{"version": random.choice(("v1", "v2", "v2", "v3", "v3", "v4"))}] * 5
    new += [{"replicas": random.randint(1, 4)}, {"version": random.choice(("v2", "v3")), "replicas": 3}]
    new += [wishes.draw_rollout(random, routed=True), wishes.draw_rollout(random, routed=False)]
    return random.choice(new)


def do_spec(sim: Rough, new: Arguments) -> None:
    if not sim.routed and {"shadow", "abTest"} & set(new.get("rollout", {})):
        return  # refused at apply, as the preview's host names are
    if not sim.routed and "previewHostnames" in new.get("rollout", {}).get("blueGreen", {}):
        return
    change(sim, new)


def draw_crash(random: Random) -> Arguments:
    downtime = random.choice((0.1, 1.0, 1.0, 6.0, 25.0))
    return {"write": random.randint(1, 6), "when": random.choice(("before", "after")), "downtime": downtime}


def do_crash(sim: Rough, how: Arguments) -> None:
    when: Literal["before", "after"] = how["when"]
    sim.downtime = how["downtime"]
    sim.kube.crash_at(len(sim.kube.writes) + how["write"], when)


def draw_fault(random: Random) -> Arguments:
    verb, kind = random.choice((("*", "*"), ("apply", random.choice(KINDS[1:])), ("update_status", KINDS[0])))
    fault = random.choice(("retry", "retry", *{"apply": ("refused",), "update_status": ("stale",)}.get(verb, ())))
    return {"verb": verb, "kind": kind, "fault": fault, "landed": random.random() < 0.5, "times": random.randint(1, 3)}


def do_fault(sim: Rough, how: Arguments) -> None:
    for _ in range(how["times"]):
        landed = how["landed"] and how["fault"] == "retry"
        sim.kube.fail_next(how["verb"], how["kind"], FAULTS[how["fault"]](how["kind"]), landed)


def draw_slow(random: Random) -> Arguments:
    return {"seconds": random.choice((0.3, 1.0, 4.0)), "for": random.choice((3, 10, 30))}


def do_slow(sim: Rough, how: Arguments) -> None:
    kube = sim.kube
    kube.slow = how["seconds"]
    later(how["for"], lambda: setattr(kube, "slow", 0.0))


def draw_lag(random: Random) -> Arguments:
    kinds = random.sample(KINDS, random.choice((1, 1, 2, 5)))
    return {"kinds": kinds, "seconds": random.choice((0.5, 2.0, 6.0, 15.0)), "for": random.choice((5, 15, 40))}


def do_lag(sim: Rough, how: Arguments) -> None:
    wire = sim.wire
    wire.lag.update(dict.fromkeys(how["kinds"], how["seconds"]))
    later(how["for"], wire.lag.clear)


def draw_cut(random: Random) -> Arguments:
    return {"kind": random.choice(KINDS), "for": random.choice((2, 8, 20))}


def do_cut(sim: Rough, how: Arguments) -> None:
    wire = sim.wire
    wire.cut(how["kind"])
    later(how["for"], lambda: wire.mend(how["kind"]))


def do_twice(sim: Rough, how: Arguments) -> None:
    wire = sim.wire
    wire.twice = True
    later(how["for"], lambda: setattr(wire, "twice", False))


def draw_pods(random: Random) -> Arguments:
    return {"role": random.choice(("stable", "candidate", "candidate")), "for": random.choice((1, 4, 15, 40))}


def do_pods(sim: Rough, how: Arguments) -> None:
    sim.strike_pods(target(sim, how["role"]), how["for"])


def draw_evict(random: Random) -> Arguments:
    return draw_pods(random) | {"count": random.choice((1, 1, 2))}


def do_evict(sim: Rough, how: Arguments) -> None:
    sim.replace_pods(target(sim, how["role"]), how["count"], how["for"])


def draw_gateway(random: Random) -> Arguments:
    mode = random.choice(({"lag": 4.0}, {"lag": 12.0}, {"dead": True}, {"refuses": True}, {"stuck": True}))
    return {"mode": mode, "for": random.choice((4, 15, 60))}


def do_gateway(sim: Rough, how: Arguments) -> None:
    for key, value in how["mode"].items():
        setattr(sim.gate, key, value)
    later(how["for"], sim.gate.heal)


def draw_metrics(random: Random) -> Arguments:
    mode: Arguments = random.choice(({"silent": "all"}, {"silent": "compared"}, {"thinking": 4.5}))
    return mode | {"for": random.choice((6, 20, 60))}


def do_metrics(sim: Rough, how: Arguments) -> None:
    for key in ("silent", "thinking"):
        setattr(sim, key, how.get(key, getattr(sim, key)))
    later(how["for"], lambda: heal_metrics(sim))


def heal_metrics(sim: Rough) -> None:
    """The source answers again."""
    sim.silent, sim.thinking = "", 0.0


def do_source(sim: Rough, how: Arguments) -> None:
    change(sim, {"source": "elsewhere"})
    later(how["for"], lambda: change(sim, {"source": "default"}))


def do_traffic(sim: Rough, how: Arguments) -> None:
    sim.gate.traffic(how["rps"])
    later(how["for"], lambda: sim.gate.traffic(100.0))


def do_clock(sim: Rough, how: Arguments) -> None:
    sim.jump += timedelta(seconds=how["by"])
    sim.jumps.append(sim.time())
    sim.ahead = max(sim.ahead, sim.jump.total_seconds())


def draw_remove(random: Random) -> Arguments:
    return {"kind": random.choice(REMOVABLE), "role": random.choice(("stable", "candidate", ""))}


def do_remove(sim: Rough, how: Arguments) -> None:
    shared = not how["role"] or how["kind"] in ("HTTPRoute", "PodDisruptionBudget")
    sim.store.delete(how["kind"], "ml", "churn" if shared else target(sim, how["role"]))


def draw_edit(random: Random) -> Arguments:
    what = random.choice(("route", "apex", "label", "wish", "pod"))
    return {"what": what, "share": random.choice((0, 50, 100))}


def do_edit(sim: Rough, how: Arguments) -> None:
    if how["what"] == "pod":
        _edit_pod(sim, how["share"])
        return
    kind = {"route": "HTTPRoute", "apex": "Service", "label": "Service", "wish": "ModelDeployment"}[how["what"]]
    if sim.live(kind, "churn"):
        sim.store.edit((kind, "ml", "churn"), lambda live: EDITS[how["what"]](live, how["share"]), "somebody")


def _edit_pod(sim: Rough, share: int) -> None:
    """A hand on the rotation label of one pod."""
    word = {"penstock.dev/rotation": "in" if share else "out"}
    pods = sorted(live["metadata"]["name"] for live in sim.all_pods())
    for name in pods[share * len(pods) // 101 :][:1]:
        sim.store.edit(("Pod", "ml", name), lambda live: live["metadata"]["labels"].update(word), "somebody")


def _edit_route(live: Object, share: int) -> None:
    refs = live["spec"]["rules"][0]["backendRefs"]
    if len(refs) > 1:
        refs[0]["weight"], refs[1]["weight"] = share, 100 - share
        for other in refs[2:]:
            other["weight"] = 0


EDITS: dict[str, Callable[[Object, int], None]] = {
    "route": _edit_route,
    "apex": lambda live, _: live["spec"].update(selector={"app": "elsewhere"}),
    "label": lambda live, share: live["metadata"].setdefault("labels", {}).update(team=f"t{share}"),
    "wish": lambda live, share: live["metadata"].setdefault("annotations", {}).update(note=f"n{share}"),
}


def do_door(sim: Rough, how: Arguments) -> None:
    if how["what"] == "pod":
        sim.strike_pods("churn-door", how["for"])
        _run_door(sim, False)
        later(how["for"], lambda: _run_door(sim, True))
    elif sim.live(how["what"], "churn-door"):
        sim.store.delete(how["what"], "ml", "churn-door")


def _run_door(sim: Rough, runs: bool) -> None:
    """Its container has ended, or has begun again."""
    said = {"containerStatuses": [door_container(runs, f"{sim.now():%Y-%m-%dT%H:%M:%SZ}")]}
    for pod in sim.pods.of("churn-door"):
        ref = ("Pod", "ml", pod["metadata"]["name"])
        sim.store.edit(ref, lambda live: live.setdefault("status", {}).update(said), "kubelet")


def do_recreate(sim: Rough, how: Arguments) -> None:
    sim.store.delete("ModelDeployment", "ml", "churn")
    later(how["after"], lambda: change(sim, {}))


def do_load(sim: Rough, how: Arguments) -> None:
    sim.autoscale(target(sim, how["role"]), how["replicas"])


def draw_person(random: Random) -> Arguments:
    action = random.choice(ACTIONS)
    role = random.choice(("candidate", "candidate", "candidate", "stable", "rejected", "v1", "v2", "v3"))
    step = random.choice((None, None, 1, 2))
    return {"action": action, "role": role, "step": step, "by": random.choice(("ann", "bob"))}


def do_person(sim: Rough, how: Arguments) -> None:
    name = target(sim, how["role"])
    steps = how["step"] and how["action"] in ("approve", "skip", "promote")
    value = "true" if how["action"] == "pause" else f"{name}/{how['step']}" if steps else name
    annotate(sim, {how["action"]: value, "requested-by": how["by"]})


def annotate(sim: Rough, notes: dict[str, str | None]) -> None:
    """What `kubectl annotate --overwrite` does; None takes an annotation away."""

    def write(live: Object) -> None:
        kept = live["metadata"].setdefault("annotations", {})
        for key, value in notes.items():
            kept.pop(f"penstock.dev/{key}", None)
            if value is not None:
                kept[f"penstock.dev/{key}"] = value

    if sim.live("ModelDeployment", "churn"):
        sim.store.edit(("ModelDeployment", "ml", "churn"), write, "somebody")


def do_resume(sim: Rough, _: Arguments) -> None:
    annotate(sim, {"pause": None})


def span(*choices: float) -> Callable[[Random], Arguments]:
    """An event that only lasts."""
    return lambda random: {"for": random.choice(choices)}


ACTS: dict[str, Act] = {
    "spec": Act(draw_spec, do_spec, 30),
    "person": Act(draw_person, do_person, 24),
    "resume": Act(lambda _: {}, do_resume, 4),
    "crash": Act(draw_crash, do_crash, 14),
    "fault": Act(draw_fault, do_fault, 10),
    "slow": Act(draw_slow, do_slow, 4),
    "lag": Act(draw_lag, do_lag, 8),
    "cut": Act(draw_cut, do_cut, 6),
    "twice": Act(span(10, 60), do_twice, 2),
    "pods": Act(draw_pods, do_pods, 10),
    "evict": Act(draw_evict, do_evict, 8),
    "gateway": Act(draw_gateway, do_gateway, 8),
    "metrics": Act(draw_metrics, do_metrics, 6),
    "source": Act(span(5, 30), do_source, 2),
    "traffic": Act(lambda r: {"rps": r.choice((0.0, 2.0, 400.0)), "for": r.choice((5, 20, 60))}, do_traffic, 3),
    "clock": Act(lambda r: {"by": r.choice((-3600, -60, -4, 4, 60, 3600))}, do_clock, 4),
    "remove": Act(draw_remove, do_remove, 5),
    "edit": Act(draw_edit, do_edit, 5),
    "door": Act(lambda _: {}, do_door, 0),  # drawn in the stories of those that sleep alone
    "recreate": Act(lambda r: {"after": r.choice((0.0, 0.2, 3.0))}, do_recreate, 1),
    "load": Act(lambda r: {"role": r.choice(("stable", "candidate")), "replicas": r.randint(1, 6)}, do_load, 4),
}
