"""How the plain Service is to select where it is the router, and which pods go into rotation or out of it now. Pure.

At rest, and whenever one revision is to get everything, it selects that revision: one write, which needs no pod to be
touched before or after, whoever is alive then. Only a share needs the rotation, and comes about one way:

    v1 (selected) ──► label m pods of v1 and k of v2 "in" ──► seen: select "in" ──► v1 or v2 (selected); labels stay
                                                               └─► another share: first more go in; seen: others out

So a return, and the last step, are one write of the Service, and no policy that guards pods can be in their way. The
labels say nothing while a revision is selected, so those that stay harm nobody; the next share puts them right first.
What comes back from a crash is in rotation, or out of it, as it was when somebody last looked.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.api.status import Status
from penstock.core import strategy, traffic
from penstock.core.desired import make_label
from penstock.model.values import Manifest, Pod, World
from penstock.routing import rotation, router_of


@dataclass(frozen=True)
class Turnout:
    """The revision that the Service selects, or "" for the pods in rotation; and the labels that change now."""

    selects: str
    labels: tuple[Manifest, ...] = ()


def turnout(world: World, status: Status) -> Turnout:
    """What follows for the Service of the ModelDeployment's own name."""
    assert world.spec
    front = traffic.front(world, status)
    if router_of(world.spec.traffic):
        return Turnout(front)
    parts = {name: weight for name, weight in traffic.weights(world, status).items() if weight}
    if _stays(world, status):
        return Turnout(_selected(world, front))
    return _share(world, status, parts) if len(parts) > 1 else Turnout(front)


def _stays(world: World, status: Status) -> bool:
    """Never flee to an unready home: while no pod of it is ready, whoever answers goes on, unless it is to get all."""
    if not status.stable or not world.route or traffic.ready_pods(world, status.stable.revision):
        return False
    answers = any(traffic.ready_pods(world, name) for name in world.route.weights)
    return answers and traffic.exposure(world, status) < 100


def _selected(world: World, front: str) -> str:
    """What the Service selects now."""
    seen = world.route
    return "" if seen and seen.rotating else next(iter(seen.weights), front) if seen else front


def _share(world: World, status: Status, parts: dict[str, int]) -> Turnout:
    """Towards a share: at first the labels, and only once they are seen the selector; never out before in."""
    assert status.stable
    home = status.stable.revision
    (other,) = parts.keys() - {home}
    there = strategy.pods_there(world, (home, other), status.candidate.stable_replicas if status.candidate else 0)
    now = _selected(world, home)
    if there.home and _strangers(world, parts):
        return Turnout(home)
    if not (there.home and there.mine):
        return Turnout(now)
    chosen = _chosen(world, (home, other), _pair(world, (home, other), (parts[other], there)))
    enter = [pod for pod in world.pods if pod.uid in chosen and not pod.rotated]
    # A pod of home that is not ready gets nothing, and serves again by itself, whoever is there to label it.
    leave = [p for p in world.pods if p.rotated and p.uid not in chosen and (p.ready or p.revision != home)]
    # One by one, and each counts at once: home comes first and goes last, so the candidate never has more in between.
    enter.sort(key=lambda pod: pod.revision != home)
    leave.sort(key=lambda pod: pod.revision == home)
    if now == "":
        return Turnout("", _labels(world, enter, True) or _labels(world, leave, False))
    labels = _labels(world, enter, True) + _labels(world, leave, False)
    return Turnout(now if labels else "", labels)


def _strangers(world: World, parts: dict[str, int]) -> set[str]:
    """Who answers and was taken off: one write takes all its pods out, and the share comes about from there."""
    return {name for name, weight in world.route.weights.items() if weight} - parts.keys() if world.route else set()


def _pair(world: World, sides: tuple[str, str], wanted: tuple[int, rotation.There]) -> rotation.Pair:
    """What is in rotation already, where that will do: pods that come are no reason to label others anew."""
    weight, there = wanted
    home, mine = (sum(pod.serves for pod in world.pods if pod.revision == name) for name in sides)
    if world.route and world.route.rotating and home and mine and home + mine >= there.least:
        standing = rotation.Pair(home, mine)
        if standing.percent == weight:
            return standing
    return rotation.nearest(weight, there)


def _chosen(world: World, sides: tuple[str, str], pair: rotation.Pair) -> set[str]:
    """The pods that are to be in rotation, by uid: those that are, first."""
    chosen: set[str] = set()
    for name, count in zip(sides, (pair.home, pair.mine), strict=True):
        ready = [pod for pod in world.pods if pod.revision == name and pod.ready]
        chosen |= {pod.uid for pod in sorted(ready, key=lambda pod: (not pod.rotated, pod.name))[:count]}
    return chosen


def _labels(world: World, pods: Iterable[Pod], rotated: bool) -> tuple[Manifest, ...]:
    return tuple(make_label(world, pod, rotated) for pod in pods)
