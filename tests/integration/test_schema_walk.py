"""What the API server says of every field and value that is walked, and a part of the walk on it."""

import asyncio

from tests.conftest import ControlPlane
from tests.walk import servers
from tests.walk.dry import deployment, refusals, runtime
from tests.walk.grounds import GROUNDS, UNSET, ground_of, planted
from tests.walk.leaves import HELD, bad, can_go, good
from tests.walk.real import reachable, there_and_away, walked_on
from tests.walk.walk import walked


def test_the_schema_takes_every_good_value_and_refuses_every_other(control_plane: ControlPlane) -> None:
    asked = {f"ground {name}": (deployment(spec), True) for name, spec in GROUNDS.items()}
    for leaf in walked():
        ground = GROUNDS[ground_of(leaf)]
        tried = [(f"good {v!r}", planted(ground, leaf, v), True) for v in good(leaf)]
        tried += [(f"bad {v!r}", planted(ground, leaf, v), False) for v in bad(leaf)]
        if can_go(leaf) or leaf.name in HELD:
            tried.append(("away", planted(ground, leaf, UNSET), can_go(leaf)))
        asked |= {f"{leaf.name}: {how}": (deployment(spec), fits) for how, spec, fits in tried}
    for leaf in servers.walked():
        asked |= {f"{leaf.name}: {how}": (runtime(spec), fits) for how, spec, fits in servers.tried(leaf)}
    said = asyncio.run(refusals(str(control_plane.kubeconfig), [live for live, _ in asked.values()]))
    wrong = [
        f"{name[:200]}: {words[:300] or 'is taken'}"
        for (name, (_, fits)), words in zip(asked.items(), said, strict=True)
        if bool(words) is fits
    ]
    assert not wrong, "\n".join(wrong)
    assert len(asked) > 1300


def test_a_field_that_is_taken_away_leaves_what_was_there_before(control_plane: ControlPlane) -> None:
    found = walked_on(control_plane, "walk", reachable()[::9], there_and_away)
    assert not found, "\n".join(found)
