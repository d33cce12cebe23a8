"""Gateway API: weights by revision <-> one HTTPRoute of ours. No client: what is sent and what is seen are values."""

from collections.abc import Mapping
from typing import Any

from penstock.api.spec import Traffic
from penstock.model.values import Manifest, RouteSeen

PORT = 80


def make(traffic: Traffic, weights: Mapping[str, int]) -> Manifest:
    """The HTTPRoute's spec: one rule whose backends are the revisions' Services, in the order given."""
    ref = traffic.gateway
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": ref.name}
    parent |= {"namespace": ref.namespace} if ref.namespace else {}
    parent |= {"sectionName": ref.section_name} if ref.section_name else {}
    match = {"path": {"type": "PathPrefix", "value": traffic.path}}
    rule = {"matches": [match], "backendRefs": [_backend(name, weight) for name, weight in weights.items()]}
    spec: Manifest = {"parentRefs": [parent], "rules": [rule]}
    return spec | ({"hostnames": list(traffic.hostnames)} if traffic.hostnames else {})


def _backend(revision: str, weight: int) -> Manifest:
    return {"group": "", "kind": "Service", "name": revision, "port": PORT, "weight": weight}


def read(route: Mapping[str, Any]) -> RouteSeen:
    """The weights that stand in the route; whether every parent has taken them; and what a parent complains about."""
    rules = route.get("spec", {}).get("rules", [])
    weights = {ref["name"]: ref.get("weight", 1) for rule in rules for ref in rule.get("backendRefs", [])}
    answers = [_answer(route, ref) for ref in route["spec"].get("parentRefs", [])]
    trouble = next((a for a in answers if a), "")
    return RouteSeen(weights, programmed=all(a == "" for a in answers), message=trouble)


def _answer(route: Mapping[str, Any], ref: Mapping[str, Any]) -> str | None:
    """A parent's complaint; empty when it has taken the route; None while it has not answered this generation."""
    parents = (route.get("status") or {}).get("parents") or []
    mine = [p for p in parents if p["parentRef"].get("name") == ref["name"]]
    if not mine:
        where = f"{ref.get('namespace') or route['metadata']['namespace']}/{ref['name']}"
        return f"no controller has answered for Gateway {where}: does it exist, and does its class have a controller?"
    answers = [
        _condition(kind, mine[0], route["metadata"].get("generation", 0)) for kind in ("Accepted", "ResolvedRefs")
    ]
    return next((a for a in answers if a != ""), "")


def _condition(kind: str, parent: Mapping[str, Any], generation: int) -> str | None:
    found = next((c for c in parent.get("conditions") or [] if c["type"] == kind), None)
    if not found or found.get("observedGeneration", 0) < generation:
        return None
    if found["status"] == "True":
        return ""
    return f"the gateway says {kind} is {found['status']}: {found.get('reason')}: {found.get('message', '')[:300]}"
