"""How a story ends, without what no two runs have in common: times, identities, addresses, numbers of requests."""

import json
import re
from typing import Any

from penstock.model.kinds import KINDS
from penstock.model.names import ANNOTATION_APPLIED, LABEL_NAME
from penstock.shell.kube import Kube

Object = dict[str, Any]
CHILDREN = [
    kind
    for kind in KINDS
    if kind
    not in (
        "ModelDeployment",
        "ModelRuntime",
        "Node",
        "ResourceQuota",
        "Event",
        "Lease",
        "EndpointSlice",
        "Pod",
        "Certificate",
    )
]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
GIVEN = {
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "ipFamilies",
    "healthCheckNodePort",
}  # by the API server, to each its own
OWN_NOTES = ("deployment.", ANNOTATION_APPLIED)  # the second is a digest of the owner's uid too
COUNTED = {"evidence", "looks", "resourceVersion", "uid", "generation", "observedGeneration", "message", "requests"}


async def end(kube: Kube, namespace: str) -> Object:
    """Every child and the status, by kind and name."""
    found: Object = {}
    for kind in CHILDREN:
        async for page in kube.pages(kind, namespace, LABEL_NAME):
            found |= {f"{kind}/{live['metadata']['name']}": child(live) for live in page}
    live = await kube.get("ModelDeployment", namespace, "churn")
    found["status"] = plain((live or {}).get("status") or {})
    made: Object = json.loads(json.dumps(found).replace(namespace, "NAMESPACE"))
    return made


def child(live: Object) -> Object:
    """What is compared of one."""
    meta = live["metadata"]
    notes = {k: v for k, v in (meta.get("annotations") or {}).items() if not k.startswith(OWN_NOTES)}
    owners = [(ref["kind"], ref["name"]) for ref in meta.get("ownerReferences") or []]
    rest = {k: v for k, v in live.items() if k not in ("metadata", "status", "revision")}
    return {"labels": meta.get("labels"), "annotations": notes, "owners": owners, **plain(rest)}


def plain(value: Any) -> Any:
    """Without times, identities and counts."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in GIVEN | COUNTED and not _is_time(v)}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and bool(TIME.match(value))


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two ends are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for i, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{path}[{i}]")]
    return [] if one == other else [f"{path}: {str(one)[:300]} != {str(other)[:300]}"]
