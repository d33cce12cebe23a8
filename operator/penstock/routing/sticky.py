"""Users who keep their revision: each is drawn once in a rollout, by the gateway, and a cookie remembers the draw.

What is drawn is no revision but a mark: the weight at which this user moves to the candidate. With steps of 5 and 25 %
the marks are 5, 25 and 100, drawn with 5, 20 and 75 %. At 5 % the users of mark 5 are on the candidate, at 25 % those
of mark 25 too. So the share of users is the weight at every step, however long it is held and whichever steps are
skipped; nobody leaves the candidate, and nobody moves twice.

Three rules, always together and in this order:

- those who moved: cookies with a mark up to the weight -> the candidate
- those who stay:  cookies with a higher mark           -> the stable revision
- the draw:        everybody else; one backend for each mark, which sets its cookie

While they are in use the main rule is parked and the draw has its place; both stay where they are, as what is
programmed is named by a rule's place. For the same reason the draw has a backend for each mark from the beginning,
all of them the stable revision's: a gateway makes none anew while users come, as a step only leads one elsewhere.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from penstock.api.traffic import Traffic
from penstock.model.values import Manifest, Sticky
from penstock.routing import rules

HEADER = "Set-Cookie"
PLACES = 3


def make(traffic: Traffic, sticky: Sticky, weights: Mapping[str, int]) -> list[Manifest]:
    """The three rules; parked ones lead where all others go, so that there is something behind them."""
    home = _home(weights, sticky)
    if not sticky.revision:
        main = [rules.backend(*each) for each in weights.items()]
        apart = {"matches": rules.parked(traffic), "backendRefs": main}
        return [
            apart,
            apart,
            {"matches": rules.parked(traffic), "backendRefs": _draw(sticky, dict.fromkeys(sticky.marks, home))},
        ]
    moved = [mark for mark in sticky.marks if mark <= weights[sticky.revision]]
    leads = {mark: sticky.revision if mark in moved else home for mark in sticky.marks}
    return [
        _kept(traffic, sticky, (sticky.revision, moved)),
        _kept(traffic, sticky, (home, [mark for mark in sticky.marks if mark not in moved])),
        {"matches": [rules.path(traffic)], "backendRefs": _draw(sticky, leads)},
    ]


def way_back(weights: Mapping[str, int], sticky: Sticky) -> dict[str, int]:
    """What the main rule says while the draw has its place: all of it home, so that a return is one change of rules."""
    home = _home(weights, sticky)
    return {name: 100 if name == home else 0 for name in weights}


def _home(weights: Mapping[str, int], sticky: Sticky) -> str:
    return max((name for name in weights if name != sticky.revision), key=lambda name: weights[name])


def _kept(traffic: Traffic, sticky: Sticky, who: tuple[str, Sequence[int]]) -> Manifest:
    revision, marks = who
    header = rules.cookie(sticky.cookie, *(_value(sticky, mark) for mark in marks))
    return {
        "matches": [rules.path(traffic) | {"headers": [header]}],
        "backendRefs": [rules.backend(revision, 100)],
    }


def _draw(sticky: Sticky, leads: Mapping[int, str]) -> list[Manifest]:
    """A backend for each mark, with the share of users that have it."""
    shares = [high - low for low, high in pairwise((0, *sticky.marks))]
    return [
        rules.backend(leads[mark], share) | {"filters": [_set(sticky, mark)]}
        for mark, share in zip(sticky.marks, shares, strict=True)
    ]


def _set(sticky: Sticky, mark: int) -> Manifest:
    """Added to what the server sets itself. It says nothing of the user, and scripts have no use for it."""
    text = f"{sticky.cookie}={_value(sticky, mark)}; Path=/; Max-Age={sticky.seconds}; HttpOnly; SameSite=Lax"
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": HEADER, "value": text}]}}


def _value(sticky: Sticky, mark: int) -> str:
    return f"{sticky.draw}.{mark}"


def split(all_rules: Sequence[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """The rules of a route without ours, and ours; none where there is no draw."""
    last = next((n for n, rule in enumerate(all_rules) if any(_cookies(rule))), None)
    if last is None:
        return list(all_rules), []
    first = max(0, last + 1 - PLACES)
    return [*all_rules[:first], *all_rules[last + 1 :]], list(all_rules[first : last + 1])


def read(ours: Sequence[Manifest]) -> Sticky | None:
    """What the three rules say; None where there are none, or nobody can say what they mean."""
    texts = [text for text in _cookies(ours[-1]) if text] if ours else []
    said = [text.partition(";")[0].partition("=") for text in texts]
    values = [value.rpartition(".") for _, _, value in said]
    if len(ours) != PLACES or not values or not all(mark.isdecimal() for _, _, mark in values):
        return None
    age = texts[0].partition("Max-Age=")[2].partition(";")[0]
    return Sticky(
        cookie=said[0][0],
        draw=values[0][0],
        marks=tuple(int(mark) for _, _, mark in values),
        seconds=int(age) if age.isdecimal() else 0,
        revision="" if rules.headers(ours[-1]) else next(iter(rules.weights(ours[0])), ""),
    )


def _cookies(rule: Mapping[str, Any]) -> list[str]:
    """What a rule's backends set, one text for each; none for a rule that sets none."""
    made = []
    for ref in rule.get("backendRefs") or []:
        changes = [each.get("responseHeaderModifier") or {} for each in ref.get("filters") or []]
        made += [one["value"] for change in changes for one in change.get("add") or [] if one["name"] == HEADER]
    return made
