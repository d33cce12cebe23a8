"""The laws of the draw: who is drawn, where a mark belongs, and that nobody is held when it ends."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from penstock.api.traffic import Traffic
from penstock.model.values import Shares, Sticky
from penstock.routing import gateway, rules, sticky
from tests.golden.test_route_laws import Object, by_http, shares_of_users, unhurried


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
@given(by_http, shares_of_users())
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
@given(by_http, shares_of_users(), st.data())
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
@given(by_http, shares_of_users())
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
