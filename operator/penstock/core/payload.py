"""traffic.payloadLog in force: the objects that tell a sink of requests and answers, and what is said where they fail.

It never holds anything up: a sink that is not there, or a gateway that refuses, is told, and traffic goes on as it was.
A gateway that cannot keep a policy may refuse the requests of its routes. So the policy is first for the sink's own
route, which nobody takes; the model's joins it when the gateway has taken that, and leaves it where it refuses later.
"""

from collections.abc import Iterable

from penstock.api.payload import PayloadLog
from penstock.core.desired import make_object
from penstock.model.copying import replace
from penstock.model.platform import Implementation
from penstock.model.reasons import Reason
from penstock.model.sinks import Sink
from penstock.model.values import Manifest, Problem, World
from penstock.routing import payload


def seen(world: World) -> World:
    """The world in which a log that cannot be kept is told as a fault; it is no problem for any revision."""
    return replace(world, fault=world.fault or _fault(world))


def _fault(world: World) -> Problem | None:
    log = world.spec.traffic.payload_log if world.spec else None
    if log and not _can_tell(world):
        said = f"traffic.payloadLog needs Envoy Gateway; the operator is set up for {world.platform.gateway}"
        return Problem(Reason.PAYLOAD_LOG_REFUSED, f"{said}. Leave it out, or ask the administrator")
    if log and log.sink not in world.platform.sinks:
        known = ", ".join(sorted(world.platform.sinks)) or "none"
        return Problem(
            Reason.SINK_NOT_FOUND,
            f"no payload sink {log.sink}; the operator has: {known}. Name one of them, or ask for it in payloadSinks",
        )
    if log and world.log.refused:
        said = f"the gateway refuses the payload log: {world.log.refused}. Lua must be on in the Envoy Gateway"
        return Problem(Reason.PAYLOAD_LOG_REFUSED, f"{said} (extensionApis.enableLua); or take traffic.payloadLog away")
    if log and world.log.unreached:
        said = f"payload sink {log.sink} is not reached: {world.log.unreached}"
        return Problem(Reason.PAYLOAD_LOG_REFUSED, f"{said}. Its namespace needs the Service and a ReferenceGrant")
    return None


def log(world: World, routes: Iterable[Manifest]) -> list[Manifest]:
    """The routes, dressed, with what tells of their requests behind them; as they are where nothing is told."""
    made, asked = list(routes), _asked(world)
    if not asked or not made or not world.spec:
        return made
    dressed = [make_object(world, each["kind"], world.name, {"spec": payload.dress(each["spec"])}) for each in made]
    name = payload.name_of(world.name)
    route = payload.make_route(world.spec.traffic, world.name, asked[1])
    policy = payload.make((world.namespace, world.name), asked, _routes(world))
    known = make_object(world, "HTTPRoute", name, {"spec": route})
    return [*dressed, known, make_object(world, "EnvoyExtensionPolicy", name, {"spec": policy})]


def _routes(world: World) -> list[str]:
    """The routes whose requests may be told now."""
    seen, own = world.log, payload.name_of(world.name)
    safe = seen.taken or (world.name in seen.targets and not seen.refused)
    return [own, world.name] if safe else [own]


def _asked(world: World) -> tuple[PayloadLog, Sink] | None:
    """What is wished, where it can be had."""
    wish = world.spec.traffic.payload_log if world.spec else None
    sink = world.platform.sinks.get(wish.sink) if wish else None
    return (wish, sink) if wish and sink and _can_tell(world) else None


def _can_tell(world: World) -> bool:
    """Whether the proxies of this cluster's gateways can run the script."""
    return world.platform.gateway is Implementation.ENVOY_GATEWAY
