"""A HorizontalPodAutoscaler's status -> what is worth knowing of it: whether it sees, what it wants, what made it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.model.quantity import amount
from penstock.model.schedule import read
from penstock.model.values import Following

ANSWERED = "external metrics API: "  # what follows is our own answer, behind much that nobody needs
_PREFIX = re.compile(r"^s[0-9]+-metric-api-")
BOUND = {"TooFewReplicas": "the fewest allowed", "TooManyReplicas": "the most allowed"}


def follow(live: Mapping[str, Any]) -> Following | None:
    """None while it has not looked at its numbers yet."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    said = _condition(status, "ScalingActive")
    if not said:
        return None
    active, since = said["status"] == "True", said.get("lastTransitionTime")
    sleeps = said.get("reason") == "ScalingDisabled"  # of a Deployment without pods
    return Following(
        active,
        "" if active else said.get("message", "").rpartition(ANSWERED)[2][:300],
        read(since) if since else None,
        status.get("desiredReplicas", 0),
        (spec.get("minReplicas", 1), spec.get("maxReplicas", 1)),
        _why(spec, status),
        sleeps,
        not sleeps and _is_idle(spec, status),
    )


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next((c for c in status.get("conditions") or [] if c["type"] == kind), {})
    return found


def _why(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """The bound that decided, else the metric that asks for most."""
    limited = _condition(status, "ScalingLimited")
    if limited.get("status") == "True" and limited.get("reason") in BOUND:
        return BOUND[limited["reason"]]
    asked = list(_asked(spec, status))
    return max(asked)[1] if asked else ""


def _is_idle(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Every live metric that counts for each replica was seen, and is 0. Shares of requests say nothing of idleness."""
    named = [_name(m["external"]) for m in spec.get("metrics") or [] if "averageValue" in _target(m)]
    now = {_name(m["external"]): m["external"].get("current") or {} for m in _externals(status)}
    return bool(named) and all(amount(str(now.get(name, {}).get("averageValue", 1))) == 0 for name in named)


def _target(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (metric.get("external") or {}).get("target") or {}
    return found


def _externals(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [m for m in status.get("currentMetrics") or [] if m.get("external")]


def _asked(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    """For each metric how many times its target there is, and that in words."""
    for wish in spec.get("metrics") or []:
        part = _part(wish)
        name, target = _name(wish[part]), wish[part]["target"]
        now: Mapping[str, Any] = next(
            (m[part]["current"] for m in status.get("currentMetrics") or [] if _is_of(m, part, name)), {}
        )
        for key in ("averageUtilization", "averageValue", "value"):
            if key in target and key in now:
                has, limit = amount(str(now[key])), amount(str(target[key]))
                yield has / limit, f"{name} {has / 1000:g} of {limit / 1000:g}"


def _part(metric: Mapping[str, Any]) -> str:
    """The key under which a metric of a type has its fields: ContainerResource's is containerResource.

    The controller leaves an entry without type where a metric had no value.
    """
    kind = str(metric.get("type", ""))
    return kind[:1].lower() + kind[1:]


def _is_of(seen: Mapping[str, Any], part: str, name: str) -> bool:
    return _part(seen) == part and _name(seen.get(part) or {}) == name


def _name(metric: Mapping[str, Any]) -> str:
    """Without what KEDA puts in front: s0-metric-api-requestsPerSecond."""
    return _PREFIX.sub("", _full_name(metric))


def _full_name(metric: Mapping[str, Any]) -> str:
    return str(metric.get("name") or (metric.get("metric") or {}).get("name", ""))
