"""A plain Service as the router of an object without a gateway.

It selects one revision, which gets everything, and needs nobody to go on like that; or, while a share is tried, the
pods in rotation, whatever their revision (`rotation`). No client: what it leads to is read from its own words.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.names import IN, LABEL_COMPONENT, LABEL_DOOR, LABEL_NAME, LABEL_REVISION, LABEL_ROTATION
from penstock.model.values import Manifest, RouteSeen

PORT = 80
GRPC_PORT = 81
NOBODY = "nobody"


def port_of(traffic: Traffic) -> int:
    """The port of a revision's Service that requests go to."""
    return GRPC_PORT if traffic.speaks_grpc else PORT


def make(revision: str, offers: Mapping[str, int], asleep: bool = False) -> Manifest:
    """The Service's spec: the pods of one revision, at the ports where their server listens, by name.

    Of one that sleeps its door, whose pods are not ready while somebody waits there, and answer nevertheless.
    """
    if asleep:
        return {"selector": {LABEL_DOOR: revision}, "ports": _ports(offers), "publishNotReadyAddresses": True}
    return {"selector": {LABEL_REVISION: revision}, "ports": _ports(offers)}


def shut(spec: Manifest) -> Manifest:
    """The same Service with nobody behind it: no pod is a component of this name."""
    return spec | {"selector": spec["selector"] | {LABEL_COMPONENT: NOBODY}}


def is_shut(spec: Manifest) -> bool:
    """Whether nobody is behind a Service by its own word."""
    return bool((spec.get("selector") or {}).get(LABEL_COMPONENT) == NOBODY)


def make_rotating(owner: str, offers: Mapping[str, int]) -> Manifest:
    """The Service's spec: the pods in rotation. By the ports' names, as a number may differ between revisions."""
    return {"selector": {LABEL_NAME: owner, LABEL_ROTATION: IN}, "ports": _ports({name: name for name in offers})}


def _ports(targets: Mapping[str, int | str]) -> list[Manifest]:
    made: list[Manifest] = [{"name": "http", "port": PORT, "targetPort": targets["http"], "protocol": "TCP"}]
    if "grpc" in targets:  # without being told, a proxy would speak HTTP/1.1 to it
        h2c = {"appProtocol": "kubernetes.io/h2c"}
        made.append({"name": "grpc", "port": GRPC_PORT, "targetPort": targets["grpc"], "protocol": "TCP"} | h2c)
    return made


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
    """The revision that the Service selects gets everything; who the pods in rotation are, it does not say itself.

    Nobody confirms a Service: the selector that was read back is all there is. What follows from it on the nodes takes
    a moment, so pods that leave must go on answering for a while.
    """
    selector = (live.get("spec") or {}).get("selector") or {}
    revision = selector.get(LABEL_REVISION) or selector.get(LABEL_DOOR)
    rotating = selector.get(LABEL_ROTATION) == IN
    return RouteSeen({revision: 100} if revision and not rotating else {}, programmed=True, rotating=rotating)
