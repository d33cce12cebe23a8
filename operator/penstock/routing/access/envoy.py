"""Envoy Gateway: traffic.policy as one SecurityPolicy and one BackendTrafficPolicy on an HTTPRoute of ours.

Both are merged into what the Gateway's owner says for all routes. Without that they would take its place: whoever may
write a ModelDeployment could then be rid of the owner's rules by asking for a longer timeout.
"""

from collections.abc import Mapping

from penstock.api.policy import ApiKey, Jwt, Policy, RateLimit, Retries
from penstock.model.platform import TokenIssuer
from penstock.model.values import Manifest

KEEPS = frozenset({"retries", "rateLimit", "maxBody", "apiKey", "jwt"})
EVERYBODY = ("0.0.0.0/0", "::/0")
# Of nobody: its private half was thrown away. Envoy refuses a listener whose key set has no key that it can read.
NOBODYS_KEYS = (
    '{"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "nobody",'
    ' "x": "JHCClpBMFav_hbH51AU-RGyZkfbtZ2KXpjnVbT3Bpo0", "y": "VrDNj6lDrBErzf_wlUZ-0nb8APB4biLP4ijfjJ2aDBo"}]}'
)


def make(policy: Policy, route: str, issuers: Mapping[str, TokenIssuer]) -> dict[str, Manifest]:
    """The specs by kind; none of a kind that has nothing to say."""
    kinds = {"SecurityPolicy": _security(policy, issuers), "BackendTrafficPolicy": _traffic(policy)}
    return {kind: _head(route) | spec for kind, spec in kinds.items() if spec}


def make_lock(policy: Policy, route: str) -> dict[str, Manifest]:
    """The specs by kind of what lets nobody in, and needs nothing that could go; none where everybody may come in."""
    keys = {"credentialRefs": [], "extractFrom": [{"headers": ["x-api-key"]}]}
    tokens = {
        "name": "nobody",
        "issuer": "https://lock.invalid",
        "localJWKS": {"type": "Inline", "inline": NOBODYS_KEYS},
    }
    shut: Manifest = {"apiKeyAuth": keys} if policy.api_key else {"jwt": {"providers": [tokens]}} if policy.jwt else {}
    return {"SecurityPolicy": _head(route) | shut} if shut else {}


def _head(route: str) -> Manifest:
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}
    return {"targetRefs": [target], "mergeType": "StrategicMerge"}


def _security(policy: Policy, issuers: Mapping[str, TokenIssuer]) -> Manifest:
    if policy.api_key:
        return {"apiKeyAuth": _api_key(policy.api_key)}
    return {"jwt": {"providers": [_provider(policy.jwt, issuers)]}} if policy.jwt else {}


def _api_key(wish: ApiKey) -> Manifest:
    """The key itself stays at the gateway."""
    made: Manifest = {
        "credentialRefs": [{"group": "", "kind": "Secret", "name": wish.secret.name}],
        "extractFrom": [{"headers": [wish.header]}],
        "sanitize": True,
    }
    return made | ({"forwardClientIDHeader": wish.client_header} if wish.client_header else {})


def _provider(wish: Jwt, issuers: Mapping[str, TokenIssuer]) -> Manifest:
    made: Manifest = {"name": "tokens"}
    if wish.provider:
        known = issuers[wish.provider]
        made |= {"issuer": known.issuer, "remoteJWKS": {"uri": known.jwks_uri}}
    else:
        assert wish.keys
        keys = {"group": "", "kind": "ConfigMap", "name": wish.keys.name}
        made |= {"issuer": wish.issuer, "localJWKS": {"type": "ValueRef", "valueRef": keys}}
    made |= {"audiences": wish.audiences} if wish.audiences else {}
    claims = [{"claim": each.claim, "header": each.header} for each in wish.claim_headers]
    return made | ({"claimToHeaders": claims} if claims else {})


def _traffic(policy: Policy) -> Manifest:
    made: Manifest = {}
    made |= {"retry": _retry(policy.retries)} if policy.retries else {}
    made |= {"rateLimit": {"local": {"rules": _limits(policy.rate_limit)}}} if policy.rate_limit else {}
    return made | ({"requestBuffer": {"limit": policy.max_body}} if policy.max_body else {})


def _retry(wish: Retries) -> Manifest:
    triggers = ["connect-failure", "refused-stream", "retriable-status-codes"]
    return {"numRetries": wish.attempts, "retryOn": {"triggers": triggers, "httpStatusCodes": wish.codes}}


def _limits(wish: RateLimit) -> list[Manifest]:
    """One bucket for each client; who does not say which client it is shares one with all the others that do not."""
    if wish.header:
        return [_limit(wish, {"headers": [{"type": "Distinct", "name": wish.header}]}), _limit(wish)]
    return [_limit(wish, {"sourceCIDR": {"type": "Distinct", "value": cidr}}) for cidr in EVERYBODY]


def _limit(wish: RateLimit, *clients: Manifest) -> Manifest:
    chosen = {"clientSelectors": list(clients)} if clients else {}
    return chosen | {"limit": {"requests": wish.requests, "unit": wish.per.value}}
