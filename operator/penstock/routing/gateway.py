"""Gateway API: shares of the traffic by revision <-> one HTTPRoute of ours. No client: both sides are values.

The main rule splits all requests by weight, and may copy some. The cohort's rule asks for a header, or a parameter of
the query, beside the path; a gateway prefers it for that, wherever it stands. Users who keep their revision have rules
of their own (`sticky`). Two things are due to how gateways carry a route into their proxies:

- It stands last. What is programmed is named by a rule's place: in front it would push the main rule to another name,
  and for a moment everybody would get the candidate.
- It comes before its cohort and goes after it. A rule is matched before its backends are known to the proxy, and still
  when they are forgotten, so whoever belongs to it at that moment gets a 503. While it is parked nobody does.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.copying import replace
from penstock.model.schedule import read as read_time
from penstock.model.values import Cohort, Manifest, RouteSeen, Shares
from penstock.routing import rules, sticky
from penstock.routing.service import PORT

ANY_COOKIE = {"type": "RegularExpression", "name": "Cookie", "value": ".*"}


def make(traffic: Traffic, shares: Shares) -> Manifest:
    """The HTTPRoute's spec: the revisions' Services by weight, in the order given, then who is treated apart."""
    lasts = shares.sticky is not None and shares.sticky.revision != ""
    weights = sticky.way_back(shares.weights, shares.sticky) if shares.sticky and lasts else shares.weights
    everybody = [rules.path(traffic)]
    main = {"matches": rules.parked(traffic) if lasts else everybody, **main_rule(replace(shares, weights=weights))}
    apart = [_cohort_rule(traffic, shares.cohort, main["backendRefs"])] if shares.cohort else []
    drawn = sticky.make(traffic, shares.sticky, shares.weights) if shares.sticky else []
    return make_spec(traffic, traffic.hostnames, [main, *apart, *drawn])


def main_rule(shares: Shares, port: int = PORT) -> Manifest:
    """Of the rule for everybody what is the same in every kind of route: copies and backends."""
    copies = {"filters": [_mirror(port, *shares.mirror)]} if shares.mirror else {}
    return {**copies, "backendRefs": [rules.backend(name, weight, port) for name, weight in shares.weights.items()]}


def make_preview(traffic: Traffic, hostnames: Collection[str], revision: str) -> Manifest:
    """The spec of a second HTTPRoute: under these host names, all requests to one revision."""
    assert hostnames  # without one it would answer to every name that the listener has
    everybody = {"matches": [rules.path(traffic)], "backendRefs": [rules.backend(revision, 100)]}
    return make_spec(traffic, hostnames, [everybody])


def make_named(traffic: Traffic, named: Mapping[str, Collection[str]]) -> Manifest:
    """The spec of another HTTPRoute: requests that name a revision in a header reach it, whatever the shares say.

    Where several rules fit, more headers win: beside a cookie it asks for the cookie's header too, whatever is in it.
    It is a route of its own, so that coming and going it moves no rule of the one that everybody depends on.
    """
    assert traffic.preview_header
    made = []
    for revision, words in named.items():
        headers = [rules.exactly(traffic.preview_header, word) for word in words]
        matches = [rules.path(traffic) | {"headers": more} for each in headers for more in ([each], [each, ANY_COOKIE])]
        made.append({"matches": matches, "backendRefs": [rules.backend(revision, 100)]})
    return make_spec(traffic, traffic.hostnames, made)


def make_nobodys(traffic: Traffic, filters: list[Manifest], behind: Manifest) -> Manifest:
    """The spec of a route that nobody takes: what it names is known to the gateway's proxies, and that is its use."""
    match = rules.path(traffic) | {"headers": [rules.NOBODY]}
    return make_spec(traffic, traffic.hostnames, [{"matches": [match], "filters": filters, "backendRefs": [behind]}])


def make_spec(traffic: Traffic, hostnames: Collection[str], all_rules: list[Manifest]) -> Manifest:
    """A route with these rules under the Gateway of the wish."""
    ref = traffic.gateway
    assert ref
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": ref.name}
    parent |= {"namespace": ref.namespace} if ref.namespace else {}
    parent |= {"sectionName": ref.section_name} if ref.section_name else {}
    spec: Manifest = {"parentRefs": [parent], "rules": all_rules}
    return spec | ({"hostnames": list(hostnames)} if hostnames else {})


def backends(spec: Manifest) -> set[str]:
    """The Services that any rule leads to."""
    return {ref["name"] for rule in spec["rules"] for ref in rule["backendRefs"]}


def _mirror(port: int, revision: str, percent: int) -> Manifest:
    return {"type": "RequestMirror", "requestMirror": {"backendRef": rules.service(revision, port), "percent": percent}}


def _cohort_rule(traffic: Traffic, cohort: Cohort, main: list[Manifest]) -> Manifest:
    """Any of the matches is enough. No copies here: what the candidate answers itself needs none.

    A parked rule has the main rule's backends, so that there is something behind it when its cohort comes and goes.
    """
    matches = [rules.path(traffic) | _asked(each) for each in cohort.match] or rules.parked(traffic)
    return {"matches": matches, "backendRefs": [rules.backend(cohort.revision, 100)] if cohort.match else main}


def _asked(match: PlannedMatch) -> Manifest:
    """What a request must have beside the path."""
    if match.query:
        return {"queryParams": [rules.exactly(match.query, match.value)]}
    return {"headers": [rules.header(match)]}


def read(route: Mapping[str, Any]) -> RouteSeen:
    """Who gets which requests by the route's own words; whether all parents have taken it; what one complains of."""
    spec = route.get("spec") or {}
    rest, drawn = sticky.split(spec.get("rules") or [])
    draw = sticky.read(drawn)
    lasts = draw is not None and draw.revision != ""
    main: Manifest = next((rule for rule in rest if lasts or not _is_apart(rule)), {})
    apart: Manifest = next((rule for rule in rest if rule is not main and _is_apart(rule)), {})
    parked = rules.is_parked(apart)
    answers = [_answer(route, ref) for ref in spec.get("parentRefs") or []]
    return RouteSeen(
        dict.fromkeys(rules.weights(main), 0) | rules.weights(drawn[-1]) if lasts else rules.weights(main),
        programmed=all(a == "" for a in answers),
        message=next((a for a in answers if a), ""),
        cohort="" if parked else next(iter(rules.weights(apart)), ""),
        mirror=_copies(main),
        parked=parked,
        taken_at=_taken_at(route),
        uid=(route.get("metadata") or {}).get("uid", ""),
        sticky=draw,
        rules={rule["name"]: rules.weights(rule) for rule in spec.get("rules") or [] if rule.get("name")},
    )


def traffic_of(spec: Mapping[str, Any]) -> Traffic:
    """How clients reach a route of ours, by its own words; `ValidationError` where somebody has put in others."""
    path = (((spec.get("rules") or [{}])[0].get("matches") or [{}])[0]).get("path") or {}  # of all rules the same
    return Traffic.model_validate(wish_of(spec) | {"path": path.get("value", "/")})


def wish_of(spec: Mapping[str, Any]) -> Manifest:
    """Of the wish what stands beside the rules: Gateway and host names. A ListenerSet does not say whose it is."""
    parents = [ref for ref in spec.get("parentRefs") or [] if ref.get("kind", "Gateway") == "Gateway"]
    gateway = (
        {key: parents[0][key] for key in ("name", "namespace", "sectionName") if key in parents[0]} if parents else {}
    )
    return {"gateway": gateway, "hostnames": spec.get("hostnames") or []}


def _taken_at(route: Mapping[str, Any]) -> datetime | None:
    """When the last parent took a route that is new. Of later ones clients get the one before in the meantime.

    Measured until its proxies knew it: up to 120 ms. Times are whole seconds here, so that of two at least one passes.
    """
    if (route.get("metadata") or {}).get("generation", 0) > 1:
        return None
    parents = (route.get("status") or {}).get("parents") or []
    said = [c.get("lastTransitionTime") for p in parents for c in p.get("conditions") or [] if c["type"] == "Accepted"]
    return max((read_time(each) for each in said if each), default=None)


def _is_apart(rule: Mapping[str, Any]) -> bool:
    """True for the cohort's rule: it asks for more than a path."""
    return any(match.get("headers") or match.get("queryParams") for match in rule.get("matches") or [])


def _copies(rule: Mapping[str, Any]) -> tuple[str, int] | None:
    found = [each["requestMirror"] for each in rule.get("filters") or [] if each["type"] == "RequestMirror"]
    return (found[0]["backendRef"]["name"], found[0].get("percent", 100)) if found else None


def _answer(route: Mapping[str, Any], ref: Mapping[str, Any]) -> str | None:
    """A parent's complaint; empty when it has taken the route; None while it has not answered this generation."""
    parents = (route.get("status") or {}).get("parents") or []
    kind = ref.get("kind", "Gateway")
    said = ((p, p["parentRef"]) for p in parents)
    mine = [p for p, of in said if (of.get("kind", "Gateway"), of.get("name")) == (kind, ref["name"])]
    if not mine:
        where = f"{ref.get('namespace') or route['metadata']['namespace']}/{ref['name']}"
        return f"no controller has answered for {kind} {where}: does it exist, and does its class have a controller?"
    generation = route["metadata"].get("generation", 0)
    answers = [_condition(kind, mine[0], generation) for kind in ("Accepted", "ResolvedRefs")]
    return next((a for a in [*answers, _left_out(mine[0], generation)] if a != ""), "")


def _condition(kind: str, parent: Mapping[str, Any], generation: int) -> str | None:
    found = _said(kind, parent, generation)
    if not found or found["status"] == "True":
        return "" if found else None
    return f"the gateway says {kind} is {found['status']}: {_why(found)}"


def _left_out(parent: Mapping[str, Any], generation: int) -> str:
    """A route is accepted even where one of its rules is not; then the gateway serves without that rule."""
    found = _said("PartiallyInvalid", parent, generation)
    return f"the gateway has left out a part of the route: {_why(found)}" if found and found["status"] == "True" else ""


def _said(kind: str, parent: Mapping[str, Any], generation: int) -> Mapping[str, Any] | None:
    """A condition that speaks of this generation of the route; an older one says nothing of it."""
    found: Mapping[str, Any] | None = next((c for c in parent.get("conditions") or [] if c["type"] == kind), None)
    return found if found and found.get("observedGeneration", 0) >= generation else None


def _why(condition: Mapping[str, Any]) -> str:
    return f"{condition.get('reason')}: {condition.get('message', '')[:300]}"
