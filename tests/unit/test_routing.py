"""What a route says, to the letter, and what is read from routes that gateways, people and old versions left behind."""

import re
from typing import Any

import pytest

from penstock.api.policy import Policy
from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.values import Cohort, RouteSeen, Shares
from penstock.routing import access, gateway, grpc, istio, read_own, rules, service

TRAFFIC = Traffic.model_validate({"gateway": {"name": "models"}, "hostnames": ["churn.corp"], "path": "/v2"})
PATH = {"path": {"type": "PathPrefix", "value": "/v2"}}
BETA = PlannedMatch(header="x-cohort", value="beta")
COOKIE = PlannedMatch(cookie="cohort", value="beta.1")
WEIGHTS = {"churn-1": 100, "churn-2": 0}


def backend(name: str, **more: int) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": name, "port": 80, **more}


def test_a_cohort_is_a_second_rule_and_leaves_the_first_as_it_was() -> None:
    """By the first rule's place a gateway names what it programs for it: a rule in front would exchange the two."""
    plain = gateway.make(TRAFFIC, Shares(WEIGHTS))
    main, cohort = gateway.make(TRAFFIC, Shares(WEIGHTS, Cohort("churn-2", (BETA, COOKIE))))["rules"]
    assert plain["rules"] == [main]
    assert main == {"matches": [PATH], "backendRefs": [backend("churn-1", weight=100), backend("churn-2", weight=0)]}
    pattern = rules.whole_cookie("cohort", "beta.1")
    assert cohort == {
        "matches": [
            PATH | {"headers": [{"type": "Exact", "name": "x-cohort", "value": "beta"}]},
            PATH | {"headers": [{"type": "RegularExpression", "name": "Cookie", "value": pattern}]},
        ],
        "backendRefs": [backend("churn-2", weight=100)],
    }


def test_a_cohort_by_the_query_asks_for_no_header() -> None:
    variant = PlannedMatch(query="variant", value="b")
    _, cohort = gateway.make(TRAFFIC, Shares(WEIGHTS, Cohort("churn-2", (variant, BETA))))["rules"]
    assert cohort["matches"] == [
        PATH | {"queryParams": [{"type": "Exact", "name": "variant", "value": "b"}]},
        PATH | {"headers": [{"type": "Exact", "name": "x-cohort", "value": "beta"}]},
    ]


def test_requests_are_copied_from_the_main_rule_only() -> None:
    shares = Shares(WEIGHTS, Cohort("churn-2", (BETA,)), ("churn-2", 30))
    main, cohort = gateway.make(TRAFFIC, shares)["rules"]
    assert main["filters"] == [
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend("churn-2"), "percent": 30}}
    ]
    assert "filters" not in cohort


def test_a_preview_has_its_own_names_and_one_revision() -> None:
    assert gateway.make_preview(TRAFFIC, ["next.corp"], "churn-2") == {
        "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "models"}],
        "rules": [{"matches": [PATH], "backendRefs": [backend("churn-2", weight=100)]}],
        "hostnames": ["next.corp"],
    }


def test_what_would_match_every_request_is_never_made() -> None:
    with pytest.raises(AssertionError):
        gateway.make_preview(TRAFFIC, [], "churn-2")
    _, apart = gateway.make(TRAFFIC, Shares(WEIGHTS, Cohort("churn-2", ())))["rules"]
    assert [match["headers"] for match in apart["matches"]] == [[rules.NOBODY]]


def test_a_parked_rule_is_there_for_nobody_and_leads_where_all_others_go() -> None:
    main, apart = gateway.make(TRAFFIC, Shares(WEIGHTS, Cohort()))["rules"]
    assert apart["backendRefs"] == main["backendRefs"]
    seen = gateway.read(route(main, apart, conditions=TAKEN))
    assert seen == RouteSeen(WEIGHTS, programmed=True, parked=True)


COOKIES = [
    ("cohort=beta.1", True),
    ("a=1; cohort=beta.1; b=2", True),
    ("a=1;cohort=beta.1", True),
    (" cohort=beta.1 ;b=2", True),
    ("cohort=beta.12", False),
    ("mycohort=beta.1", False),
    ("a=cohort=beta.1", False),
    ('a="x cohort=beta.1"', False),
    ("cohort=betaX1", False),
    ("Cohort=beta.1", False),
    ("cohort=", False),
    ("", False),
]


@pytest.mark.parametrize(("cookies", "belongs"), COOKIES, ids=[text or "none" for text, _ in COOKIES])
def test_a_cookie_counts_only_whole(cookies: str, belongs: bool) -> None:
    pattern = rules.whole_cookie("cohort", "beta.1")
    assert bool(re.fullmatch(pattern, cookies)) == belongs
    assert bool(re.search(pattern, cookies)) == belongs, "also for a gateway that looks for it anywhere"


def route(*rules: dict[str, Any], conditions: tuple[tuple[str, str, int], ...] = ()) -> dict[str, Any]:
    """A route in generation 4, with what its one parent says."""
    said = [
        {"type": kind, "status": status, "observedGeneration": seen, "reason": "Why", "message": "words"}
        for kind, status, seen in conditions
    ]
    parents = [{"parentRef": {"name": "models"}, "conditions": said}] if said else []
    spec = {"parentRefs": [{"name": "models"}], "rules": list(rules)}
    return {"metadata": {"namespace": "ml", "generation": 4}, "spec": spec, "status": {"parents": parents}}


TAKEN = (("Accepted", "True", 4), ("ResolvedRefs", "True", 4))
MAIN = {"matches": [PATH], "backendRefs": [{"name": "churn-1"}]}


def test_a_route_that_was_emptied_gives_nobody_anything() -> None:
    assert gateway.read(route(conditions=TAKEN)) == RouteSeen({}, programmed=True)
    assert gateway.read(route({}, conditions=TAKEN)) == RouteSeen({}, programmed=True)
    assert gateway.read({"metadata": {"namespace": "ml"}}) == RouteSeen({}, programmed=True)


def test_defaults_of_the_gateway_api_are_read_as_such() -> None:
    bare = MAIN | {"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "churn-2"}}}]}
    assert gateway.read(route(bare, conditions=TAKEN)) == RouteSeen({"churn-1": 1}, True, mirror=("churn-2", 100))


def test_a_cohort_is_found_wherever_its_rule_stands() -> None:
    apart = {"matches": [PATH | {"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [{"name": "churn-2"}]}
    for order in ((MAIN, apart), (apart, MAIN)):
        seen = gateway.read(route(*order, conditions=TAKEN))
        assert (seen.weights, seen.cohort) == ({"churn-1": 1}, "churn-2")


@pytest.mark.parametrize(
    ("conditions", "programmed", "words"),
    [
        (TAKEN, True, ""),
        ((), False, "no controller has answered for Gateway ml/models"),
        ((TAKEN[0],), False, ""),
        ((("Accepted", "False", 4), TAKEN[1]), False, "the gateway says Accepted is False: Why: words"),
        ((*TAKEN, ("PartiallyInvalid", "True", 4)), False, "the gateway has left out a part of the route: Why: words"),
        ((*TAKEN, ("PartiallyInvalid", "True", 3)), True, ""),
        ((*TAKEN, ("PartiallyInvalid", "False", 4)), True, ""),
        ((*TAKEN, ("BackendsAvailable", "False", 4)), True, ""),
    ],
)
def test_a_gateway_has_taken_a_route_when_it_says_so_of_all_of_it(
    conditions: tuple[tuple[str, str, int], ...], programmed: bool, words: str
) -> None:
    seen = gateway.read(route(MAIN, conditions=conditions))
    assert seen.programmed == programmed
    assert seen.message.startswith(words) and bool(seen.message) == bool(words)


def test_a_service_gives_everything_to_the_revision_that_it_selects() -> None:
    made = service.make("churn-1", {"http": 8080})
    assert made == {
        "selector": {"penstock.dev/revision": "churn-1"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
    }
    assert service.read({"spec": made}) == RouteSeen({"churn-1": 100}, programmed=True)


@pytest.mark.parametrize("live", [{}, {"spec": {}}, {"spec": {"selector": None}}, {"spec": {"selector": {"app": "x"}}}])
def test_a_service_that_selects_no_revision_gives_nobody_anything(live: dict[str, Any]) -> None:
    assert service.read(live) == RouteSeen({}, programmed=True)


@pytest.mark.parametrize(
    ("seen", "reached"),
    [
        (RouteSeen({"a": 1}, True), True),
        (RouteSeen({"a": 0}, True), False),
        (RouteSeen({"b": 100}, True), False),
        (RouteSeen({"b": 100}, True, cohort="a"), True),
        (RouteSeen({"b": 100}, True, mirror=("a", 1)), True),
        (RouteSeen({"b": 100}, True, cohort="b", mirror=("b", 1)), False),
    ],
)
def test_a_copy_reaches_a_revision_too(seen: RouteSeen, reached: bool) -> None:
    assert seen.reaches("a") == reached


BOTH = {"http": 8080, "grpc": 8081, "metrics": 8082}
H2C = {"name": "grpc", "port": 81, "targetPort": 8081, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}


def test_a_server_of_two_protocols_has_a_port_for_each_and_the_second_says_how_it_is_spoken() -> None:
    made = service.make("churn-1", BOTH)
    assert made["ports"] == [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}, H2C]
    assert service.kept(made, (), BOTH) == made


def test_pods_in_rotation_answer_both_protocols_by_the_ports_names() -> None:
    """Two revisions may listen at other numbers, and one of them may know one protocol alone."""
    made = service.make_rotating("churn", BOTH)["ports"]
    assert made == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}, H2C | {"targetPort": "grpc"}]
    assert [port["name"] for port in service.make_rotating("churn", {"http": 8080})["ports"]] == ["http"]


def test_a_route_under_a_listener_set_does_not_say_whose_gateway_it_is_so_nobody_writes_it_anew() -> None:
    """Its parent bears the ModelDeployment's name, and no Gateway of that name is meant."""
    made = access.dress(
        gateway.make(TRAFFIC, Shares(WEIGHTS)), Policy.model_validate({"tls": {"secret": {"name": "a"}}}), "churn"
    )
    seen = read_own("HTTPRoute", {"metadata": {"name": "churn", "namespace": "ml"}, "spec": made})
    assert seen.traffic is None and seen.weights == WEIGHTS


@pytest.mark.parametrize(
    ("theirs", "name"),
    [
        ({"name": "grpc", "port": 9000, "targetPort": 5001}, "grpc-81"),
        ({"name": "calls", "port": 81, "targetPort": "grpc"}, "calls"),
    ],
)
def test_ports_that_a_service_had_stay_and_ours_gives_way_in_name_only(theirs: dict[str, Any], name: str) -> None:
    ports = service.kept(service.make("churn-1", BOTH), [theirs], BOTH)["ports"]
    assert {port["port"] for port in ports} == {80, 81, theirs["port"]}
    assert next(port for port in ports if port["port"] == 81) == H2C | {"name": name}
    assert len({port["name"] for port in ports}) == len(ports)


def test_a_grpc_route_leads_to_the_port_for_grpc_and_asks_for_no_path() -> None:
    traffic = Traffic.model_validate({"gateway": {"name": "models"}, "protocol": "GRPC"})
    main, cohort = grpc.make(traffic, Shares(WEIGHTS, Cohort("churn-2", (BETA,)), ("churn-2", 7)))["rules"]
    assert "matches" not in main and [set(match) for match in cohort["matches"]] == [{"headers"}]
    copies = main["filters"][0]["requestMirror"]["backendRef"]
    assert {ref["port"] for ref in [*main["backendRefs"], *cohort["backendRefs"], copies]} == {81}


def test_a_virtual_service_asks_for_header_and_cookie_and_sends_copies() -> None:
    """To the letter, as no Istio runs in these tests: what it would read must be seen by people."""
    traffic = Traffic.model_validate(
        {"istio": {"gateways": ["ingress/models"]}, "hostnames": ["churn.corp"], "path": "/v2"}
    )
    made = istio.make(traffic, Shares(WEIGHTS, Cohort("churn-2", (BETA, COOKIE)), ("churn-2", 7)))
    assert (made["hosts"], made["gateways"]) == (["churn.corp"], ["ingress/models"])
    apart, main = made["http"]
    to = lambda name, weight: {"destination": {"host": name, "port": {"number": 80}}, "weight": weight}  # noqa: E731
    assert apart["match"] == [
        {"uri": {"prefix": "/v2"}, "headers": {BETA.header: {"exact": BETA.value}}},
        {
            "uri": {"prefix": "/v2"},
            "headers": {"cookie": {"regex": rules.whole_cookie(str(COOKIE.cookie), COOKIE.value)}},
        },
    ]
    assert apart["route"] == [to("churn-2", 100)]
    assert main == {
        "name": "penstock",
        "match": [{"uri": {"prefix": "/v2"}}],
        "route": [to(name, weight) for name, weight in WEIGHTS.items()],
        "mirror": {"host": "churn-2", "port": {"number": 80}},
        "mirrorPercentage": {"value": 7},
    }
    assert istio.backends(made) == {*WEIGHTS}


def test_what_somebody_made_of_our_route_is_read_without_its_wish() -> None:
    broken = {"metadata": {"name": "churn", "namespace": "ml"}, "spec": {"rules": [], "parentRefs": [{"name": "No!"}]}}
    assert read_own("HTTPRoute", broken).traffic is None
    assert read_own("VirtualService", {"metadata": {}, "spec": {"http": [{"name": "theirs"}]}}).traffic is None
