"""The EndpointSlice controller of the in-memory cluster: what each Service leads to, some time after it is so.

Pods are not objects there: the ready pods of a Deployment are a number in its status, as the kubelets would bring it
about. `tests/contract` holds the labels, the owner and the count to those of the real controller.
"""

import asyncio
from typing import Any

from .store import Store

Object = dict[str, Any]
SERVICE = "kubernetes.io/service-name"


class Endpoints:
    """Follows Services and Deployments; `lag` is how many seconds it takes."""

    def __init__(self, store: Store, lag: float = 0.0) -> None:
        self.store, self.lag = store, lag
        store.subscribe(self._see)

    def _see(self, _: str, live: Object) -> None:
        if live["kind"] in ("Service", "Deployment"):
            asyncio.get_running_loop().call_later(self.lag, self.follow, live["metadata"].get("namespace"))

    def follow(self, namespace: str | None) -> None:
        """Write down what the Services of a namespace lead to now."""
        for service in self.store.list("Service", namespace):
            wanted = _slice(service, self._ready(service))
            known = self.store.get("EndpointSlice", namespace, wanted["metadata"]["name"])
            if not known or (known["endpoints"], known["metadata"]["labels"]) != _said(wanted):
                self.store.apply(wanted, "endpointslice-controller")

    def _ready(self, service: Object) -> int:
        selector = (service.get("spec") or {}).get("selector") or {}
        pods = self.store.list("Deployment", service["metadata"].get("namespace")) if selector else []
        return sum(
            live.get("status", {}).get("readyReplicas", 0)
            for live in pods
            if selector.items() <= (live["spec"]["template"]["metadata"].get("labels") or {}).items()
        )


def _said(wanted: Object) -> tuple[Object, Object]:
    return wanted["endpoints"], wanted["metadata"]["labels"]


def _slice(service: Object, ready: int) -> Object:
    meta = service["metadata"]
    labels = {**(meta.get("labels") or {}), SERVICE: meta["name"]}
    labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"]}
    owner |= {"controller": True, "blockOwnerDeletion": True}
    conditions = {"ready": True, "serving": True, "terminating": False}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-slice",
            "namespace": meta.get("namespace"),
            "labels": labels,
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [f"10.0.0.{n}"], "conditions": conditions} for n in range(1, ready + 1)],
    }
