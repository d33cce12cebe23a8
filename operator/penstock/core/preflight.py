"""Before a rollout begins: whether its pods fit beside the stable ones, or in their place where the spec says so.

Said in words; what follows is a policy. It says no only where that is sure: pods that leave count as gone already.
"""

from penstock.api.rollout import CapacityPolicy
from penstock.core import strategy
from penstock.core.capacity import shortage, without
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.room import Room
from penstock.model.values import Snapshot, Workload, World


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
    made = world.snapshots.get(revision) or (make_snapshot(world) if world.runtime else None)
    if world.room is None or not isinstance(made, Snapshot):
        return ""
    room = _cleared(world, world.room)
    found = shortage(room, made.template["spec"], strategy.full_size(world, strategy.running(world)))
    if not found or found.growable:
        return ""
    return f"even in place of the stable pods {found.message}" if _replaces(world) else found.message


def _replaces(world: World) -> bool:
    assert world.spec
    return world.status.stable is not None and world.spec.rollout.capacity_policy is CapacityPolicy.REPLACE


def _cleared(world: World, room: Room) -> Room:
    """The room once all pods of ours have made way that will: those of revisions that leave, or come back."""
    stable = world.status.stable
    stays = stable.revision if stable and not _replaces(world) else ""
    for name in sorted(n for kind, n in world.owned if kind == "Deployment" and n != stays):
        if name in world.snapshots:
            room = without(room, world.snapshots[name].template["spec"], _places(world, room, name))
    return room


def _places(world: World, room: Room, revision: str) -> dict[str, int]:
    """A revision's pods by node; those that nobody saw on one hold quota only."""
    held = dict(room.held.get(revision, {}))
    rest = world.workloads.get(revision, Workload()).desired - sum(held.values())
    return held | {"": max(0, rest)}
