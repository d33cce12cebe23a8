"""The full set of objects that should exist, from World and the status about to be recorded. Builders only.

Whatever is not in the set is pruned; what a scaler owns is left out; every object carries our owner reference, unless
the spec says that it outlives the ModelDeployment.
"""

from collections.abc import Collection, Mapping

from penstock.api.spec import DeletionPolicy
from penstock.core import config
from penstock.model import names
from penstock.model.kinds import KINDS
from penstock.model.values import Manifest, Pod, Shares, Snapshot, World
from penstock.routing import place_of, router_of, service
from penstock.scaling import KINDS as SCALED_BY
from penstock.scaling import SCALERS, hpa
from penstock.scaling.target import Target

PER_REVISION = ("ControllerRevision", "Deployment", "Service", *SCALED_BY)


def make_object(world: World, kind: str, name: str, body: Manifest) -> Manifest:
    """Any object of ours: labelled, owned by the ModelDeployment unless it is to stay, stamped with its digest."""
    revision = revision_of(world.name, kind, name)
    pinned = {names.LABEL_CONFIG: "pinned"} if kind == "ConfigMap" else {}
    metadata = {
        "name": name,
        "namespace": world.namespace,
        "labels": names.labels(world.name, revision) | pinned,
        **_bond(world),
    }
    return names.stamped({"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": metadata, **body})


def _bond(world: World) -> Manifest:
    """The reference by which an object goes with its ModelDeployment; none where it is to stay."""
    assert world.spec
    if world.spec.deletion_policy is DeletionPolicy.ORPHAN:
        return {}
    owner = {
        "apiVersion": KINDS["ModelDeployment"].api_version,
        "kind": "ModelDeployment",
        "name": world.name,
        "uid": world.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {"ownerReferences": [owner]}


def revision_of(owner: str, kind: str, name: str) -> str | None:
    """The revision that an object of ours belongs to, by its name; None for what all revisions share."""
    if kind == "ConfigMap":
        return name.rpartition("-")[0]
    return name if kind in PER_REVISION and name not in (owner, names.preview(owner)) else None


def make_revision(world: World, name: str, snapshot: Snapshot, floor: int) -> list[Manifest]:
    """The objects of one revision, sized for `floor` replicas at least; its record before all that it is needed for.

    With a floor of 0 it sleeps.
    """
    assert world.spec
    copies = config.make_copies(name, snapshot.configs)
    made = [
        make_object(world, "ControllerRevision", name, {"data": _record(snapshot), "revision": snapshot.number}),
        *(make_object(world, "ConfigMap", copy, body) for copy, body in copies.items()),
        make_object(world, "Deployment", name, {"spec": _deployment(world, name, (snapshot, floor))}),
        make_object(world, "Service", name, {"spec": _leading(world, name, snapshot)}),
    ]
    if floor and hpa.owns_replicas(world.spec.scaling):
        made += _scaler(world, name, (snapshot, floor))
    return made


def _scaler(world: World, name: str, content: tuple[Snapshot, int]) -> list[Manifest]:
    """The autoscaler; none while another one, or what another made of ours, still follows the same pods."""
    assert world.spec
    (snapshot, floor), output = content, SCALERS[world.platform.scaler]
    others = {(kind, name) for kind in SCALED_BY - {output.kind}} & world.owned
    if others or (name in world.scaled_elsewhere and (output.kind, name) not in world.owned):
        return []
    target = Target(name, floor, _counted(snapshot), f"{world.platform.live}/{world.namespace}")
    return [make_object(world, output.kind, name, {"spec": output.make(world.spec.scaling, target)})]


def _counted(snapshot: Snapshot) -> str:
    """The container that an autoscaler must look at, where another one beside it would blur the average."""
    pod = snapshot.template["spec"]
    return str(pod["containers"][0]["name"]) if pod.get("initContainers") else ""


def _record(snapshot: Snapshot) -> Manifest:
    record = {
        "version": snapshot.version,
        "port": snapshot.port,
        "template": snapshot.template,
        "profile": dict(snapshot.profile),
    }
    return record | ({"configs": dict(snapshot.configs)} if snapshot.configs else {})


def read_snapshot(revision: Manifest) -> Snapshot:
    """The snapshot that a ControllerRevision of ours holds."""
    record, number = revision["data"], revision["revision"]
    configs = record.get("configs", {})
    return Snapshot(record["version"], record["port"], record["template"], record["profile"], number, configs)


def _deployment(world: World, name: str, content: tuple[Snapshot, int]) -> Manifest:
    assert world.spec
    snapshot, floor = content
    spec: Manifest = {
        "selector": {"matchLabels": {names.LABEL_NAME: world.name, names.LABEL_REVISION: name}},
        "template": snapshot.template,
        "revisionHistoryLimit": 0,
    }
    if floor and hpa.owns_replicas(world.spec.scaling):  # without pods an autoscaler does nothing, and so it is ours
        return spec
    return spec | {"replicas": floor}


def _leading(world: World, revision: str, snapshot: Snapshot) -> Manifest:
    """A Service's spec that leads to a revision; to its door while it sleeps."""
    return service.make(revision, offers(snapshot), revision == world.door.fronts)


def offers(snapshot: Snapshot) -> dict[str, int]:
    """Ports of a revision's server, by name."""
    return {port["name"]: port["containerPort"] for port in snapshot.template["spec"]["containers"][0]["ports"]}


def make_shared(world: World, selects: str, snapshot: Snapshot) -> list[Manifest]:
    """The apex Service, which answers under the ModelDeployment's name, and the disruption budget of its pods.

    It selects a revision, or with "" the pods in rotation.
    """
    selector = {"matchLabels": {names.LABEL_NAME: world.name}}
    ports = offers(snapshot)
    own = _leading(world, selects, snapshot) if selects else service.make_rotating(world.name, ports)
    spec = service.kept(own, world.ports, ports)
    return [
        make_object(world, "Service", world.name, {"spec": spec}),
        make_object(world, "PodDisruptionBudget", world.name, {"spec": {"selector": selector, "maxUnavailable": 1}}),
    ]


def make_label(world: World, pod: Pod, rotated: bool) -> Manifest:
    """A pod's label, and nothing else of it. By uid: a namesake is another pod, and one that is gone is not made anew.

    Out of rotation it says so. A label that is merely left out would stay where somebody else has set it too.
    """
    label = {names.LABEL_ROTATION: names.IN if rotated else names.OUT}
    metadata = {"name": pod.name, "namespace": world.namespace, "uid": pod.uid, "labels": label}
    return {"apiVersion": KINDS["Pod"].api_version, "kind": "Pod", "metadata": metadata}


def make_preview(world: World, revision: str, snapshot: Snapshot) -> list[Manifest]:
    """Where a blue-green candidate is reached before its switch: a Service, and a route where host names are given."""
    assert world.spec
    wish, name = world.spec.rollout.blue_green, names.preview(world.name)
    if not wish:
        return []
    made = [make_object(world, "Service", name, {"spec": _leading(world, revision, snapshot)})]
    router = router_of(world.spec.traffic)
    if router and router.make_preview and wish.preview_hostnames:
        route = router.make_preview(world.spec.traffic, wish.preview_hostnames, revision)
        made.append(make_object(world, router.kind, name, {"spec": route}))
    return made


def make_named(world: World, named: Mapping[str, Collection[str]]) -> list[Manifest]:
    """The route of requests that pick their revision themselves; none where nobody may."""
    assert world.spec
    router = router_of(world.spec.traffic)
    if not router or not router.make_named or not world.spec.traffic.preview_header or not named:
        return []
    spec = router.make_named(world.spec.traffic, named)
    return [make_object(world, router.kind, names.named(world.name), {"spec": spec})]


def make_route(world: World, shares: Shares) -> list[Manifest]:
    """The route with these shares; none where the plain Service is the router."""
    assert world.spec
    router, place = router_of(world.spec.traffic), place_of(world.spec.traffic, world.name)
    if not router or not place or not shares.weights:
        return []
    spec = router.make(world.spec.traffic, shares)
    return _graft(world, place, spec) if router.grafted else [make_object(world, *place, {"spec": spec})]


def _graft(world: World, place: tuple[str, str], spec: Manifest) -> list[Manifest]:
    """What we set in somebody else's route, as far as it has a place for it. No stamp of ours: the object is theirs."""
    there = world.route.rules if world.route else {}
    rules = [rule for rule in spec["rules"] if rule["name"] in there]
    kind, name = place
    made = {
        "apiVersion": KINDS[kind].api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"rules": rules},
    }
    return [made] if rules else []


def share(percent: int, of: int) -> int:
    """Pods that carry `percent` of what `of` pods carry: rounded up, at least one."""
    return max(1, -(-percent * of // 100))
