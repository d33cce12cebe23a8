"""Laws over what the operator records: the walk of a candidate, its end, the pointer, and whether status is true."""

from collections.abc import Iterator

from tests.sim.gate import carried_by
from tests.sim.laws import Object, Scene, law
from tests.sim.sleepers import DOOR, has_door, is_door, is_fronted
from tests.sim.wishes import kinds

BY_METRIC = ("ErrorRateAbove", "SlowRateAbove", "MetricBelow")
BY_PEOPLE = {"Aborted": "abort", "Undone": "undo"}
FREE = ("Full", "Bake")  # steps that neither a pause nor a calendar holds


@law("ModelDeployment")
def steps_are_taken_one_by_one_and_forward(scene: Scene) -> Iterator[str]:
    """No step twice, none backwards, none left out but those that somebody skipped; the plan stays as pinned."""
    was, now = scene.tries()
    if not now:
        return
    if scene.is_new_try():
        yield from _begins_well(scene, now)
        return
    skipped = {*was.get("skipped", []), *now.get("skipped", [])}
    coming = [n for n in range(was.get("step", 0) + 1, len(was["steps"])) if n not in skipped]
    if now.get("step", 0) not in (was.get("step", 0), *coming[:1]):
        yield f"{now['revision']} from step {was.get('step', 0)} to {now.get('step', 0)}"
    if now["steps"] != was["steps"]:
        yield f"the plan of {now['revision']} was edited"


def _begins_well(scene: Scene, now: Object) -> Iterator[str]:
    """From step 0, with all that the wish asks for; a first revision, and a return to a late one, have no steps.

    Nor has one that must wait for the only pod to go.
    """
    rollout, home = scene.sim.wished("rollout"), bool(scene.status.get("stable"))
    plan = [step.get("kind", "Canary") for step in now["steps"]]
    direct = [kind for kind in kinds(rollout) if kind == "Full" or (kind == "Bake" and home)]
    returns = "rollbackWindow" in rollout and now["revision"] in scene.court.homes
    alone = rollout.get("capacityPolicy") == "Replace" and scene.sim.full_size() == 1
    allowed = [direct] if not home else [kinds(rollout)]
    allowed += [direct] * (returns or alone)
    if now.get("step", 0) or plan not in (allowed[-1:] if alone else allowed):
        yield f"{now['revision']} begins at step {now.get('step', 0)} of {plan}"


@law("ModelDeployment")
def the_pointer_moves_only_to_who_has_everything(scene: Scene) -> Iterator[str]:
    """Stable becomes only who was tried, at the end of its plan, with all of the traffic on ready pods."""
    was, now = scene.former.get("stable") or {}, scene.status.get("stable") or {}
    if was.get("revision") == now.get("revision"):
        return
    tried = scene.former.get("candidate") or {}
    if not now:
        yield f"{was['revision']} is forgotten"
    elif tried.get("revision") != now["revision"]:
        yield f"{now['revision']} is stable and {tried.get('revision')} was tried"
    elif scene.is_adopted():
        asked = carried_by(scene.sim.live("HTTPRoute", "churn")).weights.get(now["revision"], 0)
        if not asked and not scene.sim.was_ready(now["revision"], scene.known):
            yield f"{now['revision']} is home, has {asked}% and no ready pods"
    else:
        yield from _lacks_something(scene, tried)


def _lacks_something(scene: Scene, tried: Object) -> Iterator[str]:
    shares = scene.sim.gate.shares(tried["revision"], scene.known)
    if 100 not in shares:
        yield f"{tried['revision']} is stable with {shares}%"
    if not scene.sim.was_ready(tried["revision"], scene.known):
        yield f"{tried['revision']} is stable without ready pods"
    left_out = {*tried.get("skipped", []), *_skipped_just_now(scene, tried)}
    if set(range(tried.get("step", 0) + 1, len(tried["steps"]))) - left_out:
        yield f"{tried['revision']} is stable from step {tried.get('step', 0)} of {len(tried['steps'])}"


def _skipped_just_now(scene: Scene, tried: Object) -> Iterator[int]:
    """Steps that somebody skips in the very turn that moves the pointer: of a candidate that goes no status says so."""
    for name, _, number in (value.partition("/") for value in scene.sim.noted_since("skip", scene.known)):
        if name == tried["revision"] and number:
            yield int(number) - 1


SILENT_FOR = {"NoData": 15.0, "MetricsLost": 20.0}  # as in wishes.MORE


@law("ModelDeployment")
def a_rejection_is_true(scene: Scene) -> Iterator[str]:
    """Metrics blame only who failed requests; a deadline blames nobody before its time; people are obeyed."""
    old = {(one["revision"], one["at"]) for one in scene.former.get("rejected", [])}
    for one in scene.status.get("rejected", []):
        if (one["revision"], one["at"]) in old:
            continue
        if one["reason"].startswith(BY_METRIC):
            if not sum(c.candidate_bad for _, who, _, c in scene.sim.told if who == one["revision"]):
                yield f"{one['revision']} is blamed and has failed nothing"
        elif one["reason"] in BY_PEOPLE:
            if not any(scene.sim.noted_since(BY_PEOPLE[one["reason"]], scene.known) - {""}):
                yield f"{one['revision']} is {one['reason']}, and nobody has asked for that"
        elif one["reason"] in SILENT_FOR:
            yield from _heard(scene, one)
        else:
            yield from _early(scene, one)


def _heard(scene: Scene, one: Object) -> Iterator[str]:
    """A policy of silence blames nobody whose numbers came lately; a clock that jumped makes windows without any.

    What was told to a turn that recorded nothing (the wish was edited meanwhile) is lost with that turn: the next one
    asks for the same window again, and hears nothing where the source is gone by then.
    """
    since = scene.sim.time() - SILENT_FOR[one["reason"]] + 1.5  # a window ends, and its answer comes, a little apart
    told = [c for at, who, how, c in scene.sim.heard if (who, how) == (one["revision"], False) and at >= since]
    heard = told if one["reason"] == "MetricsLost" else [c for c in told if c.candidate_total]
    if heard and not scene.sim.jumped_since(since - 30.0):
        yield f"{one['reason']}, and there were numbers lately: {heard[-1]}"


def _early(scene: Scene, one: Object) -> Iterator[str]:
    was = scene.former.get("candidate") or {}
    entered = scene.court.entered(one["revision"], was.get("step", 0))
    patience = 45.0 if one["reason"] != "ApprovalTimedOut" else 10.0
    if scene.sim.time() - entered < patience - 0.1 and not scene.sim.jumped_since(entered):
        yield f"{one['reason']} {scene.sim.time() - entered:.1f} s after step {was.get('step', 0)} was entered"


@law("ModelDeployment")
def nothing_decided_is_forgotten(scene: Scene) -> Iterator[str]:
    """A rejected revision stays listed and off, unless a person lets it be tried again."""
    old = {one["revision"] for one in scene.former.get("rejected", [])}
    new = {one["revision"] for one in scene.status.get("rejected", [])}
    asked = scene.sim.noted_since("retry", scene.known)
    if old - new - asked:
        yield f"{old - new} is rejected no more"
    if scene.revision("candidate") in new and scene.status.get("stable"):
        yield f"{scene.revision('candidate')} was rejected and is tried again"


@law("ModelDeployment")
def an_abort_is_obeyed_at_once(scene: Scene) -> Iterator[str]:
    """Abort wins over all else: a turn that could know of it does not go on with the candidate."""
    tried = scene.revision("candidate")
    asked = scene.sim.noted_since("abort", scene.known)
    again = any(one["action"] == "abort" for one in scene.former.get("acted", []))
    if tried and asked == {tried} and not again and scene.former.get("stable") and not scene.is_new_try():
        yield f"{tried} is still tried"


@law("ModelDeployment")
def nothing_goes_forward_in_a_pause(scene: Scene) -> Iterator[str]:
    """Neither a step before 100 % nor the beginning of a rollout, as long as the pause could be known."""
    was, now = scene.tries()
    if scene.sim.noted_since("pause", scene.known) != {"true"} or not scene.former.get("stable") or not now:
        return
    if scene.is_new_try():
        plan = [step.get("kind") for step in now["steps"]]
        if not now.get("undoBy") and not (plan[0] == "Full" and now["revision"] in scene.court.homes):
            yield f"{now['revision']} begins"
    elif now.get("step", 0) > was.get("step", 0) and was["steps"][was.get("step", 0)].get("kind") not in FREE:
        yield f"{now['revision']} goes from step {was.get('step', 0)} to {now.get('step', 0)}"


@law("ModelDeployment")
def weights_in_status_were_seen(scene: Scene) -> Iterator[str]:
    """Observed, not issued: a weight in status is one that the gateway had confirmed.

    Without a gateway it is told by two kinds, of which a watch may bring one later: the Service, and the pods' labels.
    There all is the stable revision's too whose door the Service leads to.
    """
    at_the_door = [100] if is_fronted(scene) or is_door(scene.sim.live("Service", "churn")) else []
    for role in ("stable", "candidate"):
        side, was = scene.status.get(role) or {}, scene.former.get(role) or {}
        known = scene.sim.gate.shares(side.get("revision", ""), scene.known) if side else [0]
        known += at_the_door if role == "stable" else []
        known += scene.sim.gate.turns(side["revision"], scene.known) if side else []
        carried = [one["weight"] for one in (was, scene.former.get("candidate") or {}) if "weight" in one]
        if side and side["weight"] not in [*known, *carried, 0]:
            yield f"{side['revision']} has {side['weight']}% in status; the gateway gave it {known}"


@law("ModelDeployment")
def conditions_are_well_made(scene: Scene) -> Iterator[str]:
    """As kstatus reads them."""
    found = {one["type"]: one for one in scene.status.get("conditions", [])}
    if not {"Ready", "Available"} <= set(found) or len(found) != len(scene.status["conditions"]):
        yield f"conditions: {sorted(found)}"
    if any(one["status"] != "True" for kind, one in found.items() if kind in ("Reconciling", "Stalled")):
        yield "Reconciling or Stalled is there and not True"
    ready, busy = found["Ready"]["status"] == "True", {"Reconciling", "Stalled"} & set(found)
    if ready == bool(busy):
        yield f"Ready {ready} beside {busy}"
    if any(one["observedGeneration"] != scene.status["observedGeneration"] for one in found.values()):
        yield "a condition speaks of another generation"


@law("ModelDeployment")
def ready_and_available_are_true(scene: Scene) -> Iterator[str]:
    """Ready: what is wished serves everything. Available: somebody answers."""
    found = {one["type"]: one["status"] for one in scene.status.get("conditions", [])}
    home = scene.revision("stable")
    answering = [r for r in (home, scene.revision("candidate")) if scene.sim.was_ready(r, scene.known)]
    answering += [DOOR] if is_fronted(scene) and has_door(scene) else []
    if found.get("Available") == "True" and not answering:
        yield f"Available, and {home or 'nobody'} has no ready pods"
    if found.get("Ready") != "True":
        return
    if scene.sim.version_of(home) != scene.sim.wished("version"):
        yield f"Ready with {scene.sim.version_of(home)}, wished is {scene.sim.wished('version')}"
    if 100 not in scene.sim.gate.shares(home, scene.known) and not is_door(scene.sim.live("Service", "churn")):
        yield f"Ready with {scene.sim.gate.shares(home, scene.known)}%"
