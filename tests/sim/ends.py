"""Where a story must end once nothing goes wrong any more: the wish is served, or what keeps it is true; then silence.

A version that was refused must have deserved it, or have been tried while things went wrong, or a person said so.
"""

from collections.abc import Iterator
from typing import Any

from tests.sim.acts import annotate, heal_metrics
from tests.sim.gate import Carried
from tests.sim.laws import Court, status_of
from tests.sim.rough import Nature, Rough
from tests.sim.wishes import may_sleep

Object = dict[str, Any]
QUIET = 30.0
PATIENCE = 420.0  # steps, a deadline, the longest backoff that the faults of one story can build up
BY_DEADLINE = {"NeverReady", "RouteNotProgrammed", "ShareMismatch", "EvidenceMissing", "MetricsLost", "NoData"}
BY_PEOPLE = {"Aborted": "abort", "Undone": "undo"}
FOR_PEOPLE = {"Paused", "WaitingForApproval", "ApprovalTimedOut", "Inconclusive"}


def calm(sim: Rough, resumes: bool) -> None:
    """From now on nothing goes wrong; a pause may stay."""
    sim.jump *= 0
    sim.jumps.append(sim.time())
    sim.gate.heal()
    sim.gate.traffic(100.0)
    heal_metrics(sim)
    sim.moments.clear()
    sim.kube.calm()
    sim.wire.calm()
    for live in sim.store.list("Deployment"):
        sim.recover(live["metadata"]["name"], live["metadata"]["uid"])
    if resumes:
        annotate(sim, {"pause": None})


def ready_of(status: Object) -> Object:
    """The condition Ready."""
    return next((one for one in status.get("conditions", []) if one["type"] == "Ready"), {})


async def wait_until_quiet(sim: Rough, court: Court) -> str:
    """Let time pass until nothing is under way; a complaint when it never ends."""
    latest = sim.time() + PATIENCE + sim.ahead
    waited = 0.0
    while sim.time() < latest:
        await sim.run(10.0)
        status = status_of(sim)
        stalled = any(one["type"] == "Stalled" for one in status.get("conditions", []))
        waited = waited + 10.0 if ready_of(status).get("reason") in FOR_PEOPLE else 0.0
        if waited >= 2 * QUIET:  # the metrics of a candidate that waits for people are still read
            return ""
        written = court.writes[-1] if court.writes else 0.0
        if sim.alive and _has_heard(sim) and not _is_busy(status, stalled) and sim.time() - written >= QUIET:
            return ""
    return f"no end after {PATIENCE:.0f} s: {status_of(sim)}"


def _has_heard(sim: Rough) -> bool:
    """Whether no watch still brings news of what the wish was before; a new process would know it at once."""
    return sim.wire.known_until() >= sim.time()


def _is_busy(status: Object, stalled: bool) -> bool:
    """Whether something is still to come by itself."""
    if stalled and not status.get("stable"):  # a first revision that cannot start; who was before it may still answer
        return False
    frozen = ready_of(status).get("reason") == "Frozen"
    return frozen or bool(status.get("leaving")) or (bool(status.get("candidate")) and not stalled)


def complaints(sim: Rough, court: Court, calm_since: float) -> Iterator[str]:
    """What is wrong with the end of a story."""
    status, wished = status_of(sim), sim.wished("version")
    nature, ready = sim.natures.get(wished, Nature()), ready_of(status)
    home = status.get("stable") or {}
    if ready.get("reason") in FOR_PEOPLE:
        yield from _waits_for_people(sim, status)
    elif not home:
        if nature.ready_after is not None or ready.get("reason") != "WaitingForPods":
            yield f"{wished} is not stable: {ready}"
    elif home["version"] == wished:
        yield from _serves(sim, status)
    elif ready.get("reason") == "ShareUnreachable":
        yield from _cannot_be_had(sim)
    elif ready.get("reason") != "RolledBack":
        yield f"neither {wished} nor rolled back: {ready}"
    else:
        yield from _is_true(sim, court, (status, nature, calm_since))
    yield from _leftovers(sim, status)


def _cannot_be_had(sim: Rough) -> Iterator[str]:
    """A step's weight is no whole number of pods. How many an autoscaler has made is not known here."""
    knobs = sim.wishes[-1][1]
    steps = knobs["rollout"].get("canary", {}).get("steps", [])
    fits = not knobs["autoscaled"] and all(_fits(step, knobs) for step in steps)
    if sim.routed or knobs.get("share") != "Refuse" or fits:
        yield f"no share is out of reach: {knobs}"


def _fits(step: Object, knobs: Object) -> bool:
    full, replaces = knobs["replicas"], knobs["rollout"].get("capacityPolicy") == "Replace"
    given = -(-int(step.get("capacity", f"{step['weight']}%").rstrip("%")) * full // 100)
    given = min(given, full - 1) if replaces else given
    home = full - given if replaces else full
    pairs = ((k, m) for k in range(1, given + 1) for m in range(1, home + 1) if k + m >= full)
    return any(100 * k == step["weight"] * (k + m) for k, m in pairs)


def _waits_for_people(sim: Rough, status: Object) -> Iterator[str]:
    paused = sim.notes[-1][1].get("penstock.dev/pause") == "true"
    tried = status.get("candidate") or {}
    asked = bool(tried) and bool(tried["steps"][tried.get("step", 0)].get("approval"))
    if ready_of(status)["reason"] == "Inconclusive":
        asked = any(one["verdict"] == "Inconclusive" for one in tried.get("evidence", []))
    if not (paused if ready_of(status)["reason"] == "Paused" else asked):
        yield f"{ready_of(status)}, and nobody is asked"


def _serves(sim: Rough, status: Object) -> Iterator[str]:
    home = status["stable"]["revision"]
    ready = ready_of(status)
    pods = (sim.live("Deployment", home) or {}).get("status", {}).get("readyReplicas", 0)
    nature = sim.natures.get(status["stable"]["version"], Nature())
    if nature.ready_after is None:
        if ready["status"] == "True":
            yield "Ready, and its pods never are"
    elif ready["status"] != "True" or pods < sim.wished("replicas"):
        yield f"{pods} pods of {home} are ready, Ready is {ready}"
    yield from _has_everything(sim, status)


def _has_everything(sim: Rough, status: Object) -> Iterator[str]:
    home = status["stable"]["revision"]
    if sim.gate.now != Carried({home: 100}):
        yield f"{home} is stable and the gateway has {sim.gate.now}"


def _is_true(sim: Rough, court: Court, found: tuple[Object, Nature, float]) -> Iterator[str]:
    """The wish was refused: because of what it does, of what went wrong while it was tried, or of what people said."""
    status, nature, calm_since = found
    mine = [one for one in status["rejected"] if one["version"] == sim.wished("version")]
    if not mine:
        yield f"rolled back, and {sim.wished('version')} was never rejected"
        return
    name, reason = mine[0]["revision"], mine[0]["reason"]
    began = min((at for at, who, _ in court.entries if who == name), default=0.0)
    if reason in BY_DEADLINE:
        if began >= calm_since and nature.ready_after is not None:
            yield f"{reason} though all was well since {began:.1f}: {mine[0]}"
    elif reason in BY_PEOPLE:
        if not sim.noted_since(BY_PEOPLE[reason], 0.0) - {""}:
            yield f"{reason}, and nobody asked for it"
    elif nature.error_rate == 0 and reason != "ApprovalTimedOut":
        yield f"{reason} of a version that fails nothing: {mine[0]}"
    yield from _has_everything(sim, status)


def _leftovers(sim: Rough, status: Object) -> Iterator[str]:
    """Objects that nobody needs any more, or that are missing."""
    used = {(status.get(role) or {}).get("revision") for role in ("stable", "candidate")} - {None}
    used |= {gone["revision"] for gone in status.get("leaving", [])}
    kinds = ("Deployment", "Service", *(("HorizontalPodAutoscaler",) if sim.wished("autoscaled") else ()))
    doors = {"churn-door"} if may_sleep(sim.wishes[-1][1]) and status.get("stable") else set()
    for kind in kinds:
        there = {live["metadata"]["name"] for live in sim.store.list(kind)} - {"churn", "churn-preview"}
        if there != used | (doors if kind != "HorizontalPodAutoscaler" else set()):
            yield f"{kind}s {sorted(there)}, used are {sorted(used)}"
    preview = sim.live("Service", "churn-preview") is not None
    if status.get("stable") and preview != ("blueGreen" in sim.wished("rollout")):
        yield f"preview Service: {preview}"
