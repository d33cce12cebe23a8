"""Before a rollout begins: would its pods fit beside the stable ones? Said in words; what follows is a policy."""

from penstock.api.rollout import CapacityPolicy
from penstock.core import strategy
from penstock.core.capacity import shortage
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.values import Snapshot, World


def is_due(world: World) -> bool:
    """Whether this turn is likely to begin a rollout, so that the room is worth looking at."""
    if not world.spec or world.problem:
        return False
    wanted, status = wanted_revision(world), world.status
    if status.candidate:
        return status.candidate.revision != wanted and "undo" not in world.annotations
    decided = {r.revision for r in status.rejected} | ({status.stable.revision} if status.stable else set())
    return wanted not in decided


def lacks(world: World, revision: str) -> str:
    """What the candidate lacks at full size; empty where it fits, nobody could look, or nodes come on demand."""
    assert world.spec
    made = world.snapshots.get(revision) or (make_snapshot(world) if world.runtime else None)
    replaces = world.status.stable and world.spec.rollout.capacity_policy is CapacityPolicy.REPLACE
    if world.room is None or replaces or not isinstance(made, Snapshot):
        return ""
    found = shortage(world.room, made.template["spec"], strategy.full_size(world, strategy.running(world)))
    return found.message if found and not found.growable else ""
