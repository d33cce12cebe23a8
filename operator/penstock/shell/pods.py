"""A live pod -> the few facts of it that turns need. A pod is large and there are many: nothing else of it is kept."""

from datetime import datetime
from typing import Any

from penstock.model.names import IN, LABEL_DOOR, LABEL_REVISION, LABEL_ROTATION, WARMUP
from penstock.model.schedule import read as read_time
from penstock.model.values import Pod

Object = dict[str, Any]


def read(live: Object) -> Pod:
    """As the endpoints of a Service would count it."""
    meta, conditions = live["metadata"], (live.get("status") or {}).get("conditions") or []
    labels = meta.get("labels") or {}
    ready: Object = next((c for c in conditions if c["type"] == "Ready"), {})
    since = ready.get("lastTransitionTime")
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        revision=labels.get(LABEL_REVISION, ""),
        ready=ready.get("status") == "True",
        rotated=labels.get(LABEL_ROTATION) == IN,
        going=bool(meta.get("deletionTimestamp")),
        trouble=_trouble(live),
        door=labels.get(LABEL_DOOR, ""),
        began=_began(live) if LABEL_DOOR in labels else None,
        since=read_time(since) if since else None,
    )


def _began(live: Object) -> datetime | None:
    """Since when a door's container takes requests in."""
    found: Object = next(iter((live.get("status") or {}).get("containerStatuses") or []), {})
    running = (found.get("state") or {}).get("running") if found.get("started") else None
    return read_time(running["startedAt"]) if running and running.get("startedAt") else None


def _trouble(live: Object) -> str:
    """Why a pod is not ready, in the words of the kubelet or the scheduler; empty while it is merely starting."""
    status = live.get("status") or {}
    if live["metadata"].get("deletionTimestamp"):
        return ""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason')}: {condition.get('message', '')}"[:300]
    warming = [c for c in status.get("initContainerStatuses") or [] if c.get("name") == WARMUP]
    servers = status.get("containerStatuses") or []
    found = next(filter(None, map(_stopped, (*warming, *servers))), "")
    return found or (_unanswered(live) if warming and any(map(_is_starting, servers)) else "")


def _stopped(container: Object) -> str:
    """Why a container does not run; empty where it does, or will in a moment."""
    ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
    waiting = (container.get("state") or {}).get("waiting") or {}
    warms = container.get("name") == WARMUP
    if ended and not container.get("ready"):
        return _ended("the warm-up container" if warms else "the server", ended, waiting)
    if waiting.get("reason") in (None, "ContainerCreating", "PodInitializing"):
        return ""
    whose = "the warm-up container, whose image the administrator names (warmup.image of the chart): " if warms else ""
    return f"{waiting['reason']}: {whose}{waiting.get('message', '')}"[:300]


def _ended(what: str, ended: Object, waiting: Object) -> str:
    cause = ended.get("reason") or waiting.get("reason") or "ended"
    return f"{waiting.get('reason') or cause}: {what} ended with exit code {ended.get('exitCode')} ({cause})"


def _is_starting(container: Object) -> bool:
    return "running" in (container.get("state") or {}) and container.get("started") is False


def _unanswered(live: Object) -> str:
    meta = live["metadata"]
    which = f"-n {meta['namespace']} logs -l {LABEL_REVISION}={(meta.get('labels') or {}).get(LABEL_REVISION, '')}"
    return f"the server runs, but the model has not answered its warm-up request: kubectl {which} -c {WARMUP}"
