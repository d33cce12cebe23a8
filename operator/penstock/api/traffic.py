"""What a user writes about how clients reach the model.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import Frozen, HostName, Name, ObjectName, cel, rules, worded
from penstock.api.payload import PayloadLog

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


ROUTED = {"hostnames": "host names", "path": "paths", "payloadLog": "payload log"}


class GatewayReference(Frozen):
    """A Gateway of the Gateway API; in another namespace its own listeners must allow the route."""

    name: ObjectName
    """Name of the Gateway. Example: models."""
    namespace: Name | None = None
    """Namespace of the Gateway. Default: the ModelDeployment's own."""
    section_name: ObjectName | None = None
    """Listener of the Gateway. Default: all that allow the route."""


class Traffic(Frozen):
    """How clients reach the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                cel(f"!has(self.{field}) || has(self.gateway)", f"{field} needs gateway: a plain Service has no {what}")
                for field, what in ROUTED.items()
            )
        )
    )

    gateway: GatewayReference | None = None
    """Gateway whose listeners carry the traffic. Default: no gateway, only the Service of the ModelDeployment's name."""
    hostnames: Annotated[list[HostName], Field(max_length=16)] = []
    """Host names that the route answers to. Default: every name of the listener. Example: [churn.models.corp]."""
    path: RoutePath = "/"
    """Path prefix that the route answers to, passed on unchanged. Default: /. Example: /v2/models/churn."""
    payload_log: PayloadLog | None = None
    """A sample of requests and answers, whole, as CloudEvents to a sink of the administrator's. Default: none is kept."""

    @property
    def router(self) -> str:
        """Name of what carries the shares, as in `routing.ROUTERS`."""
        return "gateway" if self.gateway else "service"
