"""Plan -> writes: server-side apply what differs from what is seen, prune last.

What differs is decided from memory: a child that carries the digest of what it should say, and whose live fields say
it, costs nothing. Everything that goes is deleted by uid, so never a namesake.
"""

from dataclasses import dataclass
from typing import Any

from penstock.model.faults import Rejected, Retry
from penstock.model.kinds import KINDS
from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Plan
from penstock.shell.cache import Cache, Child, Key
from penstock.shell.kube import Api


@dataclass(frozen=True)
class Changes:
    """What a turn writes beside the status."""

    apply: tuple[Manifest, ...]
    prune: tuple[Child, ...]

    def __bool__(self) -> bool:
        """True where there is anything to write."""
        return bool(self.apply or self.prune)


def changes(cache: Cache, key: Key, plan: Plan) -> Changes:
    """The children that are not as they should be, and those that should not be."""
    seen = {(c.kind, c.name): c for c in cache.owned(key)}
    differ = [m for m in plan.children if _differs(seen.get((m["kind"], m["metadata"]["name"])), m)]
    services = {name for kind, name in seen if kind == "Service"}
    differ.sort(key=lambda m: not _is_ready_route(m, services))
    return Changes(tuple(differ), tuple(seen[where] for where in sorted(plan.prune) if where in seen))


def _is_ready_route(manifest: Manifest, services: set[str]) -> bool:
    """A route whose backends all exist goes first: taking traffic off must not wait for any other write."""
    if manifest["kind"] != "HTTPRoute":
        return False
    return all(ref["name"] in services for rule in manifest["spec"]["rules"] for ref in rule["backendRefs"])


def _differs(child: Child | None, manifest: Manifest) -> bool:
    if not child:
        return True
    wanted = manifest["metadata"]["annotations"][ANNOTATION_APPLIED]
    if child.verified == wanted:
        return False
    if child.live is None or child.applied != wanted or not _says(child.live, manifest):
        return True
    child.verified, child.live = wanted, None
    return False


def _says(live: Any, wanted: Any) -> bool:
    """True where every field that we set has our value; what others added does not matter."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(k in live and _says(live[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(_says, live, wanted))
    return bool(live == wanted)


async def act(kube: Api, cache: Cache, key: Key, wanted: Changes) -> None:
    """Write: what exists before what points at it, deletions last."""
    for manifest in wanted.apply:
        if not _is_ours(cache, key, manifest):
            await _see_that_it_is_free(kube, key, manifest)
        answer = await kube.apply(manifest)
        cache.see_child(answer)
        _verify(cache, key, answer)
    for child in wanted.prune:
        await kube.delete(child.kind, key[0] if KINDS[child.kind].namespaced else None, child.name, child.uid)


def _is_ours(cache: Cache, key: Key, manifest: Manifest) -> bool:
    """Only what is known to be ours is overwritten; a namesake of somebody else's is a conflict, not a target."""
    uid = manifest["metadata"]["ownerReferences"][0]["uid"]
    where = (manifest["kind"], manifest["metadata"]["name"])
    return any((c.kind, c.name) == where and c.owner_uid == uid for c in cache.owned(key))


async def _see_that_it_is_free(kube: Api, key: Key, manifest: Manifest) -> None:
    """Server-side apply without force is no guard: it merges into a foreign object as long as no field is set twice."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    live = await kube.get(kind, key[0], name)
    if live is None:
        return
    uid = manifest["metadata"]["ownerReferences"][0]["uid"]
    owners = [ref for ref in live["metadata"].get("ownerReferences") or [] if ref.get("controller")]
    if owners and (owners[0]["kind"], owners[0]["name"]) == ("ModelDeployment", key[1]) and owners[0]["uid"] != uid:
        raise Retry(1.0, f"{kind} {name} is still being removed with its former owner")
    if [ref["uid"] for ref in owners] != [uid]:
        whose = f"{owners[0]['kind']} {owners[0]['name']}" if owners else "somebody else"
        raise Rejected(Reason.CONFLICT, f"{kind} {name} exists and belongs to {whose}: rename or delete one of the two")


def _verify(cache: Cache, key: Key, answer: Manifest) -> None:
    """What the server answered to an apply is as it should be, even where it spells a value differently."""
    for child in cache.owned(key):
        if (child.kind, child.name) == (answer["kind"], answer["metadata"]["name"]):
            child.verified, child.live = child.applied, None
