"""The pods behind Deployments, one by one, for stories in which a Service selects among them.

A Deployment's numbers are the truth of a story; this makes pods that agree with them, as a ReplicaSet and a kubelet do.
A pod that ends is there for a while and says so. A pod that is replaced comes back under another name, without labels
of anybody's but its template's.
"""

import asyncio
from collections import defaultdict
from typing import Any

from penstock.model.names import LABEL_DOOR
from tests.fake.store import Store

Object = dict[str, Any]
GRACE = 1.0  # seconds between the word to end and the end


class Pods:
    """All pods of a cluster."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.made: dict[str, int] = defaultdict(int)
        store.subscribe(self._see)

    def of(self, revision: str) -> list[Object]:
        """Those that are there to stay, oldest first; to be read only."""
        found = (entry.live for ref, entry in self.store.entries.items() if ref[0] == "Pod")
        mine = (live for live in found if live["metadata"]["ownerReferences"][0]["name"] == revision)
        return [live for live in mine if not live["metadata"].get("deletionTimestamp")]

    def replace(self, revision: str, count: int) -> None:
        """So many pods are told to end, oldest first; others come for them, ready when the Deployment says so."""
        for live in self.of(revision)[:count]:
            self.store.delete("Pod", "ml", live["metadata"]["name"])
        self._agree(revision)

    def _see(self, change: str, live: Object) -> None:
        if live["kind"] == "Deployment" and change != "DELETED":
            asyncio.get_running_loop().call_soon(self._agree, live["metadata"]["name"])
        if live["kind"] == "Pod" and change == "MODIFIED" and live["metadata"].get("deletionTimestamp"):
            asyncio.get_running_loop().call_later(GRACE, self._end, live["metadata"]["name"])

    def _end(self, name: str) -> None:
        if ("Pod", "ml", name) in self.store.entries:
            self.store.edit(("Pod", "ml", name), lambda live: live["metadata"].pop("finalizers", None), "kubelet")

    def _agree(self, revision: str) -> None:
        """As many pods as the Deployment wants, and as many ready ones as it counts; those that serve stay ready."""
        entry = self.store.entries.get(("Deployment", "ml", revision))
        if not entry:
            return
        wanted, ready = entry.live["spec"].get("replicas", 1), entry.live.get("status", {}).get("readyReplicas", 0)
        alive = sorted(self.of(revision), key=lambda live: not is_ready(live))
        for live in alive[wanted:]:
            self.store.delete("Pod", "ml", live["metadata"]["name"])
        for _ in range(wanted - len(alive)):
            self._make(entry.live)
        for number, live in enumerate(sorted(self.of(revision), key=lambda live: not is_ready(live))):
            self._say(live, number < ready)

    def _make(self, owner: Object) -> None:
        name = owner["metadata"]["name"]
        self.made[name] += 1
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": owner["metadata"]["uid"]}
        meta = {
            "name": f"{name}-{self.made[name]:03d}",
            "namespace": "ml",
            "labels": owner["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [ref | {"controller": True}],
            "finalizers": ["tests/grace"],
        }
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "server"}]}}
        self.store.create(made, "replicaset")

    def _say(self, live: Object, ready: bool) -> None:
        said: Object = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        if LABEL_DOOR in live["metadata"]["labels"]:
            known = ((live.get("status") or {}).get("containerStatuses") or [{"started": False}])[0]
            said["containerStatuses"] = [known if known["started"] else door_container(ready)]
        if live.get("status") != said:
            ref = ("Pod", "ml", live["metadata"]["name"])
            self.store.edit(ref, lambda pod: pod.update(status=said), "kubelet")


def door_container(runs: bool, since: str = "2026-11-21T00:00:00Z") -> Object:
    """What the kubelet says of a door's container: it runs since then, or has not started, or has ended."""
    return {"name": "door", "started": runs, "state": {"running": {"startedAt": since}} if runs else {"waiting": {}}}


def is_ready(live: Object) -> bool:
    """As the kubelet says."""
    return any(c["status"] == "True" for c in live.get("status", {}).get("conditions", []))


def is_in(live: Object) -> bool:
    """By its label."""
    return bool(live["metadata"]["labels"].get("penstock.dev/rotation") == "in")
