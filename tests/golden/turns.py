"""Every example as worlds: as it is applied first, and in the middle of the rollout of its next version."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from penstock.api.fields import seconds
from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Serving, Status, StepKind, Trying
from penstock.core import access, config, strategy
from penstock.core.plan import decide
from penstock.core.resolve import resolve
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.platform import Platform
from penstock.model.schedule import spell
from penstock.model.values import Config, Manifest, Pod, RouteSeen, Said, Snapshot, Workload, World
from penstock.routing import router_of
from penstock.routing.access import READERS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
APART = (StepKind.SHADOW, StepKind.COHORT, StepKind.PREVIEW)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def documents(path: Path) -> list[Manifest]:
    """All objects in a file."""
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def runtimes() -> dict[str, RuntimeSpec]:
    """The runtimes that are shipped."""
    found = [each for path in sorted(EXAMPLES.glob("runtimes/*.yaml")) for each in documents(path)]
    return {each["metadata"]["name"]: RuntimeSpec.model_validate(each["spec"]) for each in found}


def deployments() -> dict[str, Manifest]:
    """Every ModelDeployment among the examples, by the file's name."""
    found: dict[str, Manifest] = {}
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for each in documents(path):
            if each["kind"] == "ModelDeployment":
                found["-".join(path.relative_to(EXAMPLES).with_suffix("").parts)] = each
    return found


def configs() -> dict[str, Config]:
    """The ConfigMaps that examples bring, as they are seen once applied."""
    found = [each for path in sorted(EXAMPLES.rglob("*.yaml")) for each in documents(path)]
    return {each["metadata"]["name"]: config.read(each) for each in found if each["kind"] == "ConfigMap"}


def world(live: Manifest) -> World:
    """What the operator sees just after the object was created."""
    meta = live["metadata"]
    bare = World(
        NOW, meta.get("namespace", "default"), meta["name"], "uid-1", 1, Spec.model_validate(live["spec"]), Status()
    )
    platform = Platform(locks=True, warmup_image="penstock.local/operator:1")
    return resolve(replace(bare, configs=configs(), platform=platform), runtimes, frozenset({"default"}))


def with_version(live: Manifest, version: str) -> Manifest:
    """The same object with another version."""
    model = live["spec"]["model"] | {"version": version}
    return {**live, "spec": live["spec"] | {"model": model}}


def snapshot(seen: World) -> Snapshot:
    """The revision that a world asks for, rendered."""
    made = make_snapshot(seen)
    assert isinstance(made, Snapshot), made
    return made


def first(live: Manifest) -> World:
    """Nothing is there yet but the object."""
    return world(live)


def middle(live: Manifest) -> World:
    """The version before serves on three pods; this one has had the traffic of a step for a second.

    It is the step that only its strategy has (copies, a cohort, a preview), else the one in the middle.
    """
    seen, before = world(live), world(with_version(live, "before"))
    assert seen.spec
    home, mine = wanted_revision(before), wanted_revision(seen)
    home_status = Status(stable=Serving(revision=home, version="before"))
    plan = strategy.pin(replace(seen, status=home_status), direct=False)
    step = next((i for i, each in enumerate(plan) if each.kind in APART), len(plan) // 2)
    candidate = Trying(
        revision=mine,
        version=seen.spec.model.version,
        steps=plan,
        step=step,
        stable_replicas=3,
        started_at=spell(NOW),
        step_started_at=spell(NOW),
        exposed_at=spell(NOW),
        shifted_at=spell(NOW),
        deadline_at=spell(NOW + timedelta(seconds=seconds(seen.spec.rollout.deadline))),
    )
    share = plan[step].weight
    weights = {home: 100 - share, mine: share}
    routed = router_of(seen.spec.traffic) is not None
    splits = routed or 0 < share < 100
    route = RouteSeen(
        weights if splits else {mine if share else home: 100},
        programmed=True,
        cohort=mine if plan[step].match else "",
        mirror=(mine, plan[step].mirror) if plan[step].mirror else None,
        uid="uid-2",
        rotating=not routed and 0 < share < 100,
        rules=dict.fromkeys(seen.spec.traffic.route.rules, weights) if seen.spec.traffic.route else {},
    )
    there = replace(
        seen,
        now=NOW + timedelta(seconds=1),
        generation=2,
        status=Status(stable=Serving(revision=home, version="before", weight=100 - share), candidate=candidate),
        workloads={home: Workload(3, 3), mine: Workload(3, 3)},
        pods=tuple(Pod(f"{name}-{n}", f"{name}-{n}", name, True, True) for name in (home, mine) for n in range(3)),
        snapshots={home: snapshot(before), mine: replace(snapshot(seen), number=2)},
        route=route,
        owned=frozenset((kind, name) for kind in ("Deployment", "Service") for name in (home, mine)),
    )
    return kept(there)


def kept(seen: World) -> World:
    """The world in which the gateway has taken all that keeps the policy, for the preview too."""
    preview = replace(seen.route or RouteSeen({}, programmed=True), uid="uid-3")
    hosts = seen.spec.rollout.blue_green.preview_hostnames if seen.spec and seen.spec.rollout.blue_green else []
    seen = replace(seen, beside={f"{seen.name}-preview": preview} if hosts else {})
    made = {(m["kind"], m["metadata"]["name"]): m["metadata"]["annotations"] for m in access.make(seen)}
    said = {where: Said(notes[ANNOTATION_APPLIED], holds=True) for where, notes in made.items() if where[0] in READERS}
    return replace(seen, policies=said)


TURNS = {"first": first, "middle": middle}


def render(seen: World) -> str:
    """What a turn makes of a world: what it says, then the objects that should exist."""
    plan = decide(seen)
    said = [f"# {c.type} {c.status.value} {c.reason}: {c.message}" for c in plan.status.conditions]
    made = yaml.safe_dump_all(plan.children, sort_keys=False, width=110)
    return "\n".join([*said, made])


def templates(seen: World) -> list[dict[str, Any]]:
    """The pod templates among what a turn makes."""
    return [child["spec"]["template"] for child in decide(seen).children if child["kind"] == "Deployment"]
