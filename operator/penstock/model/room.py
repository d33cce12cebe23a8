"""What a cluster has left for more pods, as one frozen value: nodes, quotas, and what could not be looked at.

All amounts are thousandths (see `quantity`). No Kubernetes object comes in here, only what the arithmetic needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Amounts = Mapping[str, int]


@dataclass(frozen=True)
class Taint:
    """What keeps pods off a node unless they tolerate it."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True)
class Node:
    """A node: who may go there, and what the pods that are there have left by their requests."""

    name: str
    free: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    cordoned: bool = False


@dataclass(frozen=True)
class Scope:
    """One restriction of a quota to some pods, as in `scopeSelector`; a plain scope is one with operator Exists."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quota:
    """A ResourceQuota: (hard, used) by resource, for the pods that all its scopes name."""

    name: str
    limits: Mapping[str, tuple[int, int]]
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True)
class Room:
    """All of it, for one namespace.

    `nodes` is None where nobody may look; `unseen` says so in words. `growable`: nodes are made on demand, and only
    pods that wait for one cause that. `held` counts our own pods by revision and node.
    """

    nodes: tuple[Node, ...] | None
    quotas: tuple[Quota, ...] = ()
    held: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    growable: bool = False
    unseen: str = ""


@dataclass(frozen=True)
class Shortage:
    """So many pods fit, fewer than wanted, and why. `growable`: nodes may be made for pods that wait."""

    fits: int
    message: str
    growable: bool = False
