"""What a user writes about scaling to zero, and what status tells of it. Shapes only; see `core.sleep`."""

from typing import Annotated

from pydantic import ConfigDict, Field

from penstock.api.fields import Count, Frozen, Period, ShortText, Time, Tolerant, cel, rules


class ScaleToZero(Frozen):
    """When a model falls asleep, and what becomes of the requests that wake it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.idleFor) || duration(self.idleFor) >= duration('1m')",
                "idleFor must be at least 1m: an autoscaler looks at half a minute every 15s",
                fieldPath=".idleFor",
            ),
        )
    )

    idle_for: Period = "10m"
    """How long nobody must ask for anything until the pods go. Default: 10m."""
    max_waiting: Annotated[int, Field(ge=1, le=10000)] = 200
    """Requests that are held at once while it wakes; more are answered 503. Default: 200."""
    wait_timeout: Period = "2m"
    """How long each is held; then it is answered 503. Default: 2m."""


class Sleep(Tolerant):
    """Whether the stable revision sleeps, and how long it took to wake."""

    revision: ShortText
    """The revision that sleeps, wakes or is idle."""
    idle_since: Time | None = None
    """Since when nobody has asked for anything."""
    asleep_since: Time | None = None
    """Since when it has no pods; absent while it is awake."""
    waking_since: Time | None = None
    """Since when it is woken; absent once a pod of it answers."""
    why: ShortText = ""
    """What woke it last."""
    wake_milliseconds: Count | None = None
    """From the last waking until a pod of it could be reached."""
