"""Laws over the route and what stands behind it: who may get requests, and what may go."""

from collections.abc import Iterator
from typing import Any

from tests.sim.gate import Carried, backends, carried_by, is_rotating, selected
from tests.sim.laws import Scene, law
from tests.sim.rough import Rough
from tests.sim.sleepers import is_door, sleeps

PICKED = "churn-revisions"  # the route of requests that pick their revision: it carries no share


@law("HTTPRoute")
def weights_sum_to_100(scene: Scene) -> Iterator[str]:
    """A2 s3; and none is negative."""
    now = carried_by(scene.after).weights
    if scene.after and scene.name != PICKED and (sum(now.values()) != 100 or min(now.values(), default=0) < 0):
        yield f"{now}"


@law("HTTPRoute")
def no_weight_rises_on_a_revision_that_cannot_answer(scene: Scene) -> Iterator[str]:
    """Never ahead of ready pods; what an edit took while the turn thinks comes back, and no more than that."""
    if scene.name != "churn":
        return
    before, now = _routes(scene)
    for name in backends(scene.after):
        anew = not before.weights and name == scene.revision("stable")  # somebody removed it; there is no other home
        anew = anew or _had(scene, now, name)
        if _rises(before, now, name) and not anew and not scene.sim.was_ready(name, scene.known):
            yield f"{name} gets {now} without ready pods"


@law("HTTPRoute")
def who_may_be_picked_is_ready_or_home(scene: Scene) -> Iterator[str]:
    """A candidate is there to pick only once it has a ready pod; nobody else is but the stable revision."""
    picked = {
        ref["name"] for rule in (scene.after or {}).get("spec", {}).get("rules", []) for ref in rule["backendRefs"]
    }
    if scene.name != PICKED or not scene.landed.changes:
        return
    for name in picked - {scene.revision("stable")}:
        if name != scene.revision("candidate") or not scene.sim.was_ready(name, scene.known):
            yield f"{name} may be picked, the candidate is {scene.revision('candidate')}"


@law("HTTPRoute")
def users_keep_what_the_shares_say(scene: Scene) -> Iterator[str]:
    """Who moved goes to the candidate and who stays to the stable revision; a place came before anybody was drawn.

    Where somebody has removed the route nobody is answered anyhow: it comes back whole.
    """
    now = carried_by(scene.after)
    if scene.name != "churn" or not now.users:
        return
    if now.users != (scene.revision("candidate"), scene.revision("stable")):
        yield f"{now}, the candidate is {scene.revision('candidate')}"
    places = [_places(live) for live in (scene.before, scene.after)]
    if scene.before and places[0] != places[1] and scene.sim.route_changed <= scene.known:
        yield f"users are drawn at {places[1]}, and before there was {places[0]}"


def _had(scene: Scene, now: Carried, name: str) -> bool:
    """Whether it had as much before somebody's edit that the turn could not know of."""
    edited = scene.sim.route_changed >= scene.known
    return edited and now.weights.get(name, 0) <= max(scene.sim.gate.shares(name, scene.known), default=0)


def _was_given(scene: Scene, name: str) -> bool:
    """Whether it has its traffic by somebody's edit that the turn could not know of."""
    return scene.sim.route_changed >= scene.known and 0 in scene.sim.gate.shares(name, scene.known)


def _places(route: dict[str, Any] | None) -> list[tuple[int, list[int]]]:
    """Where rules stand whose backends set something, and the chances of these."""
    all_rules = enumerate(route["spec"]["rules"] if route else [])
    return [
        (number, [ref["weight"] for ref in rule["backendRefs"]])
        for number, rule in all_rules
        if any("filters" in ref for ref in rule["backendRefs"])
    ]


@law("HTTPRoute")
def only_who_is_tried_or_trusted_gets_more(scene: Scene) -> Iterator[str]:
    """At most one candidate gets traffic; a rejected revision gets none again.

    An edit of the route by others while the turn thinks is undone by it; what it then has is nothing more than it had.
    """
    if scene.name != "churn":
        return
    before, now = _routes(scene)
    known = (scene.revision("stable"), scene.revision("candidate"))
    for name in backends(scene.after):
        if _rises(before, now, name) and name not in known and not _had(scene, now, name):
            yield f"{name} gets {now}, and is neither stable nor candidate"
    if {now.cohort, now.mirror[0]} - {"", scene.revision("candidate")}:
        yield f"{now}, the candidate is {scene.revision('candidate')}"
    some = (sum(weight > 0 for weight in weights.values()) for weights in (before.weights, now.weights))
    if max(2, next(some)) < next(some):
        yield f"more than two revisions get traffic: {now}"


@law("HTTPRoute")
def the_last_arm_that_answers_keeps_its_traffic(scene: Scene) -> Iterator[str]:
    """Never flee to an unready home: where somebody could answer before, somebody can after.

    What somebody's edit gave while the turn thinks, it could not know of.
    """
    before, now = _routes(scene)
    if scene.name != "churn" or not scene.after:
        return
    answered = [name for name, weight in before.weights.items() if weight and scene.sim.always_ready(name, scene.known)]
    answered = [name for name in answered if not _was_given(scene, name)]
    answers = [name for name, weight in now.weights.items() if weight and scene.sim.was_ready(name, scene.known)]
    if answered and not answers:
        yield f"{answered} answered, now {now} and nobody can"


@law("Deployment", "Service", "HTTPRoute")
def what_gets_traffic_is_not_removed(scene: Scene) -> Iterator[str]:
    """Removed, or taken to no pods at all, while the gateway sends it requests or the route lists it."""
    if not _is_removed(scene) or scene.name in ("churn-preview", PICKED) or _may_give_way(scene) or sleeps(scene):
        return
    if scene.kind == "HTTPRoute":
        yield "the route was removed"
    elif scene.name != "churn" and scene.sim.gate.always_answers(scene.name, scene.known):
        yield f"{scene.kind} {scene.name} gets {scene.sim.gate.carried_since(scene.known)}"
    elif scene.verb == "delete" and scene.name in _listed_since(scene.sim, scene.known):
        yield f"{scene.kind} {scene.name} is a backend of the route"


@law("Deployment", "Service", "ControllerRevision", "HorizontalPodAutoscaler", "PodDisruptionBudget")
def home_is_never_removed(scene: Scene) -> Iterator[str]:
    """A2 s2: the last known good revision stays, and so does what is shared, as long as the wish does.

    Only where the wish says that its pods make room for the candidate's may they all go, once the candidate has all.
    """
    home = scene.revision("stable")
    if not (
        _is_removed(scene) and home and scene.name in (home, "churn") and scene.sim.live("ModelDeployment", "churn")
    ):
        return
    scaler = scene.kind == "HorizontalPodAutoscaler" and not all(scene.sim.wished_since("autoscaled", scene.known))
    gives_way = (scene.status.get("candidate") or {}).get("replaces") and scene.kind == "Deployment" and scene.after
    asleep = sleeps(scene) and scene.kind in ("Deployment", "HorizontalPodAutoscaler")
    if not scaler and not gives_way and not asleep:
        yield f"{scene.verb} {scene.kind} {scene.name}, which is home"


@law("Service")
def the_apex_points_to_pods_that_are_ready(scene: Scene) -> Iterator[str]:
    """A2 s1: the Service of the object's own name is never led from pods that answer to pods that do not."""
    if scene.name != "churn" or not scene.after:
        return
    if is_rotating(scene.before or {}) or is_rotating(scene.after) or is_door(scene.after):
        return  # `the_rotation_is_never_emptied`, `pods_go_only_behind_a_door`
    was, now = (selected(live or {}) for live in (scene.before, scene.after))
    decided = scene.known if scene.revision("stable") else min(scene.known, scene.court.left(was))
    if was != now and scene.sim.always_ready(was, decided) and not scene.sim.was_ready(now, scene.known):
        yield f"from {was}, which is ready, to {now}, which is not"


@law("Deployment")
def home_keeps_its_size(scene: Scene) -> Iterator[str]:
    """The stable revision is never made smaller than the wish has it, unless the wish lets its pods give way."""
    gives_way = (scene.status.get("candidate") or {}).get("replaces")
    if scene.name != scene.revision("stable") or not scene.after or gives_way or not scene.landed.changes:
        return
    if sleeps(scene):
        return
    asked, floor = scene.after["spec"].get("replicas"), min(scene.sim.wished_since("replicas", scene.known), default=0)
    if asked is not None and asked < floor:
        yield f"{asked} replicas for home, the wish has {floor}"


@law("ModelDeployment", "HTTPRoute", "Deployment", "HorizontalPodAutoscaler", "Service", "Pod")
def traffic_is_taken_off_before_any_pod_is_touched(scene: Scene) -> Iterator[str]:
    """Once it is recorded that a candidate goes, the next write that matters takes its share away."""
    court, routed = scene.court, scene.sim.routed
    route = carried_by(scene.sim.live("HTTPRoute", "churn")) if routed else scene.sim.gate.now
    if routed and scene.kind in ("Service", "Pod"):
        return
    router = "HTTPRoute" if routed else "Service"
    if scene.kind == "ModelDeployment":
        court.owed = _taken_off(scene) or (court.owed if scene.revision("candidate") != court.owed else "")
    elif (scene.kind, scene.name) == (router, "churn") or scene.kind == "HTTPRoute" or not route.answers(court.owed):
        before, now = _routes(scene) if (scene.kind, scene.name) == (router, "churn") else (Carried(), Carried())
        home = scene.sim.always_ready(scene.revision("stable"), scene.known) and not _is_small(scene)
        if home and now.answers(court.owed) >= before.answers(court.owed) > 0:
            yield f"{court.owed} was taken off and keeps {now}"
        court.owed = ""
    elif court.owed and _could_write_the_route(scene):
        yield f"{scene.landed.write} while {court.owed}, which was taken off, has {route}"


def _taken_off(scene: Scene) -> str:
    gone = str((scene.former.get("candidate") or {}).get("revision", ""))
    return gone if gone not in (scene.revision("candidate"), scene.revision("stable")) else ""


def _is_small(scene: Scene) -> bool:
    """Home has given its pods away for the candidate's, and gets them back one by one."""
    return any(gone.get("replaced") for gone in scene.status.get("leaving", []))


def _could_write_the_route(scene: Scene) -> bool:
    """Home answers, nobody else has edited the route since what it knew, and every Service behind it is there.

    Nor in the very moment of it: a turn asks as soon as it has looked, and what is edited then is for the next one.
    """
    sim, since = scene.sim, scene.known
    if not sim.routed:
        told = all(carried.answers(scene.court.owed) for carried in sim.gate.carried_since(since))
        return told and sim.always_ready(scene.revision("stable"), since) and not _is_small(scene)
    return (
        sim.always_ready(scene.revision("stable"), since)
        and not _is_small(scene)
        and sim.route_changed < since
        and all(sim.live("Service", name) for name in backends(sim.live("HTTPRoute", "churn")))
    )


def _routes(scene: Scene) -> tuple[Carried, Carried]:
    if not scene.sim.routed:
        return scene.landed.carried, scene.sim.gate.now
    return carried_by(scene.before), carried_by(scene.after)


def _rises(before: Carried, now: Carried, name: str) -> bool:
    copies, copied = now.mirror, before.mirror
    return (
        now.weights.get(name, 0) > before.weights.get(name, 0)
        or now.cohort == name != before.cohort
        or (copies[0] == name and copies != copied)
    )


def _may_give_way(scene: Scene) -> bool:
    """Where the wish has room for one pod only, it makes room for another's: nobody is answered for a moment.

    The wish as the turn could know it: one that asks for more pods may come between the record and this write.
    """
    few = min(scene.sim.wished_since("replicas", scene.known), default=0) <= 1
    if scene.kind != "Deployment" or not scene.after or not few:
        return False
    replaces = bool((scene.status.get("candidate") or {}).get("replaces")) and scene.name == scene.revision("stable")
    replaced = any(gone["revision"] == scene.name and gone.get("replaced") for gone in scene.status.get("leaving", []))
    return replaces or replaced


def _is_removed(scene: Scene) -> bool:
    after: dict[str, Any] | None = scene.after
    if scene.kind == "Deployment" and after and scene.landed.changes:
        return bool(after["spec"].get("replicas", 1) == 0)
    return scene.verb == "delete" and scene.deleted


def _listed_since(sim: Rough, since: float) -> set[str]:
    """Backends that the route has had all the time since then, and in that moment."""
    return backends(sim.live("HTTPRoute", "churn")) if sim.route_changed < since else set()
