"""Whether more pods of one spec fit into the room that is left, and if not, why, in one sentence.

It says no only where that is sure: what it cannot see counts as room. So left out are pod affinity and spreading,
volumes that are tied to a node, host ports, device claims, defaults of a LimitRange. Preemption is ignored: a candidate
never counts on pods of others being thrown out for it. The pods are all the same, so each node takes as many as it has
room for, whatever the order.
"""

from collections.abc import Mapping

from penstock.core.demand import requests
from penstock.core.eligible import Obstacle, obstacle
from penstock.core.quotas import given_back, quota_shortage
from penstock.model.copying import replace
from penstock.model.quantity import spelled
from penstock.model.room import Amounts, Node, Room, Shortage
from penstock.model.values import Manifest

CAUSES = 3  # so many causes are named; the nodes with rarer ones are counted


def shortage(room: Room, pod: Manifest, pods: int) -> Shortage | None:
    """None where `pods` more pods of this spec fit, as far as anybody can see."""
    found = [quota_shortage(quota, pod, pods) for quota in room.quotas] + [_node_shortage(room, pod, pods)]
    short = [one for one in found if one]
    if not short:
        return None
    worst = min(short, key=lambda one: (one.growable, one.fits))
    head = f"{worst.fits} of {pods} pods {'fits' if worst.fits == 1 else 'fit'}"
    return replace(worst, message=f"{head}: {worst.message}")


def without(room: Room, pod: Manifest, where: Mapping[str, int]) -> Room:
    """The room once so many pods of this spec are gone from these nodes; a pod that has no node yet is at ""."""
    asked, gone = requests(pod), sum(where.values())
    nodes = room.nodes and tuple(_freed(node, asked, where.get(node.name, 0)) for node in room.nodes)
    return replace(room, nodes=nodes, quotas=tuple(given_back(quota, pod, gone) for quota in room.quotas))


def _node_shortage(room: Room, pod: Manifest, pods: int) -> Shortage | None:
    if room.nodes is None:
        return None
    asked = {name: value for name, value in requests(pod).items() if value}
    left, causes, fits = [], [], 0
    for node in room.nodes:
        wrong = obstacle(node, pod)
        takes = 0 if wrong else _takes(node, asked)
        left.append(_freed(node, asked, -takes))
        causes.append(wrong or _scarce(left[-1], asked))
        fits += takes
    if fits >= pods:
        return None
    # Whoever runs a cluster without a single node makes them on demand.
    message = _sentence(left, causes, asked) if left else "the cluster has no nodes"
    return Shortage(fits, message, room.growable or not left)


def _takes(node: Node, asked: Amounts) -> int:
    return max(0, min(node.free.get(name, 0) // value for name, value in asked.items()))


def _freed(node: Node, asked: Amounts, pods: int) -> Node:
    return replace(node, free={k: v + asked.get(k, 0) * pods for k, v in node.free.items()}) if pods else node


def _scarce(node: Node, asked: Amounts) -> Obstacle | str:
    """What a full node lacks for one more pod: a resource that it has never had, else the scarcest one by name."""
    name = min(asked, key=lambda one: (one in node.free, node.free.get(one, 0) / asked[one]))
    return name if name in node.free else Obstacle(f"lacks {name}", f"lack {name}")


def _sentence(nodes: list[Node], causes: list[Obstacle | str], asked: Amounts) -> str:
    groups: dict[Obstacle | str, list[Node]] = {}
    for node, cause in zip(nodes, causes, strict=True):
        groups.setdefault(cause, []).append(node)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    said = [_clause(cause, group, asked) for cause, group in ranked[:CAUSES]]
    rest = sum(len(group) for _, group in ranked[CAUSES:])
    count, _, words = said[0].partition(" ")
    said[0] = f"{count} of {len(nodes)} nodes {words}"
    return ", ".join(said) + (f", {rest} other" if rest else "")


def _clause(cause: Obstacle | str, group: list[Node], asked: Amounts) -> str:
    if isinstance(cause, str):
        cause = _too_little(cause, max(node.free[cause] for node in group), asked)
    return f"{len(group)} {cause.one if len(group) == 1 else cause.many}"


def _too_little(name: str, most: int, asked: Amounts) -> Obstacle:
    if name == "pods":
        return Obstacle("has as many pods as it may", "have as many pods as they may")
    left, needed = spelled(name, max(0, most)), spelled(name, asked[name])
    return Obstacle(
        f"has too little {name} left ({left}, a pod needs {needed})",
        f"have too little {name} left (at most {left}, a pod needs {needed})",
    )
