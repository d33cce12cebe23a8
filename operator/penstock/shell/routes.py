"""Which object carries a ModelDeployment's shares, what it says, and which other routes still lead to its revisions.

Reads memory only. A route that is somebody else's is read where its label hands it over; what then still hinders us to
set its backends is said in words, and nothing of it is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from penstock.api.traffic import Traffic
from penstock.model.copying import replace
from penstock.model.names import ANNOTATION_APPLIED, LABEL_NAME, named, preview
from penstock.model.reasons import Reason
from penstock.model.values import Pod, Problem, RouteSeen
from penstock.routing import ROUTES, place_of, rotation, router_of, seen_by
from penstock.shell.projection import Child, Front
from penstock.shell.texts import Key

UNKNOWN = RouteSeen({}, programmed=False)


@dataclass(frozen=True)
class Routes:
    """What a turn may know of them."""

    now: RouteSeen | None
    formers: tuple[Traffic, ...] = ()
    named_elsewhere: frozenset[str] = frozenset()
    beside: Mapping[str, RouteSeen] = field(default_factory=dict)
    fault: Problem | None = None


def find_routes(labelled: list[Child], key: Key, uid: str, traffic: Traffic) -> Routes:
    """The route of the present router among all objects with our label, and what the others name."""
    router, kind, name = router_of(traffic), *(place_of(traffic, key[1]) or ("Service", key[1]))
    child = next((c for c in labelled if (c.kind, c.name) == (kind, name)), None)
    others = [c for c in labelled if c.kind in ROUTES and c is not child]
    old = [seen for seen in (_seen(c) for c in others if c.is_ours(uid) and c.name == key[1]) if seen]
    now = _carried(child, labelled) if child and child.is_ours(uid) else None
    fault = ""
    if router and router.grafted:
        fault = _kept_from_us(child, key, (kind, name))
        now = _seen(child) if child and not fault else UNKNOWN
        fault = fault or _lacking(now or UNKNOWN, f"{kind} {name}", traffic)
        now = seen_by(traffic, now or UNKNOWN)
    beside = {c.name: seen for c in others if c.is_ours(uid) and c.kind == kind and (seen := _seen(c))}
    if old and not (now and now.weights):  # what they lead to stands, and is no answer of the present router
        beside |= {name: now} if now and child and child.is_ours(uid) else {}
        rules = now.rules if now else {}
        now = replace(old[0], programmed=False, taken_at=None, rules=rules, former=True)
    return Routes(
        now,
        formers=tuple(seen.traffic for seen in old if seen.traffic),
        named_elsewhere=_named(c for c in others if c.name not in (preview(key[1]), named(key[1])))
        | _left(child, traffic),
        beside=beside,
        fault=Problem(Reason.CONFLICT, fault) if fault else None,
    )


def _carried(child: Child, labelled: list[Child]) -> RouteSeen | None:
    """A Service that selects the pods in rotation gives what they are."""
    seen = _seen(child)
    return replace(seen, weights=rotation.seen(standing(labelled))) if seen and seen.rotating else seen


def standing(labelled: Iterable[Child]) -> tuple[Pod, ...]:
    """Pods that are there to stay: one that is about to end counts no more, whatever its labels say."""
    found = (c.seen for c in labelled if isinstance(c.seen, Pod) and not c.seen.going and not c.seen.door)
    return tuple(sorted(found, key=lambda pod: pod.name))


def _seen(child: Child) -> RouteSeen | None:
    found = child.seen.route if isinstance(child.seen, Front) else child.seen
    return found if isinstance(found, RouteSeen) else None


def _named(others: Iterable[Child]) -> frozenset[str]:
    """All that these routes name, with whatever weight."""
    found: set[str] = set()
    for seen in (c.seen for c in others if isinstance(c.seen, RouteSeen)):
        found |= {*seen.weights, seen.cohort, (seen.mirror or ("",))[0]}.union(*seen.rules.values())
    return frozenset(found - {""})


def _left(child: Child | None, traffic: Traffic) -> frozenset[str]:
    """All that the present route of somebody else's names in rules that the wish does not list, or no longer lists."""
    seen = _seen(child) if child else None
    if not seen or not traffic.route:
        return frozenset()
    return frozenset().union(*(rule for name, rule in seen.rules.items() if name not in traffic.route.rules))


def _kept_from_us(child: Child | None, key: Key, place: tuple[str, str]) -> str:
    """Why nothing may be set in a route of somebody else's; empty where it is handed over."""
    kind, name = place
    if not child:
        way = f"kubectl label {kind.lower()} {name} {LABEL_NAME}={key[1]} --namespace {key[0]}"
        return f"no {kind} {name} carries the label {LABEL_NAME}={key[1]}: create it with the label, or {way}"
    if child.owner_uid:
        return f"{kind} {name} is controlled by another object, which would undo this: name a route without owner"
    if child.applied:
        way = f"kubectl annotate {kind.lower()} {name} {ANNOTATION_APPLIED}- --namespace {key[0]}"
        return f"{kind} {name} was written by Penstock itself: to make it yours, {way}"
    return ""


def _lacking(route: RouteSeen, what: str, traffic: Traffic) -> str:
    assert traffic.route
    missing = ", ".join(rule for rule in traffic.route.rules if rule not in route.rules)
    there = ", ".join(route.rules) or "none with a name"
    fix = "give the rule that name, or correct traffic.route.rules"
    return f"{what} has no rule named {missing} (it has: {there}): {fix}" if missing else ""
