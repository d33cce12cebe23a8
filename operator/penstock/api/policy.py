"""What a user writes about who may reach the model, how often, with how much, and for how long.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import Duration, Frozen, Name, ObjectName, ShortText, cel, rules, worded
from penstock.api.serving import LocalReference

_HEADER = r"^[A-Za-z0-9][-A-Za-z0-9_]*$"
_BYTES = r"^[1-9][0-9]{0,8}([kM]|Ki|Mi)?$"
_ISSUER = r"^[!-~]+$"
_CLAIM = r"^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)*$"

HeaderName = Annotated[
    str,
    StringConstraints(pattern=_HEADER, max_length=64),
    worded(_HEADER, "must be the name of a header such as x-api-key: only letters, digits, - and _"),
]
Bytes = Annotated[
    str,
    StringConstraints(pattern=_BYTES, max_length=12),
    worded(_BYTES, "must be a size in whole bytes such as 512Ki or 10Mi"),
]


class Retries(Frozen):
    """When a request that failed is sent once more."""

    attempts: Annotated[int, Field(ge=1, le=10)]
    """Most further attempts at one request. Example: 2."""
    codes: Annotated[
        list[Annotated[int, Field(ge=500, le=599)]],
        Field(min_length=1, max_length=8, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = [502, 503, 504]
    """Status codes that are worth another attempt; a connection that fails always is. Default: [502, 503, 504]."""


class Unit(StrEnum):
    """How long a rate limit counts."""

    SECOND = "Second"
    MINUTE = "Minute"
    HOUR = "Hour"


class RateLimit(Frozen):
    """How often one client may ask; each proxy of the gateway counts for itself."""

    requests: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Requests of one client in each unit; what is above is answered with 429. Example: 100."""
    per: Unit = Unit.SECOND
    """Second, Minute or Hour. Default: Second."""
    header: HeaderName | None = None
    """Header whose value tells clients apart; all without it count as one. Default: the client's address. Example: x-client."""


class ApiKey(Frozen):
    """A key that every client must bring."""

    secret: LocalReference
    """Secret of the same namespace: one key for each client, under the client's name. Penstock never reads it."""
    header: HeaderName = "x-api-key"
    """Header that carries the key; the model does not get it. Default: x-api-key."""
    client_header: HeaderName | None = None
    """Header by which the model, and rateLimit.header, learn the client's name. Default: none. Example: x-client."""


class ClaimHeader(Frozen):
    """A claim of the token that the model gets as a header."""

    claim: Annotated[
        str,
        StringConstraints(pattern=_CLAIM, max_length=128),
        worded(_CLAIM, "must be the name of a claim such as sub or realm.team"),
    ]
    """Name of the claim, with dots where it is nested. Example: sub."""
    header: HeaderName
    """Header of the request to the model; what a client sends under this name is replaced. Example: x-user."""


class Jwt(Frozen):
    """A signed token (JSON Web Token) that every client must bring as `Authorization: Bearer`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.provider) ? !has(self.issuer) && !has(self.keys) : has(self.issuer) && has(self.keys)",
                "jwt needs either provider, which the administrator has set up, or issuer and keys, a ConfigMap with the"
                " issuer's key set",
            )
        )
    )

    provider: Name | None = None
    """Token issuer that the operator's configuration names, with the address of its keys. Default: issuer and keys. Example: corp."""
    issuer: Annotated[
        str | None,
        StringConstraints(pattern=_ISSUER, max_length=253),
        worded(_ISSUER, "must be the issuer as tokens spell it, without spaces, for example https://login.corp"),
    ] = None
    """What the claim iss must say. Default: the provider's. Example: https://login.corp."""
    keys: LocalReference | None = None
    """ConfigMap of the same namespace that holds the issuer's public keys (JWKS) under the key jwks. Default: the provider's."""
    audiences: Annotated[list[ShortText], Field(max_length=8)] = []
    """What the claim aud must name, any of them. Default: it is not looked at. Example: [churn]."""
    claim_headers: Annotated[list[ClaimHeader], Field(max_length=8)] = []
    """Claims that the model gets as headers. Default: none. Example: [{claim: sub, header: x-user}]."""


class IssuerKind(StrEnum):
    """Where cert-manager keeps an issuer."""

    ISSUER = "Issuer"
    CLUSTER_ISSUER = "ClusterIssuer"


class CertificateIssuer(Frozen):
    """Who signs the certificate: an issuer of cert-manager."""

    name: ObjectName
    """Name of the issuer. Example: corp-ca."""
    kind: IssuerKind = IssuerKind.ISSUER
    """Issuer, of the same namespace, or ClusterIssuer. Default: Issuer."""


class Tls(Frozen):
    """The certificate under which the gateway answers."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.secret) != has(self.issuer)",
                "tls needs either secret, which holds a certificate, or issuer, from which cert-manager gets one",
            )
        )
    )

    secret: LocalReference | None = None
    """Secret of type kubernetes.io/tls in the same namespace. Default: one that cert-manager fills, with issuer."""
    issuer: CertificateIssuer | None = None
    """Issuer of cert-manager from which a certificate is requested and renewed. Default: none, with secret."""


class Client(Frozen):
    """Pods that may reach the model's pods directly."""

    namespace: Name | None = None
    """Their namespace. Default: the ModelDeployment's own."""
    pod_labels: Annotated[dict[str, ShortText], Field(max_length=8)] = {}
    """Labels that they carry. Default: all pods of the namespace. Example: {app: shop}."""


class Policy(Frozen):
    """Who may reach the model, how often, with how much, and for how long."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.apiKey) || !has(self.jwt)",
                "give apiKey or jwt, not both: it would be open which of them lets a client in",
            )
        )
    )

    timeout: Duration | None = None
    """Longest time for one request with all its retries; then it is answered with 504. 0s: as long as it takes, for streams
    of tokens. Default: the gateway's (Envoy: 15s). Example: 30s."""
    retries: Retries | None = None
    """When a failed request is sent once more. Default: the gateway's. Example: {attempts: 2}."""
    rate_limit: RateLimit | None = None
    """How often one client may ask. Default: the gateway's. Example: {requests: 100, per: Minute}."""
    max_body: Bytes | None = None
    """Largest body of a request, in bytes; more is answered with 413. Each request is read whole before the model gets
    it, so not for streamed requests. Default: the gateway's. Example: 10Mi."""
    api_key: ApiKey | None = None
    """A key that every client must bring; else 401. Default: none. Example: {secret: {name: churn-keys}}."""
    jwt: Jwt | None = None
    """A token that every client must bring; else 401. Default: none. Example: {provider: corp, audiences: [churn]}."""
    tls: Tls | None = None
    """HTTPS under a certificate of the model's own, and no plain HTTP; needs a Gateway that allows ListenerSets.
    Default: the listeners of the Gateway. Example: {secret: {name: churn-tls}}."""
    clients: Annotated[list[Client], Field(max_length=16)] = []
    """Pods that may reach the model's pods directly, beside gateway and Prometheus; needs the operator's model network
    policies. Default: with a gateway none, else all pods of the namespace. Example: [{namespace: shop}]."""
