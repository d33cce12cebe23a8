"""Laws over routes, whatever the shares: what is written is read back, and a cohort changes nothing for all others."""

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.api.rollout import Match
from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.values import Cohort, RouteSeen, Shares
from penstock.routing import gateway, named, read_own, seen_by, service

Object = dict[str, Any]
# How long an example takes on a busy machine says nothing about a law.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
names = st.text("az09-", max_size=20).map(lambda middle: f"a{middle}z")
traffics = st.builds(
    Traffic.model_validate,
    st.fixed_dictionaries(
        {"gateway": st.fixed_dictionaries({"name": names}, optional={"namespace": names, "sectionName": names})},
        optional={"hostnames": st.lists(names, max_size=3), "path": st.sampled_from(["/", "/v2/models/churn"])},
    ),
)


@st.composite
def weights(draw: st.DrawFn) -> dict[str, int]:
    """Weights of one to three revisions that sum to 100."""
    revisions = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    first, second = sorted((draw(st.integers(0, 100)), draw(st.integers(0, 100))))
    cut = {1: [100], 2: [first, 100 - first], 3: [first, second - first, 100 - second]}[len(revisions)]
    return dict(zip(revisions, cut, strict=True))


tokens = st.text("aZ09-_.", max_size=20).map(lambda rest: f"t{rest}")
matches = st.builds(Match, header=tokens, value=tokens) | st.builds(Match, cookie=tokens, value=tokens)
planned = st.builds(lambda match: PlannedMatch.model_validate(match.model_dump()), matches)


@st.composite
def all_shares(draw: st.DrawFn) -> Shares:
    """Whole shares: weights, and one revision of them or another with a cohort or a place for one, and with copies."""
    made = draw(weights())
    revision = st.sampled_from(list(made)) | names
    cohorts = st.builds(Cohort, revision, st.lists(planned, min_size=1, max_size=4).map(tuple))
    copies = st.tuples(revision, st.integers(1, 100))
    return Shares(made, draw(st.none() | st.just(Cohort()) | cohorts), draw(st.none() | copies))


def as_stored(traffic: Traffic, shares: Shares, answers: dict[str, str], observed: int = 4) -> Object:
    """The HTTPRoute as the API server gives it back in generation 4, with one parent's answers."""
    conditions = [{"type": kind, "status": value, "observedGeneration": observed} for kind, value in answers.items()]
    parents = [{"parentRef": {"name": traffic.gateway.name}, "conditions": conditions}] if answers else []
    meta = {"name": "churn", "namespace": "ml", "generation": 4}
    return {"metadata": meta, "spec": gateway.make(traffic, shares), "status": {"parents": parents}}


TAKEN = {"Accepted": "True", "ResolvedRefs": "True"}


@unhurried
@given(traffics, all_shares())
def test_the_shares_that_are_written_are_read_back(traffic: Traffic, shares: Shares) -> None:
    seen = read_own("HTTPRoute", as_stored(traffic, shares, TAKEN))
    cohort = shares.cohort.revision if shares.cohort else ""
    parked = shares.cohort == Cohort()
    assert seen == RouteSeen(shares.weights, programmed=True, cohort=cohort, mirror=shares.mirror, parked=parked)
    assert list(seen.weights) == list(shares.weights)
    assert seen.traffic == traffic, "a route says itself how clients reach it"


rules = st.lists(names, min_size=1, max_size=4, unique=True)


@unhurried
@given(rules, weights(), st.dictionaries(names, weights(), max_size=3), st.randoms())
def test_the_weights_of_named_rules_are_read_back_wherever_they_stand(
    wanted: list[str], shares: dict[str, int], others: dict[str, dict[str, int]], random: Random
) -> None:
    traffic = Traffic.model_validate({"route": {"name": "churn-route", "rules": wanted}})
    made = named.make(traffic, Shares(shares))["rules"]
    assert [set(rule) for rule in made] == [{"name", "backendRefs"}] * len(wanted), "nothing else is ours"
    refs = {name: [gateway.backend(*pair) for pair in found.items()] for name, found in others.items()}
    foreign = [{"name": name, "backendRefs": found} for name, found in refs.items() if name not in wanted]
    route = as_stored(Traffic.model_validate({"gateway": {"name": "models"}}), Shares(shares), TAKEN)
    route["spec"]["rules"] = [*made, *foreign, {"backendRefs": [{"name": "docs"}]}]
    random.shuffle(route["spec"]["rules"])
    seen = seen_by(traffic, gateway.read(route))
    assert seen == RouteSeen(shares, programmed=True, rules=dict.fromkeys(wanted, shares))
    del made[0]["name"]
    assert not seen_by(traffic, gateway.read(route)).programmed, "one is missing"


@unhurried
@given(rules.filter(lambda names: len(names) > 1), weights(), weights())
def test_named_rules_that_say_different_things_confirm_nothing_and_hide_nobody(
    wanted: list[str], one: dict[str, int], two: dict[str, int]
) -> None:
    traffic = Traffic.model_validate({"route": {"name": "churn-route", "rules": wanted}})
    known = RouteSeen({}, programmed=True, rules=dict.fromkeys(wanted, one) | {wanted[-1]: two})
    seen = seen_by(traffic, known)
    assert seen.programmed == (one == two)
    assert all(seen.reaches(name) for each in (one, two) for name, weight in each.items() if weight)


@unhurried
@given(traffics, all_shares())
def test_whoever_belongs_to_no_cohort_is_routed_as_if_there_were_none(traffic: Traffic, shares: Shares) -> None:
    route, plain = (gateway.make(traffic, each) for each in (shares, replace(shares, cohort=None)))
    assert route["rules"][0] == plain["rules"][0] and len(plain["rules"]) == 1
    assert {**route, "rules": []} == {**plain, "rules": []}
    assert all(match["headers"] for rule in route["rules"][1:] for match in rule["matches"])


@unhurried
@given(traffics, st.lists(names, min_size=1, max_size=3), names)
def test_a_preview_is_read_back_and_shares_no_name_with_the_rest(
    traffic: Traffic, hostnames: list[str], revision: str
) -> None:
    made = gateway.make_preview(traffic, hostnames, revision)
    stored = as_stored(traffic, Shares({}), TAKEN) | {"spec": made}
    assert gateway.read(stored) == RouteSeen({revision: 100}, programmed=True)
    assert made["hostnames"] == hostnames
    assert made["parentRefs"] == gateway.make(traffic, Shares({revision: 100}))["parentRefs"]


@unhurried
@given(st.integers(1, 65535), names)
def test_the_revision_that_a_service_is_given_is_read_back(port: int, revision: str) -> None:
    assert service.read({"spec": service.make(port, revision)}) == RouteSeen({revision: 100}, programmed=True)


@unhurried
@given(traffics, all_shares(), st.sampled_from([("False", 4), ("Unknown", 4), ("True", 3)]), st.sampled_from([*TAKEN]))
def test_a_route_counts_only_once_the_gateway_took_this_very_generation(
    traffic: Traffic, shares: Shares, said: tuple[str, int], kind: str
) -> None:
    value, observed = said
    route = as_stored(traffic, shares, TAKEN | {kind: value}, observed)
    assert not gateway.read(route).programmed
    assert bool(gateway.read(route).message) == (value != "True"), "a late answer is no complaint"
    assert not gateway.read(as_stored(traffic, shares, {})).programmed
