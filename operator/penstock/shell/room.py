"""Looks at the room that a cluster has left: nodes, the pods on them, a namespace's quotas. Only when somebody asks.

Nothing is watched and nothing whole is kept: a page of pods becomes sums by node before the next one is fetched. One
look serves all who ask within some seconds, longer where it took long, and those who ask while it runs wait for it. So
a room may be that old, and two candidates that ask together see the same free place. What the operator may not list is
said in the room, in words; a server that does not answer is a fault like any other.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from penstock.core.demand import requests
from penstock.model.copying import replace
from penstock.model.faults import Rejected
from penstock.model.names import LABEL_REVISION
from penstock.model.quantity import amount
from penstock.model.room import Amounts, Node, Quota, Room, Scope, Taint
from penstock.shell.kube import Api, Object

KEPT = timedelta(seconds=15)
REST = 20  # times as long as a look took: however many pods there are, looks take a twentieth of the time
LONGEST = timedelta(minutes=2)
ON_NODES = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

# What node autoscalers leave on nodes: on each one that they made, or on one that they think of removing.
LABEL_OF_AUTOSCALER = "karpenter.sh/nodepool"
TAINTS_OF_AUTOSCALER = ("DeletionCandidateOfClusterAutoscaler", "ToBeDeletedByClusterAutoscaler")


@dataclass
class Census:
    """Pods, counted one by one: what they ask for by node, and how many are ours by namespace, revision and node."""

    taken: dict[str, dict[str, int]] = field(default_factory=dict)
    held: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)

    def count(self, live: Object) -> None:
        """Add one pod; an expired listing starts again and shows pods twice, which count once."""
        meta, node = live["metadata"], live["spec"]["nodeName"]
        if meta["uid"] in self.uids:
            return
        self.uids.add(meta["uid"])
        taken = self.taken.setdefault(node, {})
        for name, value in requests(live["spec"]).items():
            taken[name] = taken.get(name, 0) + value
        revision = (meta.get("labels") or {}).get(LABEL_REVISION)
        if revision:
            ours = self.held.setdefault(meta["namespace"], {}).setdefault(revision, {})
            ours[node] = ours.get(node, 0) + 1


@dataclass(frozen=True)
class Plant:
    """The part of a room that all namespaces share."""

    nodes: tuple[Node, ...] | None
    held: Mapping[str, Mapping[str, Mapping[str, int]]]
    unseen: str = ""


@dataclass(frozen=True)
class Look:
    """One look at the cluster, running or done."""

    at: datetime
    task: asyncio.Task[tuple[Any, timedelta]]  # what was seen, and how long that took

    def serves(self, now: datetime) -> bool:
        """True while it runs, and for a while after a good end."""
        if not self.task.done():
            return True
        if self.task.cancelled() or self.task.exception() is not None:
            return False
        _, took = self.task.result()
        return abs(now - self.at) < max(KEPT, min(REST * took, LONGEST))


class Rooms:
    """Rooms by namespace. `growable`: whether nodes are made on demand; None takes it from marks on the nodes."""

    def __init__(self, kube: Api, growable: bool | None = None) -> None:
        self._kube = kube
        self._growable = growable
        self._looks: dict[str, Look] = {}

    async def see(self, namespace: str, now: datetime) -> Room:
        """The room for one namespace, at most `KEPT` old, or `LONGEST` where it took long to see."""
        plant: Plant = await self._shared("", now, self._plant)
        quotas, unseen = await self._shared(namespace, now, lambda: self._quotas(namespace))
        grown = any(is_on_demand(node) for node in plant.nodes or ())
        return Room(
            nodes=plant.nodes,
            quotas=quotas,
            held=plant.held.get(namespace, {}),
            growable=grown if self._growable is None else self._growable,
            unseen="; ".join(filter(None, (plant.unseen, unseen))),
        )

    async def _shared(self, what: str, now: datetime, look: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._looks = {key: known for key, known in self._looks.items() if known.serves(now)}
        if what not in self._looks:
            self._looks[what] = Look(now, asyncio.create_task(_timed(look())))
        seen, _ = await asyncio.shield(self._looks[what].task)  # who stops waiting does not stop it for the others
        return seen

    async def _plant(self) -> Plant:
        nodes: dict[str, Node] = {}
        census = Census()
        try:
            async for page in self._kube.pages("Node"):
                nodes |= {live["metadata"]["name"]: read_node(live) for live in page}
            async for page in self._kube.pages("Pod", fields=ON_NODES):
                for live in page:
                    census.count(live)
        except Rejected as fault:
            return Plant(None, {}, _words("nodes and the pods on them", fault))
        left = (_occupied(node, census.taken.get(name, {})) for name, node in nodes.items())
        return Plant(tuple(left), census.held)

    async def _quotas(self, namespace: str) -> tuple[tuple[Quota, ...], str]:
        quotas: dict[str, Quota] = {}
        try:
            async for page in self._kube.pages("ResourceQuota", namespace):
                quotas |= {live["metadata"]["name"]: read_quota(live) for live in page}
        except Rejected as fault:
            return (), _words("quotas", fault)
        return tuple(quotas.values()), ""


async def _timed(look: Coroutine[Any, Any, Any]) -> tuple[Any, timedelta]:
    begin = asyncio.get_running_loop().time()
    return await look, timedelta(seconds=asyncio.get_running_loop().time() - begin)


def read_node(live: Object) -> Node:
    """A node with all that it can give still free; what it has none of is left out."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    given = {name: amount(text) for name, text in (status.get("allocatable") or {}).items()}
    return Node(
        name=live["metadata"]["name"],
        free={name: value for name, value in given.items() if value},
        labels=live["metadata"].get("labels") or {},
        taints=tuple(Taint(t["key"], t.get("value") or "", t["effect"]) for t in spec.get("taints") or []),
        cordoned=bool(spec.get("unschedulable")),
    )


def read_quota(live: Object) -> Quota:
    """A quota as the quota controller counts it; one that it has not seen yet limits nothing."""
    meta, spec, status = live["metadata"], live.get("spec") or {}, live.get("status") or {}
    used = status.get("used") or {}
    limits = {k: (amount(hard), amount(used.get(k, "0"))) for k, hard in (status.get("hard") or {}).items()}
    chosen = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    scopes = [Scope(name) for name in spec.get("scopes") or []]
    scopes += [Scope(e["scopeName"], e["operator"], tuple(e.get("values") or ())) for e in chosen]
    return Quota(f"{meta['namespace']}/{meta['name']}", limits, tuple(scopes))


def is_on_demand(node: Node) -> bool:
    """True where the node bears the mark of an autoscaler of nodes; without a mark there may still be one."""
    return LABEL_OF_AUTOSCALER in node.labels or any(taint.key in TAINTS_OF_AUTOSCALER for taint in node.taints)


def _occupied(node: Node, taken: Amounts) -> Node:
    return replace(node, free={name: value - taken.get(name, 0) for name, value in node.free.items()})


def _words(what: str, fault: Rejected) -> str:
    why = "the operator may not list them" if fault.reason == "ApiForbidden" else fault.message
    return f"{what} were not checked: {why}"
