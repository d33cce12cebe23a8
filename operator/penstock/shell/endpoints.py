"""EndpointSlices -> how many pods each revision's Service really leads to.

A pod that says it is ready gets requests only once its Service lists it: proxies and gateways read slices, not pods.
Of a slice, which holds an address for each pod, only a number is kept.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LABEL_SERVICE = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Ready endpoints in one slice of a Service, all of one family of addresses."""

    service: str
    family: str
    ready: int


def read(live: dict[str, Any]) -> Endpoints:
    """The slice in numbers. An endpoint that does not say whether it is ready counts as ready, as the API asks for."""
    labels = live["metadata"].get("labels") or {}
    ready = sum(_answers(each.get("conditions") or {}) for each in live.get("endpoints") or [])
    return Endpoints(labels.get(LABEL_SERVICE, ""), live.get("addressType", ""), ready)


def _answers(conditions: dict[str, Any]) -> bool:
    return conditions.get("ready") is not False and not conditions.get("terminating")


def reached(slices: Iterable[Endpoints]) -> dict[str, int]:
    """Ready endpoints by Service. With two families of addresses a pod is listed twice, or in one of them alone."""
    families: Counter[tuple[str, str]] = Counter()
    for each in slices:
        families[each.service, each.family] += each.ready
    found: dict[str, int] = {}
    for (service, _), ready in families.items():
        found[service] = max(ready, found.get(service, 0))
    return found
