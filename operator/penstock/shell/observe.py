"""Caches -> World: one frozen value per turn. Reads memory only; the clock is an argument."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Status
from penstock.api.traffic import Traffic
from penstock.core.actions import Action
from penstock.core.resolve import resolve
from penstock.model import names
from penstock.model.copying import replace
from penstock.model.names import PREFIX
from penstock.model.platform import Platform
from penstock.model.reasons import Reason
from penstock.model.values import Config, Door, Given, LogSeen, Pod, Problem, RouteSeen, Said, Workload, World
from penstock.routing import payload
from penstock.shell.cache import Cache
from penstock.shell.endpoints import Endpoints, reached
from penstock.shell.projection import FOLLOWING, Child, Front, Scale, Scaler
from penstock.shell.routes import find_routes, standing
from penstock.shell.texts import Key, Object, Record

SETTLING = 2.0  # seconds until a policy that a gateway has taken is in its proxies, as of a route
YOUNG = 5.0  # seconds until a door that is not ready is believed that somebody waits
ASKED = (*Action, "requested-by", "requested-groups")


@dataclass(frozen=True)
class Means:
    """What the administrator gave: the names of the metric sources, and the rest."""

    sources: frozenset[str]
    platform: Platform = field(default_factory=Platform)


def observe(cache: Cache, key: Key, now: datetime, means: Means) -> World | None:
    """The world of one ModelDeployment; None when it is gone or going."""
    live = cache.parents.get(key)
    if not live or live["metadata"].get("deletionTimestamp"):
        return None
    meta = live["metadata"]
    spec, problem = _spec(live)
    labelled = list(cache.owned(key))
    mine = [c for c in labelled if c.kind in FOLLOWING or c.is_ours(meta["uid"])]
    given = [c for c in labelled if c.is_given()]
    led = [c for c in labelled if isinstance(c.seen, Scaler) and c.owner_uid and not c.is_ours(meta["uid"])]
    routes = find_routes(labelled, key, meta["uid"], spec.traffic if spec else Traffic())
    world = World(
        now=now,
        namespace=key[0],
        name=key[1],
        uid=meta["uid"],
        generation=meta["generation"],
        spec=spec,
        status=_status(live),
        problem=problem,
        fault=routes.fault,
        runtime=None,
        platform=means.platform,
        configs=_configs(cache, key[0], spec) if spec else {},
        workloads=_workloads([c for c in mine if c.name != names.door(key[1])]),
        pods=standing(mine),
        snapshots={name: record.read() for name, record in _records(cache, key, mine).items()},
        owned=frozenset((c.kind, c.name) for c in mine if c.kind not in FOLLOWING),
        route=routes.now,
        formers=routes.formers,
        named_elsewhere=routes.named_elsewhere,
        beside=routes.beside,
        policies={(c.kind, c.name): c.seen for c in mine if isinstance(c.seen, Said)},
        given=_given(given, key[1]),
        ports=next((c.seen.ports for c in (*mine, *given) if _is_apex(c, key[1])), ()),
        scalers={c.revision: f for c in (*mine, *led) if isinstance(c.seen, Scaler) and (f := c.seen.following)},
        scaled_elsewhere=frozenset(c.revision for c in led),
        tied=any(c.owner_uid == meta["uid"] for c in mine),
        rival=next((_both(c) for c in mine if _is_ambiguous(c)), cache.rivals.get(key, "")),
        annotations=_asked(meta.get("annotations") or {}),
        door=_door(mine, names.door(key[1]), now),
        log=_log(mine, payload.name_of(key[1])),
    )
    return resolve(_settling(world), lambda: _runtimes(cache), means.sources) if spec else world


def _records(cache: Cache, key: Key, mine: list[Child]) -> dict[str, Record]:
    """Of each revision; those too that somebody deleted while they are in use: they are made anew."""
    return cache.lost.get(key, {}) | {c.name: c.seen for c in mine if isinstance(c.seen, Record)}


def _asked(annotations: dict[str, str]) -> dict[str, str]:
    """What people ask for, without the prefix."""
    found = {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)}
    return {k: v for k, v in found.items() if k in ASKED}


def _spec(live: Object) -> tuple[Spec | None, Problem | None]:
    try:
        return Spec.model_validate(live.get("spec") or {}), None
    except ValidationError as error:
        return None, Problem(Reason.INVALID_SPEC, _first(error))


def _configs(cache: Cache, namespace: str, spec: Spec) -> dict[str, Config]:
    """The tracked ConfigMaps that the pods mount; never one of another namespace."""
    found = {mount.name: cache.configs.get((namespace, mount.name)) for mount in spec.server.config_maps}
    return {name: tracked.config for name, tracked in found.items() if tracked}


def _status(live: Object) -> Status:
    """The machine's memory; an unreadable one (somebody edited it by hand) counts as none."""
    try:
        return Status.model_validate(live.get("status") or {})
    except ValidationError:
        return Status()


def _log(mine: list[Child], name: str) -> LogSeen:
    """The policy of the payload log, and what a gateway says against the route that leads to its sink."""
    found = {c.kind: c.seen for c in mine if c.name == name}
    seen, route = found.get("EnvoyExtensionPolicy"), found.get("HTTPRoute")
    seen = seen if isinstance(seen, LogSeen) else LogSeen()
    return replace(seen, unreached=route.message) if isinstance(route, RouteSeen) else seen


def _settling(world: World) -> World:
    """The world in which a new route, or policy, is not believed yet: a proxy that lags behind would answer without."""
    route = world.route
    pauses = [(route.taken_at, route.settling)] if route else []
    pauses += [(said.since, SETTLING) for said in world.policies.values()]
    until = [(at, at + timedelta(seconds=pause)) for at, pause in pauses if at]
    fresh = [end for at, end in until if abs(world.now - at) < end - at]  # clocks differ
    if not route or not fresh:
        return world
    return replace(world, route=replace(route, programmed=False), settles_at=max(fresh))


def _given(given: list[Child], name: str) -> Given:
    """What was handed over, and which of the Deployments answers under the Service of the ModelDeployment's name."""
    selector: frozenset[tuple[str, str]] = next((c.seen.selector for c in given if _is_apex(c, name)), frozenset())
    scales = {c.name: c.seen for c in given if c.kind == "Deployment" and isinstance(c.seen, Scale)}
    answering = (n for n, s in scales.items() if selector and s.ready and selector <= s.labels)
    return Given(
        objects=frozenset((c.kind, c.name) for c in given),
        deployments={n: Workload(s.desired, s.ready, s.trouble) for n, s in scales.items()},
        scalers={c.name: c.seen.target for c in given if isinstance(c.seen, Scaler)},
        answering=next(answering, ""),
    )


def _is_apex(child: Child, name: str) -> bool:
    return (child.kind, child.name) == ("Service", name) and isinstance(child.seen, Front)


def _is_ambiguous(child: Child) -> bool:
    return isinstance(child.seen, Scaler) and bool(child.seen.rivals)


def _both(child: Child) -> str:
    return f"somebody else's autoscaler follows the same pods as {child.name}, delete it: {child.seen.rivals}"


def _workloads(mine: list[Child]) -> dict[str, Workload]:
    trouble = {c.revision: c.seen.trouble for c in mine if isinstance(c.seen, Pod) and c.seen.trouble}
    scales = {c.name: c.seen for c in mine if c.kind == "Deployment" and isinstance(c.seen, Scale)}
    listed = reached(c.seen for c in mine if isinstance(c.seen, Endpoints))
    return {
        name: Workload(s.desired, min(s.ready, listed.get(name, 0)), trouble.get(name, s.trouble), s.ready)
        for name, s in scales.items()
    }


def _door(mine: list[Child], name: str, now: datetime) -> Door:
    """The door as its pods, and the Services, tell of it.

    One that has just begun is not ready either: the kubelet may not have asked it yet.
    """
    pods = [c.seen for c in mine if isinstance(c.seen, Pod) and c.seen.door and c.seen.began and not c.seen.going]
    shut = [pod.began + timedelta(seconds=YOUNG) for pod in pods if pod.began and not pod.ready]
    listed = reached(c.seen for c in mine if isinstance(c.seen, Endpoints))
    return Door(
        up=frozenset(pod.door for pod in pods),
        waiting=any(at <= now for at in shut),
        again=min((at for at in shut if at > now), default=None),
        before=frozenset(c.name for c in mine if isinstance(c.seen, Front) and c.seen.door),
        behind=listed.get(name, 0),
        shut=any(c.name == name and isinstance(c.seen, Front) and c.seen.shut for c in mine),
    )


def _runtimes(cache: Cache) -> dict[str, RuntimeSpec | Problem]:
    return {name: _parsed(name, live) for name, live in cache.runtimes.items()}


def _parsed(name: str, live: Object) -> RuntimeSpec | Problem:
    try:
        return RuntimeSpec.model_validate(live.get("spec") or {})
    except ValidationError as error:
        return Problem(Reason.RUNTIME_NOT_FOUND, f"ModelRuntime {name} cannot be read: {_first(error)}")


def _first(error: ValidationError) -> str:
    """The first complaint, with its place; never the value, which may be anything."""
    found = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(['spec', *map(str, found['loc'])])}: {found['msg'].removeprefix('Value error, ')}"
