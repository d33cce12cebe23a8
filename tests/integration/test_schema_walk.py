"""What the API server says of every field and value that is walked, and a part of the walk on it."""

import asyncio

from tests.conftest import ControlPlane
from tests.walk.dry import refusals
from tests.walk.grounds import GROUNDS, UNSET, ground_of, planted
from tests.walk.leaves import HELD, bad, can_go, good
from tests.walk.real import reachable, there_and_away, walked_on
from tests.walk.walk import walked


def test_the_schema_takes_every_good_value_and_refuses_every_other(control_plane: ControlPlane) -> None:
    asked = {f"ground {name}": (spec, True) for name, spec in GROUNDS.items()}
    for leaf in walked():
        ground = GROUNDS[ground_of(leaf)]
        asked |= {f"{leaf.name}: good {value!r}": (planted(ground, leaf, value), True) for value in good(leaf)}
        asked |= {f"{leaf.name}: bad {value!r}": (planted(ground, leaf, value), False) for value in bad(leaf)}
        if can_go(leaf) or leaf.name in HELD:
            asked[f"{leaf.name}: away"] = planted(ground, leaf, UNSET), can_go(leaf)
    said = asyncio.run(refusals(str(control_plane.kubeconfig), [spec for spec, _ in asked.values()]))
    wrong = [
        f"{name[:200]}: {words[:300] or 'is taken'}"
        for (name, (_, fits)), words in zip(asked.items(), said, strict=True)
        if bool(words) is fits
    ]
    assert wrong == [] and len(asked) > 1000


def test_a_field_that_is_taken_away_leaves_what_was_there_before(control_plane: ControlPlane) -> None:
    found = walked_on(control_plane, "walk", reachable()[::9], there_and_away)
    assert not found, "\n".join(found)
