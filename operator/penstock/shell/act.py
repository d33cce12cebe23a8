"""Plan -> writes: server-side apply what differs from what is seen, prune last.

What differs is decided from memory: a child that carries the digest of what it should say, and whose live fields say
it, costs nothing. Everything that goes is deleted by uid, so never a namesake.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.model.faults import Rejected, Stale
from penstock.model.kinds import KINDS
from penstock.model.names import ANNOTATION_APPLIED, LABEL_NAME
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Plan
from penstock.routing import ROUTES
from penstock.shell import claims, graft, handover
from penstock.shell.cache import Cache
from penstock.shell.doubt import doubting
from penstock.shell.kube import Api
from penstock.shell.projection import Child, Scale
from penstock.shell.texts import Key

WHOLE = ("selector", "nodeSelector")  # one label too many in a selector, and it selects nothing


@dataclass(frozen=True)
class Changes:
    """What a turn writes beside the status."""

    uid: str
    apply: tuple[Manifest, ...]
    prune: tuple[Child, ...]
    labels: tuple[Manifest, ...] = ()
    moves_traffic: bool = False  # whether what carries the shares is written before all else

    def __bool__(self) -> bool:
        """True where there is anything to write."""
        return bool(self.apply or self.prune or self.labels)


def changes(cache: Cache, key: Key, plan: Plan) -> Changes:
    """The children that are not as they should be, and those that should not be."""
    seen = {(c.kind, c.name): c for c in cache.owned(key)}
    differ = [m for m in plan.children if _differs(seen.get((m["kind"], m["metadata"]["name"])), m)]
    services = {name for kind, name in seen if kind == "Service"}
    routes = [m["kind"] for m in plan.children if m["kind"] in ROUTES]
    differ.sort(key=lambda m: not (_is_ready_route(m, services) if routes else _is_apex(m, services)))
    prune = tuple(seen[where] for where in sorted(plan.prune) if where in seen)
    moves = bool(differ) and (differ[0]["kind"] in ROUTES or (not routes and _is_apex(differ[0], services)))
    return Changes(cache.parents.uid(key), tuple(differ), prune, plan.labels, moves)


def _is_ready_route(manifest: Manifest, services: set[str]) -> bool:
    """A route whose backends all exist goes first: taking traffic off must not wait for any other write."""
    router = ROUTES.get(manifest["kind"])
    return router is not None and router.backends(manifest["spec"]) <= services


def _is_apex(manifest: Manifest, services: set[str]) -> bool:
    """Without a route it is the Service that takes traffic off; a new one leads to nobody yet."""
    return manifest["kind"] == "Service" and _is_shared(manifest) and manifest["metadata"]["name"] in services


def _is_shared(manifest: Manifest) -> bool:
    """Whether it bears the ModelDeployment's own name."""
    return bool(manifest["metadata"]["name"] == manifest["metadata"]["labels"][LABEL_NAME])


def _differs(child: Child | None, manifest: Manifest) -> bool:
    if graft.is_graft(manifest):
        return graft.differs(child, manifest)
    if not child:
        return True
    wanted = manifest["metadata"]["annotations"][ANNOTATION_APPLIED]
    if child.verified == wanted:
        return False
    if child.applied != wanted or not _says(child.read(), manifest):
        return True
    child.verify()
    return False


def _says(live: Any, wanted: Any, of: str = "") -> bool:
    """True where every field that we set has our value; what others added matters only where the API merges nothing."""
    if isinstance(wanted, dict) and of not in WHOLE:
        return isinstance(live, dict) and all(k in live and _says(live[k], v, k) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(_says, live, wanted))
    return bool(live == wanted)


async def act(kube: Api, cache: Cache, key: Key, wanted: Changes) -> bool:
    """Write: what exists before what points at it, deletions last.

    True where an answer alone says something new of the traffic: no controller follows that would tell of it.
    """
    rivals = await _rivals(kube, cache, key, wanted)
    news = False
    for manifest in wanted.apply:
        child = _known(cache, key, manifest)
        if graft.is_graft(manifest):
            with doubting(cache, key, manifest):
                cache.see_child(await graft.graft(kube, child, manifest))
            continue
        if child and child.name in rivals and _was_scaled(child, manifest):
            continue  # to repair it would be a fight without end
        answer = await _apply(kube, cache, (key, wanted.uid), manifest)
        news |= cache.see_child(answer) is not None and _is_apex(manifest, {key[1]})
        cache.confirm(key, answer)
    for label in wanted.labels:
        with doubting(cache, key, label):
            news |= cache.see_child(await kube.apply(label)) is not None
    for child in wanted.prune:
        if not child.is_ours(wanted.uid):
            await claims.may_go(kube, key, child)
        if await kube.delete(child.kind, key[0] if KINDS[child.kind].namespaced else None, child.name, child.uid):
            cache.drop(key, child)
    _tell_of(cache, key, rivals)
    return news


async def _apply(kube: Api, cache: Cache, owner: tuple[Key, str], manifest: Manifest) -> Manifest:
    """Make it or put it right; the answer."""
    key, uid = owner
    child, claimed = _known(cache, key, manifest), manifest
    if child is None:
        with suppress(Stale), doubting(cache, key, manifest):
            return await kube.apply(claims.unmade(manifest))
    if child is None or not child.is_ours(uid):
        claimed = await claims.claim(kube, key, uid, manifest)
    await handover.keep_number(kube, child, claimed)
    with doubting(cache, key, manifest), claims.taking(manifest, claimed):
        return await kube.apply(claimed)


def _known(cache: Cache, key: Key, manifest: Manifest) -> Child | None:
    return cache.children.get(key, {}).get((manifest["kind"], manifest["metadata"]["name"]))


def _was_scaled(child: Child, manifest: Manifest) -> bool:
    """Somebody has changed the number of a Deployment that says what we last wrote."""
    if child.kind != "Deployment" or not isinstance(child.seen, Scale):
        return False
    same = child.applied == manifest["metadata"]["annotations"][ANNOTATION_APPLIED]
    return bool(same and child.seen.desired != manifest["spec"].get("replicas", child.seen.desired))


async def _rivals(kube: Api, cache: Cache, key: Key, wanted: Changes) -> dict[str, str]:
    """Whose autoscalers scale Deployments of ours; asked only where a number was changed behind our back."""
    pairs = ((_known(cache, key, manifest), manifest) for manifest in wanted.apply)
    scaled = any(child and child.is_ours(wanted.uid) and _was_scaled(child, manifest) for child, manifest in pairs)
    if not scaled and key not in cache.rivals:
        return {}
    mine = [c for c in cache.owned(key) if c.is_ours(wanted.uid)]
    found = await claims.scalers(kube, key[0], {c.uid for c in mine})
    return {c.name: found[c.name] for c in mine if c.kind == "Deployment" and c.name in found}


def _tell_of(cache: Cache, key: Key, rivals: dict[str, str]) -> None:
    """Remember a conflict until it is over. The first time the turn fails, so that the next one tells."""
    told = [f"HorizontalPodAutoscaler {who} scales Deployment {what}" for what, who in sorted(rivals.items())]
    before = cache.rivals.pop(key, "")
    if not told:
        return
    cache.rivals[key] = f"{told[0]}, whose size is Penstock's: delete it, or let spec.scaling.maxReplicas scale"
    if cache.rivals[key] != before:
        raise Rejected(Reason.CONFLICT, cache.rivals[key])
