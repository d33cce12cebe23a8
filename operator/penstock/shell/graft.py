"""Backends set in named rules of somebody else's route, and nothing else of it touched.

A route's rules are one value to server-side apply, so to apply one rule would be to own all of them. It is a JSON Patch
instead, fenced by the version that was seen: if the owner has moved a rule, taken its name away or taken the label
back, it fails, and the next turn sees why. The object is never created, never deleted and carries no stamp of ours.
"""

from typing import Any

from penstock.model.faults import Stale
from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.values import Manifest
from penstock.shell.kube import Api
from penstock.shell.projection import Child


def is_graft(manifest: Manifest) -> bool:
    """True for a part that is set in an object of somebody else's: all that is ours bears our stamp."""
    return ANNOTATION_APPLIED not in manifest["metadata"].get("annotations", {})


def differs(child: Child | None, manifest: Manifest) -> bool:
    """True where a named rule leads elsewhere; an owner's addition to a backend counts, as backends are ours whole."""
    return child is not None and bool(_edits(child.read(), manifest))


async def graft(kube: Api, child: Child | None, manifest: Manifest) -> Manifest:
    """Set what differs; the answer is the whole object."""
    live = child.read() if child else None
    if live is None:
        raise Stale(f"{manifest['kind']}/{manifest['metadata']['name']}: is gone")
    return await kube.edit(live, _edits(live, manifest))


def _edits(live: Manifest | None, manifest: Manifest) -> list[dict[str, Any]]:
    rules = ((live or {}).get("spec") or {}).get("rules") or []
    wanted = {rule["name"]: rule["backendRefs"] for rule in manifest["spec"]["rules"]}
    found = ((at, rule, wanted.get(rule.get("name"))) for at, rule in enumerate(rules))
    return [
        {"op": "add", "path": f"/spec/rules/{at}/backendRefs", "value": refs}
        for at, rule, refs in found
        if refs is not None and rule.get("backendRefs") != refs
    ]
