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

RoutePath = Annotated[
    str,
    StringConstraints(pattern=_PATH, max_length=512),
    worded(
        _PATH,
        "must start with / and hold no empty, . or .. part, for example /v2/models/churn",
        "!self.matches('//|/[.][.]?(/|$)')",
    ),
]


ROUTED = {
    "hostnames": "host names",
    "path": "paths",
    "sticky": "cookies",
    "previewHeader": "headers to tell requests apart",
    "payloadLog": "payload log",
}
KEPT_BY_GATEWAY = ("timeout", "retries", "rateLimit", "maxBody", "apiKey", "jwt", "tls")


class GatewayReference(Frozen):
    """A Gateway of the Gateway API; in another namespace its own listeners must allow the route."""

    name: ObjectName
    """Name of the Gateway. Example: models."""
    namespace: Name | None = None
    """Namespace of the Gateway. Default: the ModelDeployment's own."""
    section_name: ObjectName | None = None
    """Listener of the Gateway. Default: all that allow the route."""


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
                cel(f"!has(self.{field}) || has(self.gateway)", f"{field} needs gateway: a plain Service has no {what}")
                for field, what in ROUTED.items()
            ),
            cel(
                "!has(self.policy) || has(self.gateway) || !("
                + " || ".join(f"has(self.policy.{field})" for field in KEPT_BY_GATEWAY)
                + ")",
                "policy needs gateway: a plain Service keeps none of it but clients",
            ),
            cel(
                "!has(self.policy) || !has(self.policy.tls) || has(self.hostnames) && size(self.hostnames) > 0",
                "policy.tls needs hostnames: a certificate is for names",
            ),
        )
    )

    gateway: GatewayReference | None = None
    """Gateway whose listeners carry the traffic. Default: no gateway, only the Service of the ModelDeployment's name."""
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
        return "gateway" if self.gateway else "service"
