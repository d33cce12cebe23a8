"""How fast replicas follow, as in a HorizontalPodAutoscaler (autoscaling/v2). Shapes only; defaults are in `scaling.hpa`."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from penstock.api.fields import Frozen, cel, rules


class PolicyType(StrEnum):
    """What a policy counts in."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies counts; Disabled: no change in this direction."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class ScalingPolicy(Frozen):
    """The largest change within a period."""

    type: PolicyType
    """Pods, or Percent of those that there are."""
    value: Annotated[int, Field(ge=1, le=1000)]
    """How many. Example: 10."""
    period_seconds: Annotated[int, Field(ge=1, le=1800)]
    """Within which time. Example: 60."""


class ScalingRules(Frozen):
    """One direction."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.selectPolicy) && self.selectPolicy == 'Disabled' ? !has(self.policies) : true",
                "selectPolicy: Disabled has no policies: it allows no change in this direction",
            )
        )
    )

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """For so long the most cautious wish counts. Default: as Kubernetes has it, 0 up and 300 down."""
    select_policy: SelectPolicy | None = None
    """Which policy counts where several allow something else. Default: Max."""
    policies: Annotated[list[ScalingPolicy], Field(min_length=1, max_length=4)] | None = None
    """How much may change in which time. Default: as Kubernetes has it."""


class Behavior(Frozen):
    """How fast replicas follow what the metrics ask for; a direction that is left out has Penstock's own default."""

    scale_up: ScalingRules | None = None
    """Default: at once, at most doubled or four pods within 15 s, whichever is more."""
    scale_down: ScalingRules | None = None
    """Default: when five minutes agree, a tenth or one pod a minute, because a model takes long to load."""
