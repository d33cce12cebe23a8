"""The warm-up of a revision's pods: a container beside the server, and the startup probe that asks it.

A pod counts as ready only once its model has answered. The kubelet sees to it, pod by pod, so that a scale-up and a
replaced pod are warmed while no operator runs; here both are only rendered, as a part of the revision that stays.
"""

import json

from penstock.api.serving import Resources
from penstock.api.warmup import PORT, Warmup, WarmupRequest
from penstock.core import hardened
from penstock.core.placeholders import fill
from penstock.model.names import WARMUP
from penstock.model.quantity import amount
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Problem, World

PATIENT = 2**31 - 1  # failed probes until the kubelet kills the server: never, a rollout has a deadline of its own
MOST = {"cpu": "100m", "memory": "32Mi"}
USUAL = {"cpu": "5m", "memory": "16Mi"}


def wanted(world: World) -> Warmup | None:
    """The warm-up that the user asks for, or else the runtime's; None where there is none."""
    assert world.spec and world.runtime
    found = world.spec.server.warmup or world.runtime[1].warmup
    return None if not found or found.request is WarmupRequest.NONE else found


def lacking(world: World) -> Problem | None:
    """A warm-up that no container could make."""
    if world.platform.warmup_image or not wanted(world):
        return None
    text = "the pods are to be warmed, but the operator knows no image for it: set warmupImage in its configuration"
    return Problem(Reason.IMAGE_MISSING, f"{text}, or request: None in spec.server.warmup")


def make_containers(world: World) -> list[Manifest]:
    """The container that warms, started before the server and ended after it; none without a warm-up."""
    wish = wanted(world)
    if not wish:
        return []
    made = {
        "name": WARMUP,
        "image": world.platform.warmup_image,
        "command": ["python3", "-S", "-m", "penstock.warmup"],
        "args": [_argument(world, wish)],
        "restartPolicy": "Always",
        "resources": {"requests": MOST if _is_guaranteed(world) else USUAL, "limits": MOST},
        **hardened.container(),
    }
    return [made]


def make_probe(world: World) -> Manifest | None:
    """The startup probe of the server, which the warm-up container answers; None without a warm-up."""
    wish = wanted(world)
    if not wish:
        return None
    return {
        "httpGet": {"path": "/", "port": _port(world)},
        "periodSeconds": 1,
        "timeoutSeconds": wish.timeout_seconds,
        "failureThreshold": PATIENT,
    }


def _port(world: World) -> int:
    assert world.runtime
    return world.runtime[1].warmup.port if world.runtime[1].warmup else PORT


def _argument(world: World, wish: Warmup) -> str:
    """The wish as JSON, without a $: the kubelet would take $(NAME) for a variable of the container."""
    assert world.runtime
    server = world.runtime[1].container
    said: Manifest = {
        "listen": _port(world),
        "port": server.port,
        "ready": fill(server.readiness.path, world),
        "model": world.name,
        "request": wish.request,
        "count": wish.count,
    }
    if wish.custom:
        own = wish.custom.model_dump(mode="json", by_alias=True, exclude_none=True)
        said |= own | {key: fill(own[key], world) for key in ("path", "body")}
    return json.dumps(said, sort_keys=True).replace("$", "\\u0024")


def _is_guaranteed(world: World) -> bool:
    """Whether the server alone would be of the QoS class Guaranteed, which may bring cores of its own: it stays so."""
    assert world.spec and world.runtime
    asks: Resources = world.spec.server.resources or world.runtime[1].container.resources
    wishes = ((asks.requests.get(name, asks.limits.get(name)), asks.limits.get(name)) for name in MOST)
    return all(most and amount(str(least)) == amount(str(most)) for least, most in wishes)
