"""Every field of a ModelDeployment, one after another; with all values, and along random paths, at night."""

import pytest

from tests.walk import servers
from tests.walk.grounds import GROUNDS, ground_of, planted
from tests.walk.leaves import UNWALKED, Leaf, bad, good, leaves
from tests.walk.walk import along, bare, detour, walked


def test_every_leaf_of_the_schema_is_walked_or_named_with_a_reason() -> None:
    names = {leaf.name for leaf in leaves()}
    assert len(names) >= 180
    assert UNWALKED.keys() <= names
    for leaf in walked():
        assert ground_of(leaf) in GROUNDS and good(leaf) and bad(leaf), leaf.name
        assert len(good(leaf)) > 1 or leaf.name == "traffic.route.name", f"{leaf.name} has nowhere to go"


def test_every_leaf_of_a_runtime_is_walked_or_named_with_a_reason() -> None:
    assert servers.UNWALKED.keys() <= {leaf.name for leaf in leaves(servers.KIND)}
    assert len(servers.walked()) > 50
    assert all(len(servers.values(leaf)) > 1 for leaf in servers.walked())


@pytest.mark.parametrize("leaf", walked(), ids=lambda leaf: leaf.name)
def test_a_field_that_is_set_and_taken_away_ends_where_it_began(leaf: Leaf) -> None:
    values = [planted(GROUNDS[ground_of(leaf)], leaf, value) for value in good(leaf)[:2]]
    assert list(along([bare(leaf), values[-1], bare(leaf)])) == []


@pytest.mark.parametrize("leaf", walked()[::6], ids=lambda leaf: leaf.name)
def test_what_no_schema_lets_through_is_named_and_changes_nothing(leaf: Leaf) -> None:
    assert list(detour(leaf)) == []


@pytest.mark.parametrize("leaf", servers.walked()[::3], ids=lambda leaf: leaf.name)
def test_an_edited_runtime_acts_on_the_next_version_and_on_nothing_that_runs(leaf: Leaf) -> None:
    assert list(servers.edited(leaf)) == []
