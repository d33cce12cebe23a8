"""Observed facts as the Kubernetes API conventions spell them, and what a share was seen to be. Shapes only."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from penstock.api.fields import Count, ShortText, Text, Time, Tolerant


class ConditionStatus(StrEnum):
    """Truth of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Tolerant):
    """One observed fact, as in the Kubernetes API conventions."""

    type: Annotated[ShortText, Field(json_schema_extra={"minLength": 1})]
    """Ready, Available, Reconciling or Stalled, the last two only while they are True; TrafficVerified in a rollout."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: ShortText
    """One of the documented reasons."""
    message: Text = ""
    """A sentence for the person on call, with the numbers or the fix in it."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """metadata.generation that this speaks of."""
    last_transition_time: Time
    """When `status` last changed."""


class SeenShare(Tolerant):
    """Requests of both revisions since the gateway confirmed the candidate's share."""

    since: Time | None = None
    """From when on requests count; absent while the gateway does not confirm the share."""
    looked_at: Time | None = None
    """End of the last window whose requests are counted here."""
    candidate: Count = 0
    """Requests of the candidate."""
    stable: Count = 0
    """Requests of the stable revision."""
    candidate_edge: Count = 0
    """Most requests of the candidate in one look; for the operator: scrapes of two revisions are that far apart."""
    stable_edge: Count = 0
    """Most requests of the stable revision in one look; for the operator."""
    range: ShortText = ""
    """Where the true share lies (a 99 % confidence sequence), and of how many requests."""
    verified: ConditionStatus = ConditionStatus.UNKNOWN
    """Whether the wanted share lies there; Unknown until that can be told."""
