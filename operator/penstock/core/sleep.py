"""Scaling to zero: a model that nobody asks for has no pods, and the first request wakes it. Pure.

    awake ── idle for long enough ──► Services lead to the door ── seen ──► no pods
      ▲                                                                       │ somebody waits, a rollout starts
      └── Services lead back ◄── seen behind the door ── a pod answers ◄──────┘ or the door is gone

The last pod and the first one are taken here and not by the autoscaler, which leaves a Deployment without pods alone:
only so is the door in front before the last pod goes. Idle is what the autoscaler itself has seen: every live metric
that counts requests says 0.
"""

from datetime import datetime

from penstock.api.fields import seconds, span
from penstock.api.sleep import ScaleToZero, Sleep
from penstock.api.status import Next, Status
from penstock.core import door
from penstock.model import names
from penstock.model.schedule import read, spell
from penstock.model.values import Manifest, Workload, World
from penstock.scaling import hpa

MARGIN = 30  # seconds that a request may take once it has been let in


def follow(world: World, status: Status) -> Sleep | None:
    """What is to be remembered: fall asleep, wake, or go on."""
    before = status.sleep
    if before and before.asleep_since:
        why = _wakes(world, status)
        if not why:
            return before
        return before.model_copy(update={"asleep_since": None, "waking_since": spell(world.now), "why": why})
    if before and before.waking_since:
        if not world.door.behind and ("Deployment", before.revision) in world.owned:
            return before
        took = round(1000 * (world.now - read(before.waking_since)).total_seconds())
        before = before.model_copy(update={"waking_since": None, "wake_milliseconds": max(0, took)})
    return _idling(world, status, before)


def _wish(world: World) -> ScaleToZero | None:
    return world.spec.scaling.zero if world.spec and hpa.owns_replicas(world.spec.scaling) else None


def _may(world: World) -> bool:
    return _wish(world) is not None


def _idling(world: World, status: Status, before: Sleep | None) -> Sleep | None:
    """Awake: since when nobody asks, and whether that is long enough."""
    wish = _wish(world)
    if not status.stable or not wish:
        return None
    name, known = status.stable.revision, before or Sleep(revision="")
    told = world.scalers.get(name)
    kept = known.model_copy(update={"revision": name, "idle_since": None})
    if _is_busy(status) or not told or not told.idle or name not in world.door.up or world.door.waiting:
        return kept if kept.why else None
    since = known.idle_since if known.idle_since and known.revision == name else spell(world.now)
    if world.now < read(since) + span(wish.idle_for):
        return kept.model_copy(update={"idle_since": since})
    return kept.model_copy(update={"asleep_since": spell(world.now)})


def _is_busy(status: Status) -> bool:
    """While anything else is under way nobody falls asleep."""
    return status.candidate is not None or bool(status.leaving)


def _wakes(world: World, status: Status) -> str:
    """Why it must not sleep any longer; empty while it may."""
    if not _may(world):
        return "scaling.minReplicas is not 0 now"
    if _is_busy(status):
        return "a rollout begins"
    if not status.stable or status.stable.revision not in world.door.up:
        return "no pod of its door is there to take requests in"
    return "a request waits" if world.door.waiting else ""


def spoken(status: Status) -> str:
    """That it sleeps, in words; empty while it is awake."""
    if not status.stable or not status.sleep or not status.sleep.asleep_since:
        return ""
    since = status.sleep.asleep_since[:19]
    return f"version {status.stable.version} sleeps since {since}Z; the next request wakes it"


def answering(world: World) -> str:
    """Who answers in place of the model's pods; empty where those do, or nobody does."""
    if not world.door.fronts or world.door.fronts not in world.door.up:
        return ""
    return "its door holds requests until a pod of the stable revision answers"


def next_up(world: World, status: Status) -> Next | None:
    """What happens if nobody asks."""
    idle, at = status.sleep and status.sleep.idle_since, again(world, status)
    return Next(what="it falls asleep unless somebody asks for it", at=spell(at)) if idle and at else None


def again(world: World, status: Status) -> datetime | None:
    """When it falls asleep if nobody asks; when a door that has just begun is believed."""
    sleep, wish = status.sleep, _wish(world)
    if wish and sleep and sleep.idle_since and not sleep.asleep_since:
        return read(sleep.idle_since) + span(wish.idle_for)
    return world.door.again if sleep and sleep.asleep_since else None


def fronted(status: Status) -> str:
    """The revision whose Services lead to the door; empty where none does."""
    sleep = status.sleep
    return sleep.revision if sleep and (sleep.asleep_since or sleep.waking_since) else ""


def is_down(world: World, status: Status, revision: str) -> bool:
    """Whether the revision is to have no pods now: its Service and the common one lead to the door, which is shut."""
    sleep = status.sleep
    if not sleep or not sleep.asleep_since or sleep.revision != revision:
        return False
    return world.door.shut and {revision, world.name} <= world.door.before


def make(world: World, status: Status) -> list[Manifest]:
    """The door, while the model may sleep, and for as long as anything leads to it."""
    name = fronted(status) or (status.stable.revision if status.stable and _may(world) else "")
    name = name or min(world.door.before - {world.name}, default="")
    known = world.snapshots.get(name)
    asleep = status.sleep is not None and status.sleep.asleep_since is not None
    stays = not fronted(status) or (not asleep and world.workloads.get(name, Workload()).pods > 0)
    return door.make(world, name, known, stays) if known and world.platform.warmup_image else []


def patient(world: World, made: list[Manifest]) -> list[Manifest]:
    """Routes that hold a request for as long as the door does, where the wish says nothing else."""
    wish = _wish(world)
    if not wish:
        return made
    limit = f"{round(seconds(wish.wait_timeout)) + MARGIN}s"
    return [_patient(each, limit) if each["kind"] == "HTTPRoute" else each for each in made]


def _patient(route: Manifest, limit: str) -> Manifest:
    rules = [rule | {"timeouts": {"request": limit} | rule.get("timeouts", {})} for rule in route["spec"]["rules"]]
    return names.stamped(route | {"spec": route["spec"] | {"rules": rules}})
