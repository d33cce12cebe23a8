"""Whether a candidate would fit, and in whose place: v1 is stable with two pods, v2 is wanted with two."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.status import Leaving, Status
from penstock.core.decide import advance
from penstock.core.moves import Turn
from penstock.core.preflight import lacks
from penstock.model.room import Node, Room
from penstock.model.values import Snapshot, Workload, World
from tests.unit.rooms import GPU, Object, node, pod, quota
from tests.unit.worlds import STABLE, V1, V2, V3, ago, usual

NO_CPU = {"cpu": "0"}
POLICIES = {"Surge": ("plain", ""), "Refuse": ("plain", "refuse"), "Replace": ("replace", "")}


def snapshot(spec: Object) -> Snapshot:
    return Snapshot("v", 8080, {"spec": spec}, {})


def asking(policy: str, room: Room | None, wish: Object | None = None, **more: Any) -> World:
    """v2 is wanted, whose pods have this spec; those of v1 and v3 ask for one cpu."""
    world = usual("v2", *POLICIES[policy])
    owned = frozenset(("Deployment", name) for name in more.pop("there", (V1,)))
    made = {V1: snapshot(pod("1")), V2: snapshot(wish or pod("1")), V3: snapshot(pod("1"))}
    pods = more.pop("pods", {V1: Workload(2, 2)})
    world = replace(world, status=Status(stable=STABLE), snapshots=made, owned=owned, workloads=pods, room=room)
    return replace(world, **more)


def full(*held: tuple[str, dict[str, int]], name: str = "a", **more: Any) -> Room:
    """One node without any cpu left, on which these pods of ours are."""
    return Room((node(name, NO_CPU),), held=dict(held), **more)


HOME = (V1, {"a": 2})


@pytest.mark.parametrize(
    ("policy", "room", "wish", "words"),
    [
        ("Surge", full(HOME), pod("1"), "0 of 2 pods fit: 1 of 1 nodes has too little cpu"),
        ("Refuse", full(HOME), pod("1"), "0 of 2 pods fit: 1 of 1 nodes has too little cpu"),
        ("Replace", full(HOME), pod("1"), ""),
        (
            "Replace",
            full(HOME),
            pod("2"),
            "even in place of the stable pods 1 of 2 pods fits: 1 of 1 nodes has too little",
        ),
        (
            "Replace",
            full(HOME),
            pod("1", gpu=1),
            f"even in place of the stable pods 0 of 2 pods fit: 1 of 1 nodes lacks {GPU}",
        ),
        ("Replace", full((V1, {"a": 1})), pod("1"), "even in place of the stable pods 1 of 2 pods fits"),
        ("Replace", full(HOME, growable=True), pod("2"), ""),
        ("Replace", None, pod("2"), ""),
    ],
)
def test_what_a_candidate_lacks(policy: str, room: Room | None, wish: Object, words: str) -> None:
    found = lacks(asking(policy, room, wish), V2)
    assert found.startswith(words) and bool(found) == bool(words), found


@pytest.mark.parametrize(("hard", "fits"), [("2", True), ("1", False)])
@pytest.mark.parametrize("nodes", [None, (node("a"),)])
def test_pods_that_nobody_saw_on_a_node_hold_quota(nodes: tuple[Node, ...] | None, hard: str, fits: bool) -> None:
    """Where nodes may not be looked at, and for pods that wait for one."""
    room = Room(nodes, (quota({"requests.cpu": hard}, {"requests.cpu": "2"}),))
    assert bool(lacks(asking("Replace", room), V2)) != fits


def test_where_the_stable_pods_really_are_counts() -> None:
    elsewhere = replace(full(HOME), nodes=(node("a", NO_CPU, cordoned=True), node("b", NO_CPU)))
    assert "even in place of the stable pods 0 of 2 pods fit" in lacks(asking("Replace", elsewhere), V2)


@pytest.mark.parametrize("policy", POLICIES)
def test_pods_that_leave_count_as_gone(policy: str) -> None:
    """A third version in mid-rollout is not refused for the pods of the second, which leaves for it."""
    gone = Leaving(revision=V3, since=ago(1), after=ago(-20))
    pods = {V1: Workload(2, 2), V3: Workload(2, 2)}
    status = Status(stable=STABLE, leaving=[gone])
    world = asking(policy, full(HOME, (V3, {"a": 2})), there=(V1, V3), pods=pods, status=status)
    assert lacks(world, V2) == ""
    theirs = replace(world, owned=frozenset({("Deployment", V1)}))
    assert bool(lacks(theirs, V2)) == (policy != "Replace"), "pods of others stay"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_revision_that_comes_back_is_not_in_its_own_way(policy: str) -> None:
    pods = {V1: Workload(2, 2), V2: Workload(2, 2)}
    world = asking(policy, full(HOME, (V2, {"a": 2})), there=(V1, V2), pods=pods)
    assert lacks(world, V2) == ""


def refused(turn: Turn) -> str:
    """Why the candidate was not begun; empty where it was."""
    assert bool(turn.status.candidate) != bool(turn.status.rejected)
    return turn.status.rejected[0].message if turn.status.rejected else ""


def test_surge_begins_and_says_it_and_the_others_refuse() -> None:
    begun = advance(asking("Surge", full(HOME)))
    assert refused(begun) == ""
    assert begun.status.candidate and begun.status.candidate.preflight.startswith("0 of 2 pods fit")
    assert refused(advance(asking("Refuse", full(HOME)))).startswith("not begun (capacityPolicy: Refuse): 0 of 2 pods")
    assert refused(advance(asking("Replace", full(HOME)))) == ""
    turn = advance(asking("Replace", full(HOME), pod(gpu=1)))
    said = "not begun (capacityPolicy: Replace): even in place of the stable pods 0 of 2 pods fit"
    assert refused(turn).startswith(said)
    assert [(n.reason.value, n.warning) for n in turn.notices] == [("InsufficientCapacity", True)]
    assert turn.status.stable == STABLE


@pytest.mark.parametrize("policy", POLICIES)
def test_a_first_revision_is_never_refused(policy: str) -> None:
    turn = advance(asking(policy, full(), pod("9"), status=Status(), there=(), pods={}))
    assert refused(turn) == ""
    assert turn.status.candidate and turn.status.candidate.preflight.startswith("0 of 2 pods fit")


@pytest.mark.parametrize("unseen", ["", "quotas were not checked: the operator may not list them"])
def test_what_could_not_be_looked_at_is_said_when_it_begins(unseen: str) -> None:
    (notice,) = advance(asking("Replace", Room(None, unseen=unseen))).notices
    assert notice.message.endswith(f"bake 60s; {unseen}" if unseen else "bake 60s")
