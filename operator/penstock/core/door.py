"""The objects of a model's door: a small pod of its own, and the Service by which it reaches the model's pods. Pure.

While the model sleeps its Services lead to the door instead of to its pods; only their selectors change, so gateways,
routes and clients notice nothing. The door's own Service leads to the pods, and lists one exactly when the Services may
lead back. It leads to nobody until a pod is ready that stays: where no pod is ready, a Service leads to those that are
about to end, and what the door passed on to them would be cut off.
"""

import json

from penstock.api.fields import seconds
from penstock.api.sleep import ScaleToZero
from penstock.core import hardened
from penstock.core.desired import make_object, offers
from penstock.model import names
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Problem, Snapshot, World
from penstock.routing import service

PROBE = 9094
DRAIN = 300  # seconds that it gets for requests in flight, once it takes none in any more
USUAL = {"cpu": "5m", "memory": "24Mi"}
MOST = {"cpu": "1", "memory": "128Mi"}


def lacking(world: World) -> Problem | None:
    """A door that nobody could make."""
    assert world.spec
    if not world.spec.scaling.zero or world.platform.warmup_image:
        return None
    text = "minReplicas: 0 needs a door for the requests that wake the model, but the operator knows no image for it"
    return Problem(Reason.IMAGE_MISSING, f"{text}: set warmupImage in its configuration, or minReplicas: 1")


def make(world: World, revision: str, snapshot: Snapshot, is_open: bool) -> list[Manifest]:
    """The door of a revision, and the Service behind it, which leads to nobody while that is shut."""
    name, offered = names.door(world.name), offers(snapshot)
    labels = {names.LABEL_NAME: world.name, names.LABEL_COMPONENT: "door"}  # for ever: a selector cannot be changed
    template = {
        "metadata": {"labels": labels | names.labels(world.name) | {names.LABEL_DOOR: revision}},
        "spec": _pod(world, snapshot),
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": template,
        "revisionHistoryLimit": 0,
    }
    behind = service.make(revision, offered)
    return [
        make_object(world, "Deployment", name, {"spec": spec}),
        make_object(world, "Service", name, {"spec": behind if is_open else service.shut(behind)}),
    ]


def _pod(world: World, snapshot: Snapshot) -> Manifest:
    server = snapshot.template["spec"]
    probe = {"httpGet": {"path": "/", "port": PROBE}, "periodSeconds": 1, "timeoutSeconds": 1}
    door = {
        "name": "door",
        "image": world.platform.warmup_image,
        "command": ["python3", "-S", "-m", "penstock.door"],
        "args": [_argument(world, snapshot)],
        "ports": [{"name": n, "containerPort": p, "protocol": "TCP"} for n, p in _served(snapshot).items()],
        "resources": {"requests": USUAL, "limits": MOST},
        "startupProbe": probe | {"failureThreshold": 60},
        "readinessProbe": probe | {"failureThreshold": 1},
        **hardened.lingering(),
        **hardened.container(),
    }
    made = {
        **hardened.pod(),
        "terminationGracePeriodSeconds": hardened.LINGER + DRAIN,
        "containers": [door],
    }
    return made | {key: server[key] for key in ("imagePullSecrets",) if key in server}


def _served(snapshot: Snapshot) -> dict[str, int]:
    """The ports that Services lead to, as the model's pods have them: so theirs need not change."""
    return {name: port for name, port in offers(snapshot).items() if name in ("http", "grpc")}


def _argument(world: World, snapshot: Snapshot) -> str:
    assert world.spec
    wish, behind = world.spec.scaling.zero or ScaleToZero(), {"http": service.PORT, "grpc": service.GRPC_PORT}
    said = {
        "host": f"{names.door(world.name)}.{world.namespace}.svc",
        "ports": [[port, behind[name]] for name, port in _served(snapshot).items()],
        "probe": PROBE,
        "maxWaiting": wish.max_waiting,
        "waitTimeout": seconds(wish.wait_timeout),
    }
    return json.dumps(said, sort_keys=True)
