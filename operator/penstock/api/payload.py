"""What a user writes about requests and answers that are to be kept: how many, and in which of the offered sinks.

Shapes only. Where a sink is, the administrator says; a user can name no address.
"""

from typing import Annotated

from pydantic import Field

from penstock.api.fields import Frozen, Name


class PayloadLog(Frozen):
    """A sample of requests, whole and with their answers, as CloudEvents to a sink of the administrator's."""

    sink: Name
    """Sink of the operator's configuration. It gets what clients send and what they are answered. Example: lake."""
    percent: Annotated[int, Field(ge=1, le=100)] = 1
    """Percent of the requests that are sent, each with its answer. Default: 1."""
