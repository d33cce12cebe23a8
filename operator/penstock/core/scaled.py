"""What autoscalers say: their last decisions, and what holds when they have no numbers to follow. Pure.

Without numbers the cluster's autoscaler changes nothing by itself; here a floor is put under that after a while.
"""

from datetime import datetime

from penstock.api.fields import span
from penstock.api.scaled import Resized, Scaled
from penstock.api.status import Status
from penstock.model.copying import replace
from penstock.model.platform import Scaler
from penstock.model.schedule import spell
from penstock.model.values import Following, World
from penstock.scaling import hpa


def floor(world: World, revision: str, least: int) -> int:
    """Fewest replicas of a revision: what the rollout needs, or the fallback's where it was blind for long enough."""
    assert world.spec
    wish, since = world.spec.scaling.fallback, _blind_since(world, revision)
    if not wish or not since or world.now < since + span(wish.after):
        return least
    return max(least, wish.replicas)


def again(world: World) -> datetime | None:
    """When a fallback begins to hold."""
    wish = world.spec.scaling.fallback if world.spec else None
    if not wish:
        return None
    began = (_blind_since(world, revision) for revision in world.scalers)
    ends = [since + span(wish.after) for since in began if since]
    return min((each for each in ends if each > world.now), default=None)


def following(world: World, status: Status) -> Following | None:
    """What there is to tell: the first autoscaler in use without numbers, else one that has some; None without any."""
    if not world.spec or not hpa.owns_replicas(world.spec.scaling):
        return None
    if status.sleep and status.sleep.asleep_since:  # it is about to go
        return None
    sides = [side.revision for side in (status.stable, status.candidate) if side]
    told = [world.scalers[name] for name in sides if name in world.scalers and not world.scalers[name].disabled]
    found = next((each for each in told if not each.active), told[0] if told else None)
    return _hinted(world, found) if found and not found.active else found


def _hinted(world: World, told: Following) -> Following:
    """With what an administrator may have forgotten."""
    assert world.spec
    live = any(not metric.is_resource for metric in world.spec.scaling.metrics)
    if not live or world.platform.tells or world.platform.scaler is not Scaler.HPA:
        return told
    hint = "the operator tells autoscalers no live values (externalMetrics.install of its chart is false)"
    return replace(told, message=f"{hint}; {told.message}"[:300])


def scaled(world: World, status: Status) -> Scaled | None:
    """The stable revision's autoscaler; a decision is told once, with the numbers of that moment."""
    if not world.spec or not status.stable or not hpa.owns_replicas(world.spec.scaling):
        return None
    name, before = status.stable.revision, status.scaling
    told = world.scalers.get(name)
    if not told or not told.wanted or told.disabled:
        return before if before and before.revision == name else None
    past = before.decisions if before else []
    if before and before.revision == name and before.wanted != told.wanted:
        made = Resized(at=spell(world.now), revision=name, before=before.wanted, after=told.wanted, why=told.why[:256])
        past = [*past, made][-10:]
    least, most = told.bounds
    return Scaled(revision=name, wanted=told.wanted, least=least, most=most, decisions=past)


def _blind_since(world: World, revision: str) -> datetime | None:
    told = world.scalers.get(revision)
    return told.since if told and not told.active and not told.disabled else None
