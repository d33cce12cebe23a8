"""A plain Service as the router of an object without a gateway: one revision gets everything.

No client, and no share below 100: a Service picks among pods and knows nothing of requests.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.names import LABEL_REVISION
from penstock.model.values import Manifest, RouteSeen

PORT = 80
GRPC_PORT = 81


def make(revision: str, offers: Mapping[str, int]) -> Manifest:
    """The Service's spec: the pods of one revision, at the ports where their server listens, by name."""
    ports: list[Manifest] = [{"name": "http", "port": PORT, "targetPort": offers["http"], "protocol": "TCP"}]
    if "grpc" in offers:  # without being told, a proxy would speak HTTP/1.1 to it
        h2c = {"appProtocol": "kubernetes.io/h2c"}
        ports.append({"name": "grpc", "port": GRPC_PORT, "targetPort": offers["grpc"], "protocol": "TCP"} | h2c)
    return {"selector": {LABEL_REVISION: revision}, "ports": ports}


def port_of(traffic: Traffic) -> int:
    """The port of a revision's Service that requests go to."""
    return GRPC_PORT if traffic.speaks_grpc else PORT


def kept(own: Manifest, before: Iterable[Manifest], offers: Mapping[str, int]) -> Manifest:
    """Our spec with the ports that the Service had: whoever knows it by another number must not notice.

    `offers` are the server's ports by name. A port that led to one of them, by name or number, still does; every other
    leads to where the server answers. It leads there by name, as the number may change from revision to revision.
    """
    ours = {port["port"]: port for port in own["ports"]}
    theirs = [port for port in before if port.get("protocol", "TCP") == "TCP"]
    taken = {port.get("name") for port in theirs if port["port"] not in ours}
    made = [ours[port["port"]] | _named(port) if port["port"] in ours else _led(port, offers) for port in theirs]
    for number, mine in ours.items():
        if not any(port["port"] == number for port in theirs):
            made.append(mine | ({"name": f"{mine['name']}-{number}"} if mine["name"] in taken else {}))
    return own | {"ports": made}


def _named(port: Manifest) -> Manifest:
    return {"name": port["name"]} if port.get("name") else {}


def _led(port: Manifest, offers: Mapping[str, int]) -> Manifest:
    target = port.get("targetPort", port["port"])
    name = port.get("name") or f"port-{port['port']}"
    to = next((offered for offered, number in offers.items() if target in (offered, number)), "http")
    return {"name": name, "port": port["port"], "targetPort": to, "protocol": "TCP"}


def read(live: Mapping[str, Any]) -> RouteSeen:
    """The revision that the Service selects gets everything.

    Nobody confirms a Service: the selector that was read back is all there is. What follows from it on the nodes takes
    a moment, so pods that leave must go on answering for a while.
    """
    selector = (live.get("spec") or {}).get("selector") or {}
    revision = selector.get(LABEL_REVISION)
    return RouteSeen({revision: 100} if revision else {}, programmed=True)
