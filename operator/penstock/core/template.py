"""Spec and runtime -> the immutable snapshot of a revision, its pod template rendered once and for all.

The result is stored in a ControllerRevision and never rendered again, so that neither a new operator nor an edited
ModelRuntime restarts a pod. Defaults for safety (restricted pod security) are set here and cannot be switched off.
"""

from math import ceil

from penstock.api.fields import seconds
from penstock.api.runtime import RuntimeSpec
from penstock.api.serving import EnvVar
from penstock.api.spec import Spec
from penstock.core import config, hardened, warmup
from penstock.core.placeholders import fill
from penstock.model.names import labels, revision_name
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Problem, Snapshot, World


def intent(spec: Spec) -> Manifest:
    """What the user wrote about the pods; defaults and empty values left out."""
    return _prune(spec.model_dump(by_alias=True, exclude_unset=True, include={"model", "runtime", "server", "pod"}))


def _prune(tree: Manifest) -> Manifest:
    kept = {k: _prune(v) if isinstance(v, dict) else v for k, v in tree.items()}
    return {k: v for k, v in kept.items() if v not in ({}, [], None)}


def wanted_revision(world: World) -> str:
    """Name of the revision that the spec asks for, with what its ConfigMaps hold now."""
    assert world.spec
    words, pinned = intent(world.spec), config.digests(world)
    return revision_name(world.name, words | {"configs": pinned} if pinned else words)


def make_snapshot(world: World) -> Snapshot | Problem:
    """The revision that the spec asks for, rendered with today's runtime; or what is missing for it."""
    assert world.spec and world.runtime
    spec, (_, runtime) = world.spec, world.runtime
    image = spec.server.image or runtime.container.image
    if not image:
        return Problem(Reason.IMAGE_MISSING, "neither spec.server.image nor the ModelRuntime's container.image is set")
    clash = config.clash(world, runtime.container.model_path) if spec.model.uri else None
    trouble = clash or warmup.lacking(world)
    if trouble:
        return trouble
    revision = wanted_revision(world)
    template = {
        "metadata": {"labels": labels(world.name, revision), "annotations": _scrape(runtime)},
        "spec": _pod(world, image, revision),
    }
    profile = runtime.metrics.model_dump(mode="json", by_alias=True, exclude_none=True)
    number = 1 + max((s.number for s in world.snapshots.values()), default=0)
    return Snapshot(spec.model.version, runtime.container.port, template, profile, number, config.contents(world))


def _scrape(runtime: RuntimeSpec) -> dict[str, str]:
    c = runtime.container
    port = str(c.metrics_port or c.port)
    return {"prometheus.io/scrape": "true", "prometheus.io/port": port, "prometheus.io/path": c.metrics_path}


def _pod(world: World, image: str, revision: str) -> Manifest:
    assert world.spec and world.runtime
    pod = world.spec.pod
    made: Manifest = {
        **hardened.pod(),
        "terminationGracePeriodSeconds": hardened.LINGER + _drain(world),
        "initContainers": warmup.make_containers(world),
        "containers": [_container(world, image)],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *_model_volume(world.spec), *config.volumes(world, revision)],
    }
    wrote = pod.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, exclude={"drain_timeout"})
    return _prune(made) | _prune(wrote)


def _drain(world: World) -> int:
    """Seconds that a server gets to end what is in flight."""
    assert world.spec and world.runtime
    wish = world.spec.pod.drain_timeout
    return ceil(seconds(wish)) if wish else world.runtime[1].container.shutdown_seconds


def _container(world: World, image: str) -> Manifest:
    assert world.spec and world.runtime
    server, (_, runtime) = world.spec.server, world.runtime
    c = runtime.container
    probe = {"httpGet": {"path": fill(c.readiness.path, world), "port": "http"}}
    ports = {"http": c.port} | ({"grpc": c.grpc_port} if c.grpc_port else {})
    ports |= {"metrics": c.metrics_port} if c.metrics_port and c.metrics_port != c.port else {}
    made: Manifest = {
        "name": "server",
        "image": image,
        "args": [fill(a, world) for a in (server.args if server.args is not None else c.args)],
        "command": [fill(a, world) for a in c.command],
        "env": [{"name": n, "value": fill(v, world)} for n, v in _env(c.env, server.env).items()],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()],
        "resources": (server.resources or c.resources).model_dump(exclude_unset=True),
        "startupProbe": warmup.make_probe(world),
        "readinessProbe": probe
        | c.readiness.model_dump(by_alias=True, include={"period_seconds", "timeout_seconds", "failure_threshold"}),
        **hardened.lingering(),
        **hardened.container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *_model_mount(world), *config.mounts(world)],
    }
    return {k: v for k, v in made.items() if v not in ({}, [], None)}


def _env(*layers: list[EnvVar]) -> dict[str, str]:
    return {var.name: var.value for layer in layers for var in layer}


def _model_volume(spec: Spec) -> list[Manifest]:
    scheme, _, rest = (spec.model.uri or "").partition("://")
    if scheme == "oci":
        return [{"name": "model", "image": {"reference": rest, "pullPolicy": "IfNotPresent"}}]
    if scheme == "pvc":
        return [{"name": "model", "persistentVolumeClaim": {"claimName": rest.partition("/")[0], "readOnly": True}}]
    return []


def _model_mount(world: World) -> list[Manifest]:
    assert world.spec and world.runtime
    scheme, _, rest = (world.spec.model.uri or "").partition("://")
    if not scheme:
        return []
    mount: Manifest = {"name": "model", "mountPath": world.runtime[1].container.model_path, "readOnly": True}
    path = rest.partition("/")[2] if scheme == "pvc" else ""
    return [mount | ({"subPath": path} if path else {})]
