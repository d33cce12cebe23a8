"""Can the wanted revision be made and judged? Finds its runtime, or the problem that a person must mend.

A revision that has a snapshot needs no runtime any more: editing or deleting a ModelRuntime stops nothing that runs.
"""

from collections.abc import Callable, Iterable, Mapping

from penstock.api.runtime import RuntimeSpec
from penstock.core import config, door
from penstock.core.desired import offers
from penstock.core.measures import measure
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.copying import replace
from penstock.model.reasons import Reason
from penstock.model.values import Problem, Snapshot, World

Runtimes = Mapping[str, RuntimeSpec | Problem]


def resolve(world: World, runtimes: Callable[[], Runtimes], sources: frozenset[str]) -> World:
    """The world with its runtime, or with its problem; runtimes are read only where a revision is still to be made."""
    lacking = config.lacking(world)
    if lacking:
        return _without(world, lacking, sources)
    known = world.snapshots.get(wanted_revision(world))
    if known:
        return replace(
            world, problem=_unreached(world, known) or door.lacking(world) or _unjudged(world, known, sources)
        )
    found = _runtime(world, runtimes())
    if isinstance(found, Problem):
        return replace(world, problem=found)
    world = replace(world, runtime=found)
    made = make_snapshot(world)
    if isinstance(made, Problem):
        return replace(world, problem=made)
    return replace(world, problem=_unreached(world, made) or door.lacking(world) or _unjudged(world, made, sources))


def _without(world: World, lacking: Problem, sources: frozenset[str]) -> World:
    """A ConfigMap that is gone is no new wish: what is tried or serves with its content goes on, and it is told."""
    sides = (world.status.candidate, world.status.stable)
    for revision in (side.revision for side in sides if side and side.revision in world.snapshots):
        held = config.recall(world, revision)
        if wanted_revision(held) == revision:
            problem = _unjudged(held, held.snapshots[revision], sources)
            return replace(held, problem=problem, fault=lacking)
    return replace(world, problem=lacking)


def _runtime(world: World, runtimes: Runtimes) -> tuple[str, RuntimeSpec] | Problem:
    assert world.spec
    name = world.spec.runtime or _by_format(world.spec.model.format, runtimes)
    if isinstance(name, Problem):
        return name
    if name not in runtimes:
        return Problem(Reason.RUNTIME_NOT_FOUND, f"no ModelRuntime {name}; there are: {_listed(runtimes)}")
    found = runtimes[name]
    return found if isinstance(found, Problem) else (name, found)


def _by_format(kind: str, runtimes: Runtimes) -> str | Problem:
    fits = sorted(n for n, r in runtimes.items() if isinstance(r, RuntimeSpec) and kind in r.formats)
    if len(fits) == 1:
        return fits[0]
    lists = (
        f"several ModelRuntimes list format {kind}: {_listed(fits)}" if fits else f"no ModelRuntime lists format {kind}"
    )
    return Problem(Reason.RUNTIME_NOT_FOUND, f"{lists}; name one in spec.runtime, there are: {_listed(runtimes)}")


def _listed(found: Iterable[str]) -> str:
    return ", ".join(sorted(found)) or "none"


def _unreached(world: World, snapshot: Snapshot) -> Problem | None:
    """The route speaks what the server does not."""
    assert world.spec
    if not world.spec.traffic.speaks_grpc or "grpc" in offers(snapshot):
        return None
    text = (
        f"traffic.protocol: GRPC needs container.grpcPort in the ModelRuntime, and version {snapshot.version} was made"
    )
    return Problem(Reason.PORT_MISSING, f"{text} without: set it there, then change the spec, or use protocol: HTTP")


def _unjudged(world: World, snapshot: Snapshot, sources: frozenset[str]) -> Problem | None:
    assert world.spec
    if not world.spec.analysis:
        return None
    asked = {metric.source or world.spec.analysis.source for metric in world.spec.analysis.metrics}
    for source in sorted(asked - sources):
        return Problem(Reason.SOURCE_NOT_FOUND, f"no metric source {source}; the operator has: {_listed(sources)}")
    answers = (measure(metric, snapshot.profile) for metric in world.spec.analysis.metrics)
    return next((a for a in answers if isinstance(a, Problem)), None)
