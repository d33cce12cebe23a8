"""A live pod -> the few facts of it that turns need. A pod is large and there are many: nothing else of it is kept."""

from typing import Any

from penstock.model.names import IN, LABEL_REVISION, LABEL_ROTATION
from penstock.model.values import Pod

Object = dict[str, Any]


def read(live: Object) -> Pod:
    """As the endpoints of a Service would count it."""
    meta, conditions = live["metadata"], (live.get("status") or {}).get("conditions") or []
    labels = meta.get("labels") or {}
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        revision=labels.get(LABEL_REVISION, ""),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        rotated=labels.get(LABEL_ROTATION) == IN,
        going=bool(meta.get("deletionTimestamp")),
        trouble=_trouble(live),
    )


def _trouble(live: Object) -> str:
    """Why a pod is not ready, in the words of the kubelet or the scheduler; empty while it is merely starting."""
    status = live.get("status") or {}
    if live["metadata"].get("deletionTimestamp"):
        return ""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason')}: {condition.get('message', '')}"[:300]
    for container in status.get("containerStatuses") or []:
        ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
        waiting = (container.get("state") or {}).get("waiting") or {}
        if ended and not container.get("ready"):
            return _ended(container, ended, waiting)
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}"[:300]
    return ""


def _ended(container: Object, ended: Object, waiting: Object) -> str:
    cause = ended.get("reason") or waiting.get("reason") or "ended"
    return f"{waiting.get('reason') or cause}: the server ended with exit code {ended.get('exitCode')} ({cause})"
