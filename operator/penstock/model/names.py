"""Every name, label and annotation that Penstock writes, and the hash that names a revision."""

import hashlib
import json
from typing import Any

LABEL_NAME = "penstock.dev/name"
LABEL_REVISION = "penstock.dev/revision"
LABEL_CONFIG = "penstock.dev/config"
LABEL_ROTATION = "penstock.dev/rotation"  # of single pods; no template has it
IN, OUT = "in", "out"
LABEL_DOOR = "penstock.dev/door"  # of a door's pods: the revision that it stands in front of
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED = "app.kubernetes.io/managed-by"
ANNOTATION_APPLIED = "penstock.dev/applied"
PREFIX = "penstock.dev/"
MANAGER = "penstock"
HASH_VERSION = "1"
WARMUP = "warmup"  # the container that warms
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical(value: Any) -> str:
    """One spelling for equal JSON values, whatever order they were written in."""
    return _CANONICAL.encode(value)


def digest(value: Any, length: int = 10) -> str:
    """Hex digest of a JSON value's canonical spelling; letters first, so that it may end a DNS label."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def stamped(manifest: dict[str, Any]) -> dict[str, Any]:
    """An object of ours with the digest of all that it says, by which it is known again."""
    bare = {k: v for k, v in manifest["metadata"].items() if k != "annotations"}
    digested = digest({**manifest, "metadata": bare})
    return {**manifest, "metadata": {**bare, "annotations": {ANNOTATION_APPLIED: digested}}}


def revision_name(owner: str, intent: dict[str, Any]) -> str:
    """`<name>-<hash>` of what the user wrote about the pods: never of defaults, so that no upgrade renames it."""
    return f"{owner}-{digest([HASH_VERSION, intent])}"


def preview(owner: str) -> str:
    """Name of the Service, and of the route, of a preview."""
    return f"{owner}-preview"


def named(owner: str) -> str:
    """Name of the route of requests that pick their revision themselves."""
    return f"{owner}-revisions"


def door(owner: str) -> str:
    """Name of the pod that holds requests while the model sleeps, and of the Service behind it."""
    return f"{owner}-door"


def address(revision: str, namespace: str) -> str:
    """Where a revision alone answers inside the cluster."""
    return f"http://{revision}.{namespace}.svc"


def labels(owner: str, revision: str | None = None) -> dict[str, str]:
    """Labels of an object that Penstock owns."""
    made = {LABEL_MANAGED: MANAGER, LABEL_NAME: owner}
    return {**made, LABEL_REVISION: revision} if revision else made
