"""Istio: shares of the traffic by revision <-> one VirtualService of ours. No client: both sides are values.

Istio takes the first rule that matches, so the cohort's rule stands before the one for everybody. It keeps its place
for a cohort while it is parked, as in a Gateway API route.

What a VirtualService says of itself is little. Where Istio reports (status `Reconciled`, off by default), its word for
this very generation counts. Elsewhere nobody confirms anything: what was read back is believed once LAG has passed
since it was written, and that is all that "confirmed" means there.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.schedule import read as read_time
from penstock.model.values import Cohort, Manifest, RouteSeen, Shares
from penstock.routing.rules import NOBODY, whole_cookie
from penstock.routing.service import GRPC_PORT, port_of

LAG = 10.0  # seconds; istiod gathers changes for at most so long, by its default, before it tells the proxies
MAIN, APART = "penstock", "penstock-cohort"


def make(traffic: Traffic, shares: Shares) -> Manifest:
    """The VirtualService's spec: who is treated apart, then the revisions' Services by weight, in the order given."""
    port = port_of(traffic)
    behind = [_destination(name, port) | {"weight": weight} for name, weight in shares.weights.items()]
    main: Manifest = {"name": MAIN, "match": [_path(traffic)], "route": behind}
    if shares.mirror:
        revision, percent = shares.mirror
        main |= {"mirror": _destination(revision, port)["destination"], "mirrorPercentage": {"value": percent}}
    apart = [_apart(traffic, shares.cohort, behind)] if shares.cohort else []
    return _spec(traffic, traffic.hostnames, [*apart, main])


def make_preview(traffic: Traffic, hostnames: Collection[str], revision: str) -> Manifest:
    """The spec of a second VirtualService: under these host names, all requests to one revision."""
    assert hostnames
    behind = [_destination(revision, port_of(traffic)) | {"weight": 100}]
    return _spec(traffic, hostnames, [{"name": MAIN, "match": [_path(traffic)], "route": behind}])


def _spec(traffic: Traffic, hostnames: Collection[str], rules: list[Manifest]) -> Manifest:
    assert traffic.istio
    return {"hosts": list(hostnames), "gateways": list(traffic.istio.gateways), "http": rules}


def _path(traffic: Traffic) -> Manifest:
    return {"uri": {"prefix": traffic.path}}


def _destination(revision: str, port: int) -> Manifest:
    # The short name of a Service is one of the VirtualService's own namespace, whatever the cluster calls its domain.
    return {"destination": {"host": revision, "port": {"number": port}}}


def _apart(traffic: Traffic, cohort: Cohort, main: list[Manifest]) -> Manifest:
    """Any of the matches is enough. A parked rule has the main rule's backends."""
    nobody = {"headers": {NOBODY["name"]: {"exact": NOBODY["value"]}}}
    own = [_destination(cohort.revision, port_of(traffic)) | {"weight": 100}]
    matches = [_path(traffic) | each for each in map(_asked, cohort.match)] or [_path(traffic) | nobody]
    return {"name": APART, "match": matches, "route": own if cohort.match else main}


def _asked(match: PlannedMatch) -> Manifest:
    """What a request must have beside the path."""
    if match.query:
        return {"queryParams": {match.query: {"exact": match.value}}}
    if match.header:
        return {"headers": {match.header.lower(): {"exact": match.value}}}
    assert match.cookie
    return {"headers": {"cookie": {"regex": whole_cookie(match.cookie, match.value)}}}


def backends(spec: Manifest) -> set[str]:
    """The Services that any rule leads to."""
    return {name for rule in spec["http"] for name in _weights(rule)}


def read(route: Mapping[str, Any]) -> RouteSeen:
    """Who gets which requests by the route's own words, and whether Istio has it as far as anybody can know."""
    rules = {rule.get("name"): rule for rule in (route.get("spec") or {}).get("http") or []}
    main, apart = rules.get(MAIN) or {}, rules.get(APART) or {}
    parked = any(NOBODY["name"] in (match.get("headers") or {}) for match in apart.get("match") or [])
    word = _reconciled(route)
    return RouteSeen(
        _weights(main),
        programmed=word is not False,
        cohort="" if parked else next(iter(_weights(apart)), ""),
        mirror=_copies(main),
        parked=parked,
        taken_at=_written_at(route) if word is None else None,
        settling=LAG,
    )


def traffic_of(spec: Mapping[str, Any]) -> Traffic:
    """How clients reach a route of ours, by its own words."""
    main: Manifest = next((rule for rule in spec.get("http") or [] if rule.get("name") == MAIN), {})
    path = ((main.get("match") or [{}])[0].get("uri") or {}).get("prefix", "/")
    ports = {(way["destination"].get("port") or {}).get("number") for way in main.get("route") or []}
    wish = {"istio": {"gateways": spec.get("gateways") or []}, "hostnames": spec.get("hosts") or [], "path": path}
    return Traffic.model_validate(wish | ({"protocol": "GRPC"} if ports == {GRPC_PORT} else {}))


def _weights(rule: Mapping[str, Any]) -> dict[str, int]:
    ways = rule.get("route") or []
    return {way["destination"]["host"]: way.get("weight", 100 if len(ways) == 1 else 0) for way in ways}


def _copies(rule: Mapping[str, Any]) -> tuple[str, int] | None:
    if not rule.get("mirror"):
        return None
    return rule["mirror"]["host"], round((rule.get("mirrorPercentage") or {}).get("value", 100))


def _reconciled(route: Mapping[str, Any]) -> bool | None:
    """What Istio says of this generation; None where it says nothing of it."""
    status = route.get("status") or {}
    said = next((c for c in status.get("conditions") or [] if c.get("type") == "Reconciled"), None)
    known: Any = (said or {}).get("observedGeneration", status.get("observedGeneration"))
    number = int(known) if re.fullmatch(r"\d+", str(known)) else -1
    if not said or number < route["metadata"].get("generation", 0):
        return None
    return bool(said.get("status") == "True")


def _written_at(route: Mapping[str, Any]) -> datetime | None:
    """When anybody last wrote anything but its status."""
    fields = (route.get("metadata") or {}).get("managedFields") or []
    return max((read_time(f["time"]) for f in fields if f.get("time") and not f.get("subresource")), default=None)
