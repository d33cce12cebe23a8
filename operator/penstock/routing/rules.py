"""The small parts that every rule of a Gateway API route is put together from. Builders only: no rule is known here."""

import re
from collections.abc import Mapping
from typing import Any

from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.values import Manifest
from penstock.routing.service import PORT

NOBODY = {"type": "Exact", "name": "x-penstock-cohort", "value": "nobody"}


def path(traffic: Traffic) -> Manifest:
    """The match of every rule; whoever is told apart is so beside it."""
    return {"path": {"type": "PathPrefix", "value": traffic.path}}


def parked(traffic: Traffic) -> list[Manifest]:
    """The matches of a rule to which nobody belongs."""
    return [path(traffic) | {"headers": [NOBODY]}]


def backend(revision: str, weight: int, port: int = PORT) -> Manifest:
    """A share of the requests for a revision."""
    return service(revision, port) | {"weight": weight}


def service(revision: str, port: int = PORT) -> Manifest:
    """A revision's Service."""
    return {"group": "", "kind": "Service", "name": revision, "port": port}


def exactly(name: str, value: str) -> Manifest:
    """A header, or a parameter of the query, with exactly this value."""
    return {"type": "Exact", "name": name, "value": value}


def header(match: PlannedMatch) -> Manifest:
    """The header that a request of a cohort must have: one of its own, or its cookie's."""
    if match.header:
        return exactly(match.header, match.value)
    assert match.cookie
    return cookie(match.cookie, match.value)


def cookie(name: str, *values: str) -> Manifest:
    """The one header that carries all cookies has this one, with one of these values."""
    return {"type": "RegularExpression", "name": "Cookie", "value": whole_cookie(name, *values)}


def whole_cookie(name: str, *values: str) -> str:
    """A pattern for the header of all cookies: this cookie is among them, with exactly one of these values.

    Some gateways look for a pattern anywhere in the header, so it says itself that it wants all of it.
    """
    any_of = "|".join(map(re.escape, values))
    wanted = any_of if len(values) == 1 else f"({any_of})"
    return rf"^(.*;)?[ \t]*{re.escape(name)}={wanted}[ \t]*(;.*)?$"


def headers(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All headers that a rule asks for."""
    return [header for match in rule.get("matches") or [] for header in match.get("headers") or []]


def is_parked(rule: Mapping[str, Any]) -> bool:
    """True where nobody belongs to a rule."""
    asked = headers(rule)
    return bool(asked) and all(header["name"] == NOBODY["name"] for header in asked)


def weights(rule: Mapping[str, Any]) -> dict[str, int]:
    """The shares of a rule by revision; one that stands there twice has both."""
    made: dict[str, int] = {}
    for ref in rule.get("backendRefs") or []:
        made[ref["name"]] = made.get(ref["name"], 0) + ref.get("weight", 1)
    return made
