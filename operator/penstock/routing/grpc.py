"""Gateway API for gRPC: shares of the traffic by revision <-> one GRPCRoute of ours. No client: both sides are values.

A GRPCRoute has no path: a gRPC request names its model in the message, so all that comes under the host names is split.
What it says back is what an HTTPRoute says, so it is read as one.
"""

from collections.abc import Collection, Mapping
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.values import Cohort, Manifest, Shares
from penstock.routing import gateway, rules
from penstock.routing.service import GRPC_PORT


def make(traffic: Traffic, shares: Shares) -> Manifest:
    """The GRPCRoute's spec: the revisions' Services by weight, then who is treated apart, as in an HTTPRoute."""
    main = gateway.main_rule(shares, GRPC_PORT)
    cohort = shares.cohort
    apart = [_cohort_rule(cohort, main["backendRefs"])] if cohort else []
    return gateway.make_spec(traffic, traffic.hostnames, [main, *apart])


def _cohort_rule(cohort: Cohort, main: list[Manifest]) -> Manifest:
    """As in an HTTPRoute. But a gRPC request has no query: a cohort that was told by one before stays parked."""
    headers = [rules.header(each) for each in cohort.match if not each.query] or [rules.NOBODY]
    behind = [rules.backend(cohort.revision, 100, GRPC_PORT)] if cohort.match else main
    return {"matches": [{"headers": [each]} for each in headers], "backendRefs": behind}


def make_preview(traffic: Traffic, hostnames: Collection[str], revision: str) -> Manifest:
    """The spec of a second GRPCRoute: under these host names, all requests to one revision."""
    assert hostnames  # without one it would answer to every name that the listener has
    return gateway.make_spec(traffic, hostnames, [{"backendRefs": [rules.backend(revision, 100, GRPC_PORT)]}])


def traffic_of(spec: Mapping[str, Any]) -> Traffic:
    """How clients reach a route of ours, by its own words."""
    return Traffic.model_validate(gateway.wish_of(spec) | {"protocol": "GRPC"})
