"""What makes a model warm: the request that it has to answer before its pod counts as ready.

Shapes and cross-field rules only.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import Frozen, cel, rules, worded

_PATH = r"^/[-._~%/{}:?=&,A-Za-z0-9]*$"
_CONTENT_TYPE = r"^[A-Za-z0-9][-+.A-Za-z0-9]*/[A-Za-z0-9][-+.A-Za-z0-9]*(; ?[-_A-Za-z0-9]+=[-_.A-Za-z0-9]+)?$"
PORT = 7979


class WarmupRequest(StrEnum):
    """The request that the model has to answer."""

    OPEN_INFERENCE_V2 = "OpenInferenceV2"
    OPEN_AI = "OpenAI"
    CUSTOM = "Custom"
    NONE = "None"


class Method(StrEnum):
    """How it is sent."""

    POST = "POST"
    PUT = "PUT"
    GET = "GET"


class CustomRequest(Frozen):
    """An HTTP request to the server's port, sent inside the pod."""

    path: Annotated[
        str,
        StringConstraints(pattern=_PATH, max_length=512),
        worded(
            _PATH, "must start with /, for example /v1/models/{{model.name}}:predict; it is sent to the server's port"
        ),
    ]
    """Path to ask; {{model.name}} and {{model.version}} are filled in. Example: /v1/models/{{model.name}}:predict."""
    method: Method = Method.POST
    """POST, PUT or GET. Default: POST."""
    body: Annotated[str, StringConstraints(max_length=8192)] = ""
    """What is sent; {{model.name}} and {{model.version}} are filled in. Anybody who can see the pod can read it.
    Default: empty. Example: '{"instances": [[0, 0, 0, 0]]}'."""
    content_type: Annotated[
        str,
        StringConstraints(pattern=_CONTENT_TYPE, max_length=128),
        worded(_CONTENT_TYPE, "must be a media type such as application/json or text/plain; charset=utf-8"),
    ] = "application/json"
    """Media type of the body. Default: application/json."""
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """The HTTP status of a good answer. Default: any from 200 to 299."""


class Warmup(Frozen):
    """How a model is warmed: its pod is ready only once it has answered this request."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "(self.request == 'Custom') == has(self.custom)",
                "request: Custom and custom go together: give the request in custom, or choose another kind of request",
            )
        )
    )

    request: WarmupRequest
    """OpenInferenceV2: zeros, in the shapes that the model's own metadata name. OpenAI: one token. Custom: the request in
    `custom`. None: no warm-up. It is sent inside the pod, to 127.0.0.1."""
    custom: CustomRequest | None = None
    """The request for Custom. Default: none."""
    count: Annotated[int, Field(ge=1, le=100)] = 1
    """Good answers in a row that make the model warm. Default: 1."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """Seconds that these answers may take together once the model is warm; a first one may take longer, and is
    followed by another. Default: 10."""


class RuntimeWarmup(Warmup):
    """How models on this server are warmed."""

    port: Annotated[int, Field(ge=1024, le=65535)] = PORT
    """Port of the pod on which the warm-up container answers the kubelet; the server must not use it. Default: 7979."""
