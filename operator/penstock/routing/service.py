"""A plain Service as the router of an object without a gateway: one revision gets everything.

No client, and no share below 100: a Service picks among pods and knows nothing of requests.
"""

from collections.abc import Mapping
from typing import Any

from penstock.model.names import LABEL_REVISION
from penstock.model.values import Manifest, RouteSeen

PORT = 80


def make(port: int, revision: str) -> Manifest:
    """The Service's spec: the pods of one revision, at the port where their server listens."""
    ports = [{"name": "http", "port": PORT, "targetPort": port, "protocol": "TCP"}]
    return {"selector": {LABEL_REVISION: revision}, "ports": ports}


def read(live: Mapping[str, Any]) -> RouteSeen:
    """The revision that the Service selects gets everything.

    Nobody confirms a Service: the selector that was read back is all there is. What follows from it on the nodes takes
    a moment, so pods that leave must go on answering for a while.
    """
    selector = (live.get("spec") or {}).get("selector") or {}
    revision = selector.get(LABEL_REVISION)
    return RouteSeen({revision: 100} if revision else {}, programmed=True)
