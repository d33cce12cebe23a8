"""Laws over routes, whatever the shares: what is written is read back, and a cohort changes nothing for all others."""

import re
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.api.rollout import Match
from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.model.values import Cohort, RouteSeen, Shares, Sticky
from penstock.routing import gateway, rules, service, sticky

Object = dict[str, Any]
# How long an example takes on a busy machine says nothing about a law.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
names = st.text("az09-", max_size=20).map(lambda middle: f"a{middle}z")
traffics = st.builds(
    Traffic.model_validate,
    st.fixed_dictionaries(
        {"gateway": st.fixed_dictionaries({"name": names}, optional={"namespace": names, "sectionName": names})},
        optional={
            "hostnames": st.lists(names, max_size=3),
            "path": st.sampled_from(["/", "/v2/models/churn"]),
            "previewHeader": st.just("x-revision"),
        },
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
    """The HTTPRoute as the API server gives it back in generation 4, with one parent's answers."""
    conditions = [{"type": kind, "status": value, "observedGeneration": observed} for kind, value in answers.items()]
    parents = [{"parentRef": {"name": traffic.gateway.name}, "conditions": conditions}] if answers else []
    meta = {"name": "churn", "namespace": "ml", "generation": 4}
    return {"metadata": meta, "spec": gateway.make(traffic, shares), "status": {"parents": parents}}


TAKEN = {"Accepted": "True", "ResolvedRefs": "True"}


@unhurried
@given(traffics, all_shares() | shares_of_users())
def test_the_shares_that_are_written_are_read_back(traffic: Traffic, shares: Shares) -> None:
    seen = gateway.read(as_stored(traffic, shares, TAKEN))
    cohort = shares.cohort.revision if shares.cohort else ""
    parked = shares.cohort == Cohort()
    wanted = RouteSeen(shares.weights, True, cohort=cohort, mirror=shares.mirror, parked=parked, sticky=shares.sticky)
    assert seen == wanted
    assert list(seen.weights) == list(shares.weights)


@unhurried
@given(traffics, all_shares())
def test_whoever_belongs_to_no_cohort_is_routed_as_if_there_were_none(traffic: Traffic, shares: Shares) -> None:
    route, plain = (gateway.make(traffic, each) for each in (shares, replace(shares, cohort=None, sticky=None)))
    assert route["rules"][0] == plain["rules"][0] and len(plain["rules"]) == 1
    assert {**route, "rules": []} == {**plain, "rules": []}
    apart = [match for rule in route["rules"][1:] for match in rule["matches"]]
    assert all(match.get("headers") or match.get("queryParams") for match in apart)


def user(mark: int, drawn: Sticky) -> str:
    """The cookies of somebody who was drawn."""
    return f"a=1; {drawn.cookie}={drawn.draw}.{mark}; b=2"


def answers(route: Object, cookies: str) -> Object:
    """The rule of a route that a request with these cookies belongs to: more headers win, then the first."""
    fits = [
        (len(match.get("headers", [])), -place, rule)
        for place, rule in enumerate(route["rules"])
        for match in rule["matches"]
        if all(re.fullmatch(h["value"], cookies) for h in match.get("headers", []) if h["name"] == "Cookie")
        and rules.NOBODY not in match.get("headers", [])
    ]
    return dict(max(fits, key=lambda fit: fit[:2])[2])


@unhurried
@given(traffics, shares_of_users())
def test_users_are_drawn_once_and_then_belong_where_their_mark_says(traffic: Traffic, shares: Shares) -> None:
    """Whoever has no cookie of this draw is drawn, by weight; whoever has one goes where the mark says."""
    drawn, route = shares.sticky, gateway.make(traffic, shares)
    assert drawn
    weight = shares.weights[drawn.revision]
    stranger = user(drawn.marks[0], replace(drawn, draw=f"{drawn.draw}x"))
    for cookies in ("", "a=1", stranger):
        draw = answers(route, cookies)
        assert {name: given for name, given in shares.weights.items() if given} == rules.weights(draw)
    for mark, ref in zip(drawn.marks, answers(route, "")["backendRefs"], strict=True):
        kept = answers(route, user(mark, drawn))
        assert rules.weights(kept) == {ref["name"]: 100}, "the draw sends them where their cookie does"
        assert (ref["name"] == drawn.revision) == (mark <= weight)
        assert "filters" not in kept, "a cookie is set once"
        said = ref["filters"][0]["responseHeaderModifier"]["add"][0]["value"]
        assert said.startswith(f"{drawn.cookie}={drawn.draw}.{mark}; Path=/; Max-Age={drawn.seconds};")


@unhurried
@given(traffics, shares_of_users(), st.data())
def test_a_step_moves_users_to_the_candidate_only_and_as_many_as_it_says(
    traffic: Traffic, shares: Shares, data: st.DataObject
) -> None:
    """Also where steps between were skipped; what is programmed by place stays: rules, and the draw's backends."""
    drawn = shares.sticky
    assert drawn
    home = max((n for n in shares.weights if n != drawn.revision), key=lambda n: shares.weights[n])
    later = data.draw(st.sampled_from([m for m in drawn.marks[:-1] if m >= shares.weights[drawn.revision]]))
    grown = replace(shares, weights={**shares.weights, home: 100 - later, drawn.revision: later})
    routes = [gateway.make(traffic, each) for each in (shares, grown)]
    chances = [ref["weight"] for ref in answers(routes[0], "")["backendRefs"]]
    on = [
        {m for m in drawn.marks if drawn.revision in rules.weights(answers(route, user(m, drawn)))} for route in routes
    ]
    assert on[0] <= on[1]
    moved = sum(chance for mark, chance in zip(drawn.marks, chances, strict=True) if mark in on[1])
    assert moved == later, "of all users who were drawn at the step before"
    assert [ref["weight"] for ref in answers(routes[1], "")["backendRefs"]] == chances
    assert len(routes[0]["rules"]) == len(routes[1]["rules"])


@unhurried
@given(traffics, shares_of_users())
def test_when_the_draw_ends_nobody_is_held_by_a_cookie(traffic: Traffic, shares: Shares) -> None:
    drawn = shares.sticky
    assert drawn
    home = max((n for n in shares.weights if n != drawn.revision), key=lambda n: shares.weights[n])
    ended = Shares({home: 100, drawn.revision: 0}, shares.cohort, None, replace(drawn, revision=""))
    during, after = gateway.make(traffic, shares), gateway.make(traffic, ended)
    for mark in drawn.marks:
        assert rules.weights(answers(after, user(mark, drawn))) == ended.weights
    assert rules.weights(during["rules"][0])[home] == 100, "the way back stands before it is needed"
    assert len(during["rules"]) == len(after["rules"])
    before, later = (sticky.split(each["rules"])[1][-1]["backendRefs"] for each in (during, after))
    assert [ref["weight"] for ref in before] == [ref["weight"] for ref in later]


@unhurried
@given(traffics.filter(lambda traffic: traffic.preview_header is not None), names, names)
def test_whoever_picks_a_revision_gets_it_whatever_cookies_they_have(traffic: Traffic, home: str, tried: str) -> None:
    made = gateway.make_named(traffic, {home: ("stable", home), f"{tried}2": ("candidate", f"{tried}2")})
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
