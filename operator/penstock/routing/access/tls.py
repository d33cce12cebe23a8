"""HTTPS with a certificate of the model's own: a ListenerSet under the Gateway, and a Certificate of cert-manager.

The Gateway's owner consents by `allowedListeners`; the private key stays in a Secret that only the gateway reads.
"""

from collections.abc import Collection

from penstock.api.policy import Tls
from penstock.api.traffic import GatewayReference
from penstock.model.values import Manifest

PORT = 443


def make_listeners(gateway: GatewayReference, hostnames: Collection[str], secret: str) -> Manifest:
    """The ListenerSet's spec: one listener for each name, for routes of the same namespace only."""
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name}
    parent |= {"namespace": gateway.namespace} if gateway.namespace else {}
    return {"parentRef": parent, "listeners": [_listener(n, host, secret) for n, host in enumerate(hostnames)]}


def _listener(number: int, hostname: str, secret: str) -> Manifest:
    return {
        "name": f"https-{number}",
        "hostname": hostname,
        "protocol": "HTTPS",
        "port": PORT,
        "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": secret}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }


def make_certificate(wish: Tls, hostnames: Collection[str], secret: str) -> Manifest:
    """The spec of a Certificate that cert-manager keeps in this Secret."""
    assert wish.issuer
    issuer = {"group": "cert-manager.io", "kind": wish.issuer.kind.value, "name": wish.issuer.name}
    return {"secretName": secret, "dnsNames": list(hostnames), "issuerRef": issuer}


def secret_of(wish: Tls, name: str) -> str:
    """The Secret that holds the certificate."""
    return wish.secret.name if wish.secret else f"{name}-tls"
