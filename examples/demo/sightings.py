"""What the API showed, reduced to the few facts that the story is about. Pure: JSON in, frozen values out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COUNTS = re.compile(r"candidate \S+ \((\d+) of (\d+)\)")


@dataclass(frozen=True)
class Evidence:
    """One metric's numbers as the object's status gives them."""

    metric: str
    candidate: tuple[int, int]
    stable: tuple[int, int] | None
    verdict: str
    odds: str
    limit: str


@dataclass(frozen=True)
class Rejection:
    """A version that was taken off, and why."""

    version: str
    reason: str
    message: str

    @property
    def counts(self) -> tuple[int, int] | None:
        """Failed and all requests of the version that the verdict rests on."""
        found = COUNTS.search(self.message)
        return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True)
class Glance:
    """A ModelDeployment at one moment. Empty strings where there is nothing."""

    current: bool = False
    ready: bool = False
    reason: str = ""
    message: str = ""
    stable: str = ""
    stable_weight: int = 0
    candidate: str = ""
    candidate_weight: int = 0
    leaving: int = 0
    replicas: int = 0
    evidence: tuple[Evidence, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def rejection(self, version: str) -> Rejection | None:
        """Why `version` was taken off, if it was."""
        return next((each for each in reversed(self.rejected) if each.version == version), None)


def glance(seen: dict[str, Any]) -> Glance:
    """The facts of a ModelDeployment as the API gives it."""
    status = seen.get("status", {})
    stable, candidate = status.get("stable") or {}, status.get("candidate") or {}
    ready = _condition(status, "Ready")
    rejected = status.get("rejected", [])
    return Glance(
        current=status.get("observedGeneration") == seen["metadata"]["generation"],
        ready=ready.get("status") == "True",
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        stable=stable.get("version", ""),
        stable_weight=stable.get("weight", 0),
        candidate=candidate.get("version", ""),
        candidate_weight=candidate.get("weight", 0),
        leaving=len(status.get("leaving", [])),
        replicas=status.get("replicas", 0),
        evidence=tuple(_evidence(each) for each in candidate.get("evidence", [])),
        rejected=tuple(_rejection(each) for each in rejected),
        versions={each["revision"]: each.get("version", "") for each in (stable, candidate, *rejected) if each},
    )


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in status.get("conditions", []) if each["type"] == kind]
    return found[0] if found else {}


def _rejection(seen: dict[str, Any]) -> Rejection:
    return Rejection(seen.get("version", ""), seen["reason"], seen.get("message", ""))


def _evidence(seen: dict[str, Any]) -> Evidence:
    return Evidence(
        metric=seen["metric"],
        candidate=_side(seen.get("candidate", {})),
        stable=_side(seen["stable"]) if seen.get("stable") else None,
        verdict=seen.get("verdict", ""),
        odds=seen.get("odds", ""),
        limit=seen.get("limit", ""),
    )


def _side(seen: dict[str, Any]) -> tuple[int, int]:
    return seen.get("bad", 0), seen.get("total", 0)


def route_weights(seen: dict[str, Any]) -> dict[str, int]:
    """Weights by backend as an HTTPRoute wants them, in percent; backends without traffic are left out."""
    backends = [each for rule in seen["spec"].get("rules", []) for each in rule.get("backendRefs", [])]
    weights = {each["name"]: each.get("weight", 1) for each in backends if each.get("weight", 1) > 0}
    total = sum(weights.values())
    return {name: round(100 * weight / total) for name, weight in weights.items()}


@dataclass(frozen=True)
class Decision:
    """An Event that the operator wrote about the model."""

    warning: bool
    reason: str
    message: str


def decision(seen: dict[str, Any]) -> Decision | None:
    """The Event's words, if it is about a ModelDeployment."""
    if (seen.get("regarding") or {}).get("kind") != "ModelDeployment":
        return None
    return Decision(seen.get("type") == "Warning", seen.get("reason", ""), seen.get("note", ""))
