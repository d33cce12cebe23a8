"""Pods, nodes and quotas for tests of capacity, with as few words as possible."""

from collections.abc import Mapping
from typing import Any

from penstock.model.quantity import amount
from penstock.model.room import Node, Quota, Scope, Taint

Object = dict[str, Any]
GPU = "nvidia.com/gpu"
TAINT = Taint("dedicated", "ml")


def pod(cpu: str = "", gpu: int = 0, **more: Any) -> Object:
    """A pod spec as the template renders it."""
    asked = ({"cpu": cpu} if cpu else {}) | ({GPU: str(gpu)} if gpu else {})
    return {"containers": [{"name": "server", "resources": {"requests": asked}}], **more}


def node(name: str = "n", free: Mapping[str, str] | None = None, **more: Any) -> Node:
    """A node with room for ten pods and two cpus, or as told."""
    free = {"cpu": "2", "memory": "8Gi", "pods": "10"} | dict(free or {})
    return Node(name, {key: amount(text) for key, text in free.items()}, **more)


def quota(hard: Mapping[str, str], used: Mapping[str, str], *scopes: Scope) -> Quota:
    """A quota of namespace ml."""
    return Quota("ml/compute", {key: (amount(hard[key]), amount(used.get(key, "0"))) for key in hard}, scopes)


def container(requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}, **more}
