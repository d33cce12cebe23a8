"""traffic.policy -> what keeps it: the route's own words where the Gateway API has them, else objects beside the route.

No client. Which objects there are depends on whose Gateway it is; that is a file and one line in `KEEPERS`. What an
implementation cannot keep is refused in words: a policy that is only written down would be a door that looks shut.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from penstock.api.policy import Policy
from penstock.model.platform import Implementation, Platform, TokenIssuer
from penstock.model.values import Manifest
from penstock.routing.access import envoy
from penstock.routing.access.answers import READERS

__all__ = ["KEEPERS", "NATIVE", "READERS", "Keeper", "dress", "refusal", "shut"]
Issuers = Mapping[str, TokenIssuer]
NOBODY: Issuers = {}
# The route itself says how long, a ListenerSet under which certificate, a NetworkPolicy who else: no extension needed.
NATIVE = frozenset({"timeout", "tls", "clients"})
SHUTTING = frozenset({"apiKey", "jwt"})  # what nobody may ever come past


@dataclass(frozen=True)
class Keeper:
    """What an implementation can keep beyond NATIVE: the kinds of its objects, and their specs for one route.

    And the specs of a lock that stays, for the route of that.
    """

    keeps: frozenset[str]
    make: Callable[[Policy, str, Issuers], dict[str, Manifest]]
    make_lock: Callable[[Policy, str], dict[str, Manifest]]


def _nothing(policy: Policy, route: str, issuers: Issuers = NOBODY) -> dict[str, Manifest]:
    return {}


KEEPERS = {
    Implementation.ENVOY_GATEWAY: Keeper(envoy.KEEPS, envoy.make, envoy.make_lock),
    # Istio checks tokens at a whole Gateway or in a sidecar that a pod may lack, and has no keys or limits for a route.
    Implementation.ISTIO: Keeper(frozenset(), _nothing, _nothing),
    Implementation.NONE: Keeper(frozenset(), _nothing, _nothing),
}


def refusal(policy: Policy, platform: Platform) -> str:
    """Why this cluster cannot keep the policy, with what would help; empty where it can."""
    return next(_refusals(policy, platform), "")


def _refusals(policy: Policy, platform: Platform) -> Iterator[str]:
    asked = policy.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    kept = NATIVE | KEEPERS[platform.gateway].keeps
    for name in sorted(set(asked) - kept):
        yield (
            f"traffic.policy.{name} needs Envoy Gateway; the operator is set up for gateway.implementation:"
            f" {platform.gateway}. Leave it out, or ask the administrator"
        )
    for name in [] if platform.locks else sorted(SHUTTING & kept & set(asked)):
        yield (
            f"traffic.policy.{name} needs a lock that stays at the Gateway, else there are moments in which everybody"
            " comes through; the operator has gateway.locks: false. Ask the administrator"
        )
    if policy.jwt and policy.jwt.provider and policy.jwt.provider not in platform.issuers:
        there = ", ".join(sorted(platform.issuers)) or "none"
        yield f"no token issuer {policy.jwt.provider}; the operator's gateway.tokenIssuers has: {there}"
    if policy.tls and policy.tls.issuer and not platform.certificates:
        yield "traffic.policy.tls.issuer needs cert-manager; the operator has gateway.certManager: false. Name a secret"
    if policy.clients and not platform.fence:
        yield (
            "traffic.policy.clients needs the operator's networkPolicy.models.enabled; without it every pod may reach"
            " the model's. Leave it out, or ask the administrator"
        )


def dress(spec: Manifest, policy: Policy, name: str) -> Manifest:
    """An HTTPRoute's spec with what the Gateway API itself can say: how long, and at whose listeners."""
    made = dict(spec)
    if policy.timeout:
        made["rules"] = [rule | {"timeouts": {"request": policy.timeout}} for rule in spec["rules"]]
    if policy.tls:
        made["parentRefs"] = [{"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": name}]
    return made


def shut(spec: Manifest) -> Manifest:
    """The same route with nobody behind it: it answers 500, and a gateway can say whether its policy holds."""
    return spec | {"rules": [{"matches": spec["rules"][0]["matches"], "backendRefs": []}]}
