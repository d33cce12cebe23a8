"""Laws over a plain Service that selects pods: what people get of a candidate, and that somebody always answers."""

from collections.abc import Iterator

from tests.sim.gate import Carried
from tests.sim.laws import Object, Scene, law
from tests.sim.sleepers import is_door


@law("Service", "Pod")
def the_rotation_is_never_emptied(scene: Scene) -> Iterator[str]:
    """Where pods answered all the time since the operator looked, pods answer after its write.

    A label empties nothing where somebody has removed the Service itself.
    """
    if scene.sim.routed or (scene.name.startswith("churn-") and scene.kind == "Service"):
        return
    if not scene.sim.live("ModelDeployment", "churn") or not scene.sim.live("Service", "churn"):
        return
    if (
        is_door(scene.after) or scene.landed.carried == scene.sim.gate.now
    ):  # whoever has led it elsewhere, it was not this write
        return
    before = scene.sim.gate.carried_since(scene.known)[:-1]
    if before and all(_answered(scene, was) for was in before) and not _answers(scene, scene.sim.gate.now):
        yield f"{before} answered, {scene.sim.gate.now} does not"


def _answered(scene: Scene, carried: Carried) -> bool:
    """Pods in rotation were ready when they were counted; a revision must have been all the time since the look."""
    names = (name for name, weight in carried.weights.items() if weight)
    return bool(carried.pods and carried.weights) or any(scene.sim.always_ready(n, scene.known) for n in names)


def _answers(scene: Scene, carried: Carried) -> bool:
    """Pods in rotation were ready when they were counted; of a revision some must have been since the look."""
    return bool(carried.pods and carried.weights) or any(
        scene.sim.was_ready(name, scene.known) for name, weight in carried.weights.items() if weight
    )


@law("Pod")
def fewer_than_should_serve_are_never_left_in_rotation(scene: Scene) -> Iterator[str]:
    """Taking a pod out leaves the full number, unless there were fewer before.

    Or would have left it, if no others had died since it looked: of those that it saw then it takes out no more.
    """
    was, now = scene.landed.carried, scene.sim.gate.now
    if scene.sim.routed or not was.pods or not now.pods or _serving(now) >= _serving(was):
        return
    scene.court.outs.append(scene.sim.time())
    full = min(scene.sim.wished_since("replicas", scene.known))
    taken = sum(at >= scene.known for at in scene.court.outs)
    gate = scene.sim.gate
    since = gate.carried_since(scene.known)[:-1] + gate.turned_since(scene.known)[:-1]
    seen = [_serving(one) for one in since if one.pods]
    if any(count < _serving(was) or count - taken >= full for count in seen):
        return  # it could not know how many there are
    if _serving(now) < full:
        yield f"{_serving(now)} pods in rotation: {now}"


def _serving(carried: Carried) -> int:
    return sum(serving for serving, _ in carried.pods.values())


@law("Pod", "Service")
def a_share_grows_to_what_its_step_says_and_no_further(scene: Scene) -> Iterator[str]:
    """By a write of the operator a candidate gets no more than the nearest that its pods can give, or what it had.

    Pods of home that were ready when it looked, and are not any more, give their part to the others.
    """
    tried = scene.status.get("candidate") or {}
    name, step = tried.get("revision", ""), _step(tried)
    was, now = (one.weights.get(name, 0) for one in (scene.landed.carried, scene.sim.gate.now))
    if scene.sim.routed or now <= was or not name or step["weight"] in (0, 100):
        return
    serving = scene.sim.gate.now.pods.get(name, (0, 0))[0]
    home = scene.revision("stable")
    if not scene.sim.gate.now.weights.get(home) and scene.sim.was_ready(home, scene.known):
        return
    if now > step["weight"] and serving > 1 and not any(_is_near(one, name, step) for one in _since(scene)):
        yield f"{name} gets {now}%, the step says {step['weight']}: {scene.sim.gate.now}"


def _since(scene: Scene) -> list[Carried]:
    """What pods gave since it looked; and would have given, where the Service is led to them only now."""
    return scene.sim.gate.carried_since(scene.known) + scene.sim.gate.turned_since(scene.known)


def _is_near(carried: Carried, name: str, step: Object) -> bool:
    return name in carried.pods and bool(carried.pods[name][0]) and carried.is_near(name, step["weight"])


def _step(tried: Object) -> Object:
    step: Object = tried["steps"][tried.get("step", 0)] if tried else {"weight": 0}
    return step


@law("Pod", "Service")
def only_who_is_trusted_or_tried_comes_into_rotation(scene: Scene) -> Iterator[str]:
    """A revision that was taken off, or leaves, gets nothing anew; what it had when the turn looked is not new."""
    was, now = scene.landed.carried, scene.sim.gate.now
    before = scene.sim.gate.carried_since(scene.known)[:-1]
    had = {name for one in before for name, weight in one.weights.items() if weight}
    if scene.sim.routed or scene.verb != "apply":
        return
    known = (scene.revision("stable"), scene.revision("candidate"))
    known += tuple(gone["revision"] for gone in scene.status.get("leaving", []) if gone.get("replaced"))
    for name in now.weights:
        mine = now.pods.get(name, (0, 0))[0] > was.pods.get(name, (0, 0))[0] if was.pods else not was.weights.get(name)
        if mine and name not in {*known, *had} and scene.revision("stable"):
            yield f"{name} comes into rotation: {was} -> {now}"
