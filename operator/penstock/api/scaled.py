"""What status tells of an autoscaler. Shapes only; what is told is worked out in `core.scaled`."""

from typing import Annotated

from pydantic import Field

from penstock.api.fields import Count, ShortText, Time, Tolerant


class Resized(Tolerant):
    """A decision of the autoscaler."""

    at: Time
    """When it was seen."""
    revision: ShortText
    """Whose pods."""
    before: Count
    """Replicas before."""
    after: Count
    """Replicas wanted from then on."""
    why: ShortText = ""
    """The metric that asked for most, against its target for each replica; or the bound that decided."""


class Scaled(Tolerant):
    """What the stable revision's autoscaler wants, between which bounds, and what it decided lately."""

    revision: ShortText
    """The stable revision."""
    wanted: Count
    """Replicas that it wants now."""
    least: Count
    """Fewest that it may want now: of the spec, a schedule, a rollout or a fallback."""
    most: Count
    """Most that it may want now."""
    decisions: Annotated[list[Resized], Field(max_length=10)] = []
    """Its last decisions, latest last."""
