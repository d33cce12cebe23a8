"""Laws over routes, whatever the shares: what is written is read back, and a cohort changes nothing for all others."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.api.rollout import Match
from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.kinds import KINDS
from penstock.model.values import Cohort, RouteSeen, Shares, Sticky
from penstock.routing import (
    ROUTERS,
    Router,
    gateway,
    istio,
    named,
    read_own,
    router_of,
    rules,
    seen_by,
    service,
)

Object = dict[str, Any]
# How long an example takes on a busy machine says nothing about a law.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
names = st.text("az09-", max_size=20).map(lambda middle: f"a{middle}z")
gateways = st.fixed_dictionaries({"name": names}, optional={"namespace": names, "sectionName": names})
hosts = st.lists(names, max_size=3)
paths = st.sampled_from(["/", "/v2/models/churn"])
WISHES = {
    "gateway": st.fixed_dictionaries({"gateway": gateways}, optional={"hostnames": hosts, "path": paths}),
    "grpc": st.fixed_dictionaries({"gateway": gateways, "protocol": st.just("GRPC")}, optional={"hostnames": hosts}),
}
istio_gateways = st.lists(names | names.map(lambda name: f"az/{name}"), min_size=1, max_size=3, unique=True)
in_istio = {
    "istio": st.fixed_dictionaries({"gateways": istio_gateways}),
    "hostnames": st.lists(names, min_size=1, max_size=3),
}
WISHES["istio"] = st.one_of(
    st.fixed_dictionaries(in_istio, optional={"path": paths}),
    st.fixed_dictionaries(in_istio | {"protocol": st.just("GRPC")}),
)
by_gateway = st.builds(Traffic.model_validate, WISHES["gateway"] | WISHES["grpc"])
by_http = st.builds(Traffic.model_validate, WISHES["gateway"])
traffics = st.builds(Traffic.model_validate, st.one_of(*WISHES.values()))


@st.composite
def weights(draw: st.DrawFn) -> dict[str, int]:
    """Weights of one to three revisions that sum to 100."""
    revisions = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    first, second = sorted((draw(st.integers(0, 100)), draw(st.integers(0, 100))))
    cut = {1: [100], 2: [first, 100 - first], 3: [first, second - first, 100 - second]}[len(revisions)]
    return dict(zip(revisions, cut, strict=True))


tokens = st.text("aZ09-_.", max_size=20).map(lambda rest: f"t{rest}")
matches = st.one_of(
    *(st.builds(Match, value=tokens, **{by: tokens}) for by in ("header", "cookie", "query")),  # type: ignore[arg-type]
)
planned = st.builds(lambda match: PlannedMatch.model_validate(match.model_dump()), matches)


@st.composite
def draws(draw: st.DrawFn) -> Sticky:
    """A draw with one to fifteen steps."""
    steps = draw(st.sets(st.integers(1, 99), min_size=1, max_size=15))
    return Sticky(draw(tokens), draw(names), (*sorted(steps), 100), draw(st.integers(1, 10**6)))


@st.composite
def all_shares(draw: st.DrawFn) -> Shares:
    """Whole shares: weights, and one revision of them or another with a cohort or a place for one, and with copies."""
    made = draw(weights())
    revision = st.sampled_from(list(made)) | names
    cohorts = st.builds(Cohort, revision, st.lists(planned, min_size=1, max_size=4).map(tuple))
    copies = st.tuples(revision, st.integers(1, 100))
    cohort = draw(st.none() | st.just(Cohort()) | cohorts)
    return Shares(made, cohort, draw(st.none() | copies), draw(st.none() | draws()))


@st.composite
def shares_of_users(draw: st.DrawFn) -> Shares:
    """Two revisions at one of the marks, and perhaps a third that leaves."""
    drawn = draw(draws())
    home, tried, gone = draw(st.lists(names, min_size=3, max_size=3, unique=True))
    given_now = draw(st.sampled_from(drawn.marks[:-1]))
    made = {home: 100 - given_now, tried: given_now} | draw(st.sampled_from([{}, {gone: 0}]))
    apart = draw(st.none() | st.just(Cohort()))
    return Shares(dict(sorted(made.items())), apart, None, replace(drawn, revision=tried))


def as_stored(traffic: Traffic, shares: Shares, answers: dict[str, str], observed: int = 4) -> Object:
    """The route as the API server gives it back in generation 4, with one parent's answers."""
    router = router_of(traffic)
    assert router
    conditions = [{"type": kind, "status": value, "observedGeneration": observed} for kind, value in answers.items()]
    name = traffic.gateway.name if traffic.gateway else ""
    parents = [{"parentRef": {"name": name}, "conditions": conditions}] if answers else []
    meta = {"name": "churn", "namespace": "ml", "generation": 4}
    return {"metadata": meta, "spec": router.make(traffic, shares), "status": {"parents": parents}}


def read(traffic: Traffic, route: Object) -> RouteSeen:
    """As the operator reads a route of its own."""
    router = router_of(traffic)
    assert router
    return read_own(router.kind, route)


def test_the_law_is_told_for_every_router() -> None:
    assert set(WISHES) | {"route", "grpcRoute"} == set(ROUTERS)


@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
def test_a_router_may_do_in_a_cluster_what_it_must_and_a_cluster_may_lack_it(router: Router) -> None:
    kind = KINDS[router.kind]
    assert kind.optional and kind.namespaced
    chart = (Path(__file__).parents[2] / "helm" / "penstock" / "templates" / "rbac.yaml").read_text()
    rights = re.findall(r"apiGroups: \[(\S*)\]\n    resources: \[(.*)\]\n    verbs: (.*)", chart)
    assert [
        verbs for group, plurals, verbs in rights if group == kind.group and kind.plural in plurals.split(", ")
    ] == ["{{ $own }}"]


TAKEN = {"Accepted": "True", "ResolvedRefs": "True"}


@unhurried
@given(traffics, all_shares() | shares_of_users())
def test_the_shares_that_are_written_are_read_back(traffic: Traffic, shares: Shares) -> None:
    seen = read(traffic, as_stored(traffic, shares, TAKEN))
    cohort = shares.cohort.revision if shares.cohort else ""
    parked = shares.cohort == Cohort()
    router, by_query = router_of(traffic), shares.cohort and all(match.query for match in shares.cohort.match)
    if router and router.kind == "GRPCRoute" and by_query:  # nobody can be told by what gRPC has not
        cohort, parked = "", True
    users = shares.sticky if router and router.keeps_users else None
    wanted = RouteSeen(shares.weights, True, cohort=cohort, mirror=shares.mirror, parked=parked, sticky=users)
    assert seen == wanted
    assert list(seen.weights) == list(shares.weights)
    assert seen.traffic == traffic, "a route says itself how clients reach it"


rule_names = st.lists(names, min_size=1, max_size=4, unique=True)


@unhurried
@given(rule_names, weights(), st.dictionaries(names, weights(), max_size=3), st.randoms())
def test_the_weights_of_named_rules_are_read_back_wherever_they_stand(
    wanted: list[str], shares: dict[str, int], others: dict[str, dict[str, int]], random: Random
) -> None:
    traffic = Traffic.model_validate({"route": {"name": "churn-route", "rules": wanted}})
    made = named.make(traffic, Shares(shares))["rules"]
    assert [set(rule) for rule in made] == [{"name", "backendRefs"}] * len(wanted), "nothing else is ours"
    refs = {name: [rules.backend(*pair) for pair in found.items()] for name, found in others.items()}
    foreign = [{"name": name, "backendRefs": found} for name, found in refs.items() if name not in wanted]
    route = as_stored(Traffic.model_validate({"gateway": {"name": "models"}}), Shares(shares), TAKEN)
    route["spec"]["rules"] = [*made, *foreign, {"backendRefs": [{"name": "docs"}]}]
    random.shuffle(route["spec"]["rules"])
    seen = seen_by(traffic, gateway.read(route))
    assert seen == RouteSeen(shares, programmed=True, rules=dict.fromkeys(wanted, shares))
    del made[0]["name"]
    assert not seen_by(traffic, gateway.read(route)).programmed, "one is missing"


@unhurried
@given(rule_names.filter(lambda names: len(names) > 1), weights(), weights())
def test_named_rules_that_say_different_things_confirm_nothing_and_hide_nobody(
    wanted: list[str], one: dict[str, int], two: dict[str, int]
) -> None:
    traffic = Traffic.model_validate({"route": {"name": "churn-route", "rules": wanted}})
    known = RouteSeen({}, programmed=True, rules=dict.fromkeys(wanted, one) | {wanted[-1]: two})
    seen = seen_by(traffic, known)
    assert seen.programmed == (one == two)
    assert all(seen.reaches(name) for each in (one, two) for name, weight in each.items() if weight)


@unhurried
@given(by_gateway, all_shares())
def test_whoever_belongs_to_no_cohort_is_routed_as_if_there_were_none(traffic: Traffic, shares: Shares) -> None:
    stored = (as_stored(traffic, each, TAKEN) for each in (shares, replace(shares, cohort=None, sticky=None)))
    route, plain = (each["spec"] for each in stored)
    assert route["rules"][0] == plain["rules"][0] and len(plain["rules"]) == 1
    assert {**route, "rules": []} == {**plain, "rules": []}
    apart = [match for rule in route["rules"][1:] for match in rule["matches"]]
    assert all(match.get("headers") or match.get("queryParams") for match in apart)


@unhurried
@given(by_http, names, names)
def test_whoever_picks_a_revision_gets_it_whatever_cookies_they_have(traffic: Traffic, home: str, tried: str) -> None:
    picking = traffic.model_copy(update={"preview_header": "x-revision"})
    made = gateway.make_named(picking, {home: ("stable", home), f"{tried}2": ("candidate", f"{tried}2")})
    assert gateway.backends(made) == {home, f"{tried}2"}
    for rule, words in zip(made["rules"], (("stable", home), ("candidate", f"{tried}2")), strict=True):
        asked = [match["headers"] for match in rule["matches"]]
        assert [headers[0]["value"] for headers in asked] == [words[0], words[0], words[1], words[1]]
        assert [len(headers) for headers in asked] == [1, 2, 1, 2], "beside a cookie it asks for more than its rule"
        assert all(headers[0] == rules.exactly("x-revision", headers[0]["value"]) for headers in asked)


@unhurried
@given(traffics, st.lists(names, min_size=1, max_size=3), names)
def test_a_preview_is_read_back_and_shares_no_name_with_the_rest(
    traffic: Traffic, hostnames: list[str], revision: str
) -> None:
    router = router_of(traffic)
    assert router and router.make_preview
    made = router.make_preview(traffic, hostnames, revision)
    seen = read(traffic, as_stored(traffic, Shares({}), TAKEN) | {"spec": made})
    assert seen == RouteSeen({revision: 100}, programmed=True)
    assert seen.traffic == traffic.model_copy(update={"hostnames": hostnames})


@unhurried
@given(st.integers(1, 65535), names)
def test_the_revision_that_a_service_is_given_is_read_back(port: int, revision: str) -> None:
    assert service.read({"spec": service.make(revision, {"http": port})}) == RouteSeen({revision: 100}, programmed=True)


@unhurried
@given(
    by_gateway, all_shares(), st.sampled_from([("False", 4), ("Unknown", 4), ("True", 3)]), st.sampled_from([*TAKEN])
)
def test_a_route_counts_only_once_the_gateway_took_this_very_generation(
    traffic: Traffic, shares: Shares, said: tuple[str, int], kind: str
) -> None:
    value, observed = said
    route = as_stored(traffic, shares, TAKEN | {kind: value}, observed)
    assert not read(traffic, route).programmed
    assert bool(read(traffic, route).message) == (value != "True"), "a late answer is no complaint"
    assert not read(traffic, as_stored(traffic, shares, {})).programmed


by_istio = st.builds(Traffic.model_validate, WISHES["istio"])


@unhurried
@given(by_istio, all_shares())
def test_istio_asks_for_the_cohort_first_and_all_others_are_routed_as_if_there_were_none(
    traffic: Traffic, shares: Shares
) -> None:
    route, plain = (istio.make(traffic, each) for each in (shares, replace(shares, cohort=None)))
    assert route["http"][-1] == plain["http"][-1] and len(plain["http"]) == 1
    assert {**route, "http": []} == {**plain, "http": []}
    assert all(
        match.get("headers") or match.get("queryParams") for rule in route["http"][:-1] for match in rule["match"]
    )
    assert len({rule["name"] for rule in route["http"]}) == len(route["http"])


NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
WRITTEN = {"operation": "Apply", "manager": "penstock", "time": "2026-11-26T11:59:58Z"}
STATUS = {"operation": "Update", "manager": "pilot", "time": "2026-11-26T11:59:59Z", "subresource": "status"}


@pytest.mark.parametrize(
    ("status", "programmed", "dated"),
    [
        ({}, True, True),
        ({"conditions": [{"type": "Reconciled", "status": "True"}]}, True, True),
        ({"conditions": [{"type": "Reconciled", "status": "True"}], "observedGeneration": 3}, True, True),
        ({"conditions": [{"type": "Reconciled", "status": "True"}], "observedGeneration": "4"}, True, False),
        ({"conditions": [{"type": "Reconciled", "status": "False"}], "observedGeneration": 4}, False, False),
        ({"conditions": [{"type": "Reconciled", "status": "True", "observedGeneration": 5}]}, True, False),
        ({"conditions": [{"type": "PassedAnalysis", "status": "False", "observedGeneration": 4}]}, True, True),
    ],
)
def test_istios_word_counts_for_this_generation_and_else_only_time_does(
    status: Object, programmed: bool, dated: bool
) -> None:
    traffic = Traffic.model_validate({"istio": {"gateways": ["models"]}, "hostnames": ["churn.corp"]})
    meta = {"name": "churn", "namespace": "ml", "generation": 4, "managedFields": [WRITTEN, STATUS]}
    seen = istio.read({"metadata": meta, "spec": istio.make(traffic, Shares({"a": 100})), "status": status})
    assert (seen.programmed, seen.taken_at) == (programmed, NOW - timedelta(seconds=2) if dated else None)
    assert seen.settling == istio.LAG
