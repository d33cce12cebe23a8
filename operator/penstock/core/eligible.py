"""Whether a node takes pods of a spec at all: labels, node affinity, cordon, taints. Free room is not asked here.

The scheduler's own rules, for what keeps a pod off a node for as long as both stay as they are. Preferences, spreading
and affinity between pods are left out.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from penstock.model.room import Node, Taint
from penstock.model.values import Manifest

KEEPS_OFF = ("NoSchedule", "NoExecute")
CORDON = Taint("node.kubernetes.io/unschedulable")
_WHOLE = re.compile(r"-?[0-9]+")


class Obstacle(NamedTuple):
    """What is wrong with a node, as verb phrases for one node and for several."""

    one: str
    many: str


def obstacle(node: Node, pod: Manifest) -> Obstacle | None:
    """The first thing that keeps pods of this spec off the node."""
    for key, value in (pod.get("nodeSelector") or {}).items():
        if node.labels.get(key) != value:
            wanted = f"match nodeSelector {key}={value}"
            return Obstacle(f"does not {wanted}", f"do not {wanted}")
    if not _is_chosen(node, pod):
        return Obstacle("does not match the required node affinity", "do not match the required node affinity")
    if node.cordoned and not _tolerates(pod, CORDON):
        return Obstacle("is cordoned", "are cordoned")
    for taint in node.taints:
        if taint.effect in KEEPS_OFF and not _tolerates(pod, taint):
            return Obstacle(f"has the taint {taint}", f"have the taint {taint}")
    return None


def matches(labels: Mapping[str, str], expression: Manifest) -> bool:
    """One requirement of node affinity against a node's labels."""
    value, values = labels.get(expression["key"]), expression.get("values") or []
    operator: str = expression["operator"]
    match operator:
        case "In" | "NotIn":
            return (value in values) == (operator == "In")
        case "Exists" | "DoesNotExist":
            return (value is not None) == (operator == "Exists")
        case "Gt":
            return _is_above(value, values[0])
        case "Lt":
            return _is_above(values[0], value)
    return True  # an operator of a later Kubernetes: no reason to say that it cannot fit


def _is_chosen(node: Node, pod: Manifest) -> bool:
    """Any term will do; a term holds where all its requirements do, and an empty one never does."""
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_holds(node, term) for term in required.get("nodeSelectorTerms") or [])


def _holds(node: Node, term: Manifest) -> bool:
    labels, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    named = {"metadata.name": node.name}
    return (
        bool(labels or fields)
        and all(matches(node.labels, e) for e in labels)
        and all(matches(named, e) for e in fields)
    )


def _is_above(left: str | None, right: str | None) -> bool:
    return all(_WHOLE.fullmatch(one or "") for one in (left, right)) and int(left or "") > int(right or "")


def _tolerates(pod: Manifest, taint: Taint) -> bool:
    return any(_covers(toleration, taint) for toleration in pod.get("tolerations") or [])


def _covers(toleration: Manifest, taint: Taint) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.effect:
        return False
    if toleration.get("key") and toleration["key"] != taint.key:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == taint.value
