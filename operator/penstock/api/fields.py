"""Field types shared by all resources: bounded strings, durations, percentages, list maps, CEL rules.

Only spellings live here. Nothing may decide, read a clock or talk to anything.
"""

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
PERCENT = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$"
PERIOD = r"^([0-9]{1,5}(h|m|s)){1,3}$"
FACTOR = r"^[0-9]{1,3}(\.[0-9]{1,3})?$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
IMAGE = (
    r"^[a-zA-Z0-9][-.a-zA-Z0-9]*(:[0-9]+)?(/[a-z0-9][-._a-z0-9]*)*"
    r"(:[A-Za-z0-9_][-._A-Za-z0-9]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
HOST = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
QUANTITY = r"^[0-9]+(\.[0-9]{1,3})?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"


def cel(rule: str, message: str, **extra: str) -> dict[str, str]:
    """One CEL rule as the API server evaluates it; `message` must name the fix."""
    return {"rule": rule, "message": message, **extra}


def rules(*each: dict[str, str]) -> dict[str, Any]:
    """Schema extra that carries CEL rules."""
    return {"x-kubernetes-validations": list(each)}


def worded(pattern: str, message: str, *also: str) -> Any:
    """Says in words what a pattern, and further rules, want: the API server's own message for a pattern is the pattern."""
    rule = " && ".join((f"self.matches(r'''{pattern}''')", *also))
    return Field(json_schema_extra=rules(cel(rule, message)))


Duration = Annotated[
    str,
    StringConstraints(pattern=DURATION, max_length=24),
    worded(DURATION, "must be a duration such as 15s, 2m, 1h30m or 300ms"),
]
Period = Annotated[
    str,
    StringConstraints(pattern=PERIOD, max_length=24),
    worded(
        PERIOD, "must be a duration of at least 1s, in whole seconds, such as 15s, 2m or 1h30m", "self.matches('[1-9]')"
    ),
]
Percent = Annotated[
    str,
    StringConstraints(pattern=PERCENT, max_length=8),
    worded(PERCENT, "must be a percentage such as 1% or 0.5%"),
]
Factor = Annotated[
    str,
    StringConstraints(pattern=FACTOR, max_length=7),
    worded(FACTOR, 'must be a factor of at least 1, in quotes, such as "1.25"', "double(self) >= 1.0"),
]
Name = Annotated[
    str,
    StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=63),
    worded(DNS_LABEL, "must be a lower-case name such as sklearn or team-a: only a-z, 0-9 and -"),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=DNS_NAME, min_length=1, max_length=253),
    worded(DNS_NAME, "must be the lower-case name of an object, such as team-a.models: only a-z, 0-9, - and ."),
]
HostName = Annotated[
    str,
    StringConstraints(pattern=HOST, min_length=1, max_length=253),
    worded(HOST, "must be a host name such as churn.models.corp: lower case, without scheme, port, path or *"),
]
Image = Annotated[
    str,
    StringConstraints(pattern=IMAGE, min_length=1, max_length=512),
    worded(IMAGE, "must be an image such as registry/repository:tag, without scheme, spaces or arguments"),
]
Count = Annotated[int, Field(ge=0)]
Percent100 = Annotated[int, Field(ge=0, le=100)]
Text = Annotated[str, StringConstraints(max_length=1024)]
ShortText = Annotated[str, StringConstraints(max_length=256)]
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(pattern=QUANTITY, max_length=24),
    # No regular expression in CEL here: the server takes the length of an int-or-string as unlimited and finds it too dear.
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY,
            **rules(cel("type(self) == int || isQuantity(self)", "must be a quantity such as 500m, 2 or 1Gi")),
        }
    ),
]
Time = Annotated[str, StringConstraints(max_length=32), Field(json_schema_extra={"format": "date-time"})]


def list_map(*keys: str) -> dict[str, Any]:
    """Schema extra of a list whose items are named by `keys`, so that several owners can apply parts of it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


@lru_cache(maxsize=1024)  # a decision asks a dozen times
def seconds(duration: str) -> float:
    """Length of a Gateway-API-style duration in seconds; `ValueError` for anything else."""
    if not re.match(DURATION, duration):
        raise ValueError(f"{duration!r} is not a duration such as 1h30m, 15s or 300ms")
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|h|m|s)", duration))


def span(duration: str) -> timedelta:
    """`seconds` as a timedelta."""
    return timedelta(seconds=seconds(duration))


def limit(text: str) -> float:
    """A limit as a number: `1%` is 0.01, `0.92` is itself."""
    return float(Decimal(text.rstrip("%")) / (100 if text.endswith("%") else 1))


class Frozen(BaseModel):
    """An immutable value with camelCase keys; unknown keys are refused, as the API server prunes them anyway."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Tolerant(Frozen):
    """A value that may come from a newer operator: unknown keys are dropped instead of refused."""

    model_config = ConfigDict(extra="ignore")
