"""A NetworkPolicy around the pods of one ModelDeployment: only the gateway, Prometheus and who was named come in.

Where the cluster's network enforces none, it is only written down. Probes of the kubelet come from the node, which
networks let through.
"""

from collections.abc import Sequence

from penstock.api.policy import Client
from penstock.model.names import LABEL_NAME
from penstock.model.platform import Fence
from penstock.model.values import Manifest


def make(name: str, fence: Fence, clients: Sequence[Client], routed: bool) -> Manifest:
    """The spec. Without a gateway, and with nobody named, all pods of the namespace: somebody must come in."""
    mine = {"matchLabels": {LABEL_NAME: name}}
    named = [_peer(each) for each in clients] or ([] if routed else [{"podSelector": {}}])
    gateway = [dict(each) for each in fence.gateway] if routed else []
    peers = [{"podSelector": mine}, *gateway, *(dict(each) for each in fence.prometheus), *named]
    return {"podSelector": mine, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}


def _peer(client: Client) -> Manifest:
    pods: Manifest = {"podSelector": {"matchLabels": client.pod_labels} if client.pod_labels else {}}
    if not client.namespace:
        return pods
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": client.namespace}}, **pods}
