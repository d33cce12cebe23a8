"""What a gateway says of an object that keeps a policy: taken, refused in its own words, or nothing yet.

Kinds that no gateway answers for, such as a NetworkPolicy, are not read here.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.schedule import read as read_time
from penstock.model.values import Said

Conditions = list[Mapping[str, Any]]


def read_policy(live: Mapping[str, Any]) -> Said:
    """A policy holds when a gateway has taken it and none refuses it: one may answer for each of its listeners."""
    ancestors = (live.get("status") or {}).get("ancestors") or []
    return _said(live, [c for each in ancestors for c in each.get("conditions") or []], ("Accepted",))


def read_listeners(live: Mapping[str, Any]) -> Said:
    """A ListenerSet holds when it is accepted and its listeners are in the proxies, with their certificates."""
    status = live.get("status") or {}
    of_each = [c for each in status.get("listeners") or [] for c in each.get("conditions") or []]
    details = [c for c in of_each if c["type"] == "ResolvedRefs"]  # says which Secret is missing; the sum does not
    return _said(live, [*details, *(status.get("conditions") or [])], ("Accepted", "Programmed", "ResolvedRefs"))


def _said(live: Mapping[str, Any], conditions: Conditions, kinds: tuple[str, ...]) -> Said:
    meta = live["metadata"]
    applied = (meta.get("annotations") or {}).get(ANNOTATION_APPLIED, "")
    mine = [c for c in conditions if c["type"] in kinds and c.get("observedGeneration", 0) >= meta.get("generation", 0)]
    refused = next((c for c in mine if c["status"] != "True"), None)
    why = f"{refused.get('reason')}: {refused.get('message', '')[:300]}" if refused else ""
    heard = {c["type"] for c in mine} >= {kind for kind in kinds if kind != "ResolvedRefs"}
    return Said(applied, heard and not refused, why, _latest(mine))


def _latest(conditions: Iterable[Mapping[str, Any]]) -> datetime | None:
    return max((read_time(c["lastTransitionTime"]) for c in conditions if c.get("lastTransitionTime")), default=None)


READERS: dict[str, Callable[[Mapping[str, Any]], Said]] = {
    "SecurityPolicy": read_policy,
    "BackendTrafficPolicy": read_policy,
    "ListenerSet": read_listeners,
}
