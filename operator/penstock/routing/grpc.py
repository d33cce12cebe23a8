"""Gateway API for gRPC: shares of the traffic by revision <-> one GRPCRoute of ours. No client: both sides are values.

A GRPCRoute has no path: a gRPC request names its model in the message, so all that comes under the host names is split.
What it says back is what an HTTPRoute says, so it is read as one.
"""

from collections.abc import Collection, Mapping
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.values import Manifest, Shares
from penstock.routing import gateway
from penstock.routing.service import GRPC_PORT


def make(traffic: Traffic, shares: Shares) -> Manifest:
    """The GRPCRoute's spec: the revisions' Services by weight, then who is treated apart, as in an HTTPRoute."""
    main = gateway.main_rule(shares, GRPC_PORT)
    cohort = shares.cohort
    rules = [main]
    if cohort:
        behind = [gateway.backend(cohort.revision, 100, GRPC_PORT)] if cohort.match else main["backendRefs"]
        rules.append({"matches": gateway.cohort_matches(cohort), "backendRefs": behind})
    return gateway.make_spec(traffic, traffic.hostnames, rules)


def make_preview(traffic: Traffic, hostnames: Collection[str], revision: str) -> Manifest:
    """The spec of a second GRPCRoute: under these host names, all requests to one revision."""
    assert hostnames  # without one it would answer to every name that the listener has
    return gateway.make_spec(traffic, hostnames, [{"backendRefs": [gateway.backend(revision, 100, GRPC_PORT)]}])


def traffic_of(spec: Mapping[str, Any]) -> Traffic:
    """How clients reach a route of ours, by its own words."""
    return Traffic.model_validate(gateway.wish_of(spec) | {"protocol": "GRPC"})
