"""traffic.policy in force: which objects keep it, when a route may open, and what is said while they do not hold.

Never a moment of open access: a route that needs guarding is born shut, with nobody behind it. Its policies are made
once it is there; when the gateway has taken them they are in force on it, seen and not guessed, and the route opens.
They carry the route as a second owner, so that the garbage collector, which minds no order, takes the route first.
What the gateway takes may still come and go with its listener; so listeners of our own have a lock that stays, made
before them, and those of the Gateway have one of the administrator's (`Platform.locks`).

A route that is open already stays open when its policy changes: it was as open before.
"""

from collections.abc import Sequence

from penstock.api.policy import Policy
from penstock.api.traffic import Traffic
from penstock.core.desired import make_object
from penstock.model import names
from penstock.model.copying import replace
from penstock.model.kinds import KINDS
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Problem, RouteSeen, Said, World
from penstock.routing import access, router_of
from penstock.routing.access import fence, lock, tls

GUARDS = frozenset({*access.READERS, "Certificate"})


def seen(world: World) -> World:
    """The world in which a policy that cannot be kept is a problem, and a route is believed when its policies hold."""
    why = refusal(world)
    problem = world.problem or (Problem(Reason.POLICY_UNSUPPORTED, why) if why else None)
    world = replace(world, problem=problem)
    if not world.route or not world.route.programmed or not lacking(world):
        return world
    return replace(world, route=replace(world.route, programmed=False, message=_refused(world)))


def refusal(world: World) -> str:
    """Why this cluster cannot keep the policy; empty where it can, or where there is none."""
    policy = _policy(world)
    return access.refusal(policy, world.platform) if policy else ""


def kept(world: World) -> frozenset[tuple[str, str]]:
    """What guards stays while the policy that would take its place cannot be kept, and until its route is gone."""
    guards = {each for each in world.owned if each[0] in GUARDS or each == ("HTTPRoute", lock.name_of(world.name))}
    if world.spec and not _is_guarded(world.spec.traffic):
        return frozenset(each for each in guards if ("HTTPRoute", _guarded_by(world, each[1])) in world.owned)
    return frozenset(guards) if refusal(world) else frozenset()


def _guarded_by(world: World, name: str) -> str:
    """The route that goes before an object of this name: its namesake's; before the lock the model's own."""
    return world.name if name == lock.name_of(world.name) else name


def lacking(world: World) -> Problem | None:
    """What the gateway has not taken, in its own words where it has any."""
    late = [of for of, said in _heard(world) if not said.holds]
    words = _refused(world) or (f"the gateway has not answered for {late[0]} yet" if late else "")
    return Problem(Reason.POLICY_NOT_ACCEPTED, words) if late else None


def _refused(world: World) -> str:
    """The first refusal. What clients get meanwhile is the gateway's to say: of Envoy Gateway 500, never an answer."""
    words = (f"the gateway does not take {of}: {said.refused}" for of, said in _heard(world) if said.refused)
    return next(words, "")


def make(world: World) -> list[Manifest]:
    """All objects beside the routes that keep the policy, in the order of need."""
    guards = (each for name in _routes(world) for each in _guards(world, name))
    return [*_make_fence(world), *_make_lock(world), *_make_tls(world), *guards]


def guard(world: World, made: Sequence[Manifest]) -> list[Manifest]:
    """The objects with our routes among them as their policy wants them, and shut while that is not in force yet."""
    policy = _policy(world)
    return [_guarded(world, each, policy) if policy and each["kind"] == "HTTPRoute" else each for each in made]


def _guarded(world: World, made: Manifest, policy: Policy) -> Manifest:
    """Where the policy cannot be kept, a route that serves goes on as far as it can, and what is shut stays shut."""
    if refusal(world) and ("ListenerSet", world.name) not in world.owned:
        policy = policy.model_copy(update={"tls": None})
    spec = access.dress(made["spec"], policy, world.name)
    spec = spec if _may_open(world, made["metadata"]["name"]) else access.shut(spec)
    return names.stamped(made | {"spec": spec})


def _may_open(world: World, name: str) -> bool:
    """It is open, or somebody else's that we take over; or what guards it is in force."""
    route = _routes(world).get(name)
    if ("HTTPRoute", name) in world.given.objects or (route and route.weights):
        return True
    if refusal(world):
        return False
    if not _specs(world, name):
        return True
    guards = [each for each in _make_lock(world) if each["kind"] in access.READERS]
    return route is not None and all(_said(world, each).holds for each in [*guards, *_guards(world, name)])


def _policy(world: World) -> Policy | None:
    return world.spec.traffic.policy if world.spec else None


def _routes(world: World) -> dict[str, RouteSeen]:
    """Our routes that lead anywhere, by name. What a former router's carries opens none of them."""
    if not world.spec or not _is_guarded(world.spec.traffic):
        return {}
    beside = {name: seen for name, seen in world.beside.items() if name != lock.name_of(world.name)}
    return ({world.name: world.route} if world.route and not world.route.former else {}) | beside


def _is_guarded(traffic: Traffic) -> bool:
    """Whether the traffic comes by a route that a policy can be kept on: an HTTPRoute of ours."""
    router = router_of(traffic)
    return router is not None and router.kind == "HTTPRoute" and not router.grafted


def _specs(world: World, name: str) -> dict[str, Manifest]:
    """What guards the route of this name, by kind."""
    policy = _policy(world)
    if not policy or refusal(world):
        return {}
    return access.KEEPERS[world.platform.gateway].make(policy, name, world.platform.issuers)


def _guards(world: World, name: str) -> list[Manifest]:
    """The policies of one route that is there."""
    made = [make_object(world, kind, name, {"spec": spec}) for kind, spec in _specs(world, name).items()]
    return [_tied(each, name, _routes(world)[name].uid) for each in made]


def _tied(made: Manifest, name: str, uid: str) -> Manifest:
    """With the route as a second owner: gone when both are. What outlives its ModelDeployment has no owner at all."""
    owners = made["metadata"].get("ownerReferences")
    if not owners:
        return made
    route = {"apiVersion": KINDS["HTTPRoute"].api_version, "kind": "HTTPRoute", "name": name, "uid": uid}
    return names.stamped(made | {"metadata": made["metadata"] | {"ownerReferences": [*owners, route]}})


def _make_lock(world: World) -> list[Manifest]:
    """Before the listeners that it is for: none of them is ever there without it."""
    policy, name = _policy(world), lock.name_of(world.name)
    if not policy or not policy.tls or not world.spec or not world.spec.traffic.gateway or refusal(world):
        return []
    specs = access.KEEPERS[world.platform.gateway].make_lock(policy, name)
    if not specs:
        return []
    route = access.dress(lock.make_route(world.spec.traffic, _hostnames(world)), policy, world.name)
    return [make_object(world, kind, name, {"spec": spec}) for kind, spec in ({"HTTPRoute": route} | specs).items()]


def _make_tls(world: World) -> list[Manifest]:
    policy = _policy(world)
    if not policy or not policy.tls or not world.spec or not world.spec.traffic.gateway or refusal(world):
        return []
    wish, hosts = policy.tls, _hostnames(world)
    secret = tls.secret_of(wish, world.name)
    specs = {"Certificate": tls.make_certificate(wish, hosts, secret)} if wish.issuer else {}
    specs["ListenerSet"] = tls.make_listeners(world.spec.traffic.gateway, hosts, secret)
    return [make_object(world, kind, world.name, {"spec": spec}) for kind, spec in specs.items()]


def _hostnames(world: World) -> list[str]:
    """The preview's too: under each name the gateway answers with the certificate."""
    assert world.spec
    wish = world.spec.rollout.blue_green
    return [*world.spec.traffic.hostnames, *(wish.preview_hostnames if wish else [])]


def _make_fence(world: World) -> list[Manifest]:
    if not world.platform.fence or not world.spec:
        return []
    policy, routed = _policy(world), router_of(world.spec.traffic) is not None
    spec = fence.make(world.name, world.platform.fence, policy.clients if policy else [], routed)
    return [make_object(world, "NetworkPolicy", world.name, {"spec": spec})]


def _heard(world: World) -> list[tuple[str, Said]]:
    """What is said of each object that a gateway answers for, once there is a route."""
    made = [each for each in make(world) if each["kind"] in access.READERS] if _policy(world) and _routes(world) else []
    return [(f"{each['kind']} {each['metadata']['name']}", _said(world, each)) for each in made]


def _said(world: World, made: Manifest) -> Said:
    """What is said of an object as it should be; of one that says something else, nothing."""
    found = world.policies.get((made["kind"], made["metadata"]["name"]), Said(""))
    return found if found.applied == made["metadata"]["annotations"][names.ANNOTATION_APPLIED] else Said("")
