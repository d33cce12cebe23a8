"""What a user writes about how clients reach the model.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import Frozen, HostName, Name, ObjectName, Period, cel, rules, worded
from penstock.api.payload import PayloadLog
from penstock.api.policy import Policy
from penstock.api.rollout import Token

_PATH = r"^/[-._~%!$&'()*+,;=:@/A-Za-z0-9]*$"

_ISTIO_GATEWAY = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"

IstioGateway = Annotated[
    str,
    StringConstraints(pattern=_ISTIO_GATEWAY, max_length=317),
    worded(
        _ISTIO_GATEWAY,
        "must be an Istio Gateway as name or namespace/name, for example istio-ingress/models; mesh is not offered, as it"
        " would change the traffic of everybody in the mesh",
        "self != 'mesh'",
    ),
]

RoutePath = Annotated[
    str,
    StringConstraints(pattern=_PATH, max_length=512),
    worded(
        _PATH,
        "must start with / and hold no empty, . or .. part, for example /v2/models/churn",
        "!self.matches('//|/[.][.]?(/|$)')",
    ),
]


ROUTED = {"hostnames": "host names", "path": "paths"}
OF_GATEWAY = {
    "sticky": "sets cookies for a part of the answers",
    "previewHeader": "has rules of its own for a header",
    "payloadLog": "tells of requests and answers",
}
KEPT_BY_GATEWAY = ("timeout", "retries", "rateLimit", "maxBody", "apiKey", "jwt", "tls")
CARRIERS = ("gateway", "route", "istio")  # of these at most one carries the shares
_BY_GATEWAY = "has(self.gateway) && (!has(self.protocol) || self.protocol == 'HTTP')"


class GatewayReference(Frozen):
    """A Gateway of the Gateway API; in another namespace its own listeners must allow the route."""

    name: ObjectName
    """Name of the Gateway. Example: models."""
    namespace: Name | None = None
    """Namespace of the Gateway. Default: the ModelDeployment's own."""
    section_name: ObjectName | None = None
    """Listener of the Gateway. Default: all that allow the route."""


class TrafficProtocol(StrEnum):
    """What clients speak."""

    HTTP = "HTTP"
    GRPC = "GRPC"


class NamedRules(Frozen):
    """Rules of a route that somebody else owns: Penstock sets their backends, and nothing else of the route."""

    name: ObjectName
    """Name of the HTTPRoute (with protocol: GRPC of the GRPCRoute), in the ModelDeployment's namespace; it must carry the label penstock.dev/name with the
    ModelDeployment's name. Example: churn-route."""
    rules: Annotated[
        list[ObjectName], Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})
    ]
    """Names of its rules whose backends are set. Example: [main]."""


class Istio(Frozen):
    """A VirtualService, where Istio's ingress gateways carry the traffic."""

    gateways: Annotated[
        list[IstioGateway], Field(min_length=1, max_length=8, json_schema_extra={"x-kubernetes-list-type": "set"})
    ]
    """Istio Gateways that it is bound to, as name or namespace/name. Which host names a namespace may bind is up to the
    Gateway's own `hosts`. Example: [istio-ingress/models]."""


class Sticky(Frozen):
    """Users keep the revision that they were given: they are drawn once in a rollout, and a cookie remembers it."""

    cookie: Token | None = None
    """Name of the cookie. Default: penstock-<namespace>-<name>. Example: variant."""
    max_age: Period = "24h"
    """How long a browser keeps it, from the draw on; whoever comes later is drawn anew. Default: 24h."""


class OnShareUnreachable(StrEnum):
    """What happens where the pods cannot give a step's exact share."""

    REFUSE = "Refuse"
    NEAREST = "Nearest"


class Traffic(Frozen):
    """How clients reach the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                cel(
                    f"!has(self.{field}) || {' || '.join(f'has(self.{name})' for name in CARRIERS)}",
                    f"{field} needs gateway: a plain Service has no {what}",
                )
                for field, what in ROUTED.items()
            ),
            *(
                cel(
                    f"!has(self.{field}) || {_BY_GATEWAY}",
                    f"{field} needs gateway, with protocol: HTTP: no other way to reach the model {what}; leave it out there",
                )
                for field, what in OF_GATEWAY.items()
            ),
            cel(
                f"!has(self.policy) || {_BY_GATEWAY} || !("
                + " || ".join(f"has(self.policy.{field})" for field in KEPT_BY_GATEWAY)
                + ")",
                "policy needs gateway, with protocol: HTTP: no other way to reach the model keeps any of it but clients",
            ),
            cel(
                "!has(self.policy) || !has(self.policy.tls) || has(self.hostnames) && size(self.hostnames) > 0",
                "policy.tls needs hostnames: a certificate is for names",
            ),
            *(
                cel(
                    f"!has(self.{field}) || !has(self.route)",
                    f"{field} goes with gateway; beside traffic.route leave it out: your own route has its {what}",
                )
                for field, what in ROUTED.items()
            ),
            cel(
                f"[{', '.join(f'has(self.{name})' for name in CARRIERS)}].filter(x, x).size() <= 1",
                f"give only one of {', '.join(CARRIERS)}: only one of them can carry the shares",
            ),
            cel(
                f"!has(self.protocol) || self.protocol != 'GRPC' || {' || '.join(f'has(self.{name})' for name in CARRIERS)}",
                "protocol: GRPC needs gateway, route or istio; without one the Service of the ModelDeployment's name answers gRPC"
                " on port 81 anyway",
            ),
            cel(
                "!has(self.istio) || has(self.hostnames) && size(self.hostnames) > 0",
                "istio needs hostnames: a VirtualService is for host names, for example hostnames: [churn.models.corp]",
            ),
            cel(
                "!has(self.protocol) || self.protocol != 'GRPC' || !has(self.path)",
                "path goes with protocol: HTTP: a gRPC request names its model in the message, so tell models apart by"
                " hostnames",
            ),
        )
    )

    gateway: GatewayReference | None = None
    """Gateway whose listeners carry the traffic. Default: no gateway, only the Service of the ModelDeployment's name."""
    route: NamedRules | None = None
    """Rules of a route of your own that carry the traffic, instead of a route that Penstock makes. Default: none."""
    istio: Istio | None = None
    """Istio Gateways that carry the traffic, by a VirtualService that Penstock makes. Default: none."""
    protocol: TrafficProtocol = TrafficProtocol.HTTP
    """What clients speak: HTTP; or GRPC, which goes to container.grpcPort, with gateway by a GRPCRoute. Default: HTTP."""
    hostnames: Annotated[list[HostName], Field(max_length=16)] = []
    """Host names that the route answers to. Default: every name of the listener. Example: [churn.models.corp]."""
    path: RoutePath = "/"
    """Path prefix that the route answers to, passed on unchanged. Default: /. Example: /v2/models/churn."""
    sticky: Sticky | None = None
    """In the weighted steps of a rollout, shares are of users, and each user keeps the revision that they were given.
    Default: shares are of requests. Example: {maxAge: 8h}."""
    preview_header: Token | None = None
    """Name of a header by which a request picks its revision: candidate, stable, or the name of one of the two.
    Default: none. Example: x-penstock-revision."""

    policy: Policy | None = None
    """Who may reach the model, how often, with how much, and for how long. Default: what the Gateway says for all."""
    on_share_unreachable: OnShareUnreachable = OnShareUnreachable.REFUSE
    """Without a gateway a share is k of n pods, so not every one can be had. Refuse: a rollout with a step whose exact
    weight the pods cannot give is not begun. Nearest: the step gets the nearest share that they can give, which the
    plan in status shows. Default: Refuse. With a gateway it means nothing."""
    payload_log: PayloadLog | None = None
    """A sample of requests and answers, whole, as CloudEvents to a sink of the administrator's. Default: none is kept."""

    @property
    def router(self) -> str:
        """Name of what carries the shares, as in `routing.ROUTERS`."""
        found = next((name for name in CARRIERS if getattr(self, name)), "service")
        return {"gateway": "grpc", "route": "grpcRoute"}.get(found, found) if self.speaks_grpc else found

    @property
    def speaks_grpc(self) -> bool:
        """True where requests go to the server's gRPC port."""
        return self.protocol is TrafficProtocol.GRPC
