"""Whether more pods fit: the sentences and quotas by tables, the count against a search over all placements."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.capacity import shortage, without
from penstock.model.room import Node, Room, Scope, Taint
from tests.unit.rooms import GPU, TAINT, Object, container, node, pod, quota


def said(room: Room, spec: Object, pods: int = 1) -> str:
    """The sentence, or nothing."""
    found = shortage(room, spec, pods)
    return found.message if found else ""


# the sentence


def test_what_fits_is_not_spoken_of() -> None:
    room = Room((node("a"), node("b")), (quota({"pods": "9"}, {"pods": "5"}),))
    assert shortage(room, pod("1"), 4) is None
    assert shortage(room, pod(), 4) is None
    assert shortage(Room(None), pod("100"), 50) is None, "what nobody may look at is not known to be short"
    assert shortage(Room((node(free={"cpu": "-3"}),)), pod(), 1) is None, "who asks for no cpu needs none"
    assert shortage(Room(()), pod(), 0) is None


@pytest.mark.parametrize(
    ("room", "spec", "pods", "words"),
    [
        (
            Room((*(node(f"n{i}") for i in range(3)), *(node(f"g{i}", {GPU: "8"}) for i in range(2)))),
            pod("1", gpu=1, nodeSelector={"accelerator": "a100"}),
            2,
            "0 of 2 pods fit: 5 of 5 nodes do not match nodeSelector accelerator=a100",
        ),
        (
            Room(
                (
                    *(node(f"n{i}", labels={"accelerator": "a100"}) for i in range(3)),
                    *(node(f"g{i}", {GPU: "8"}) for i in range(2)),
                )
            ),
            pod("1", gpu=1, nodeSelector={"accelerator": "a100"}),
            2,
            "0 of 2 pods fit: 3 of 5 nodes lack nvidia.com/gpu, 2 do not match nodeSelector accelerator=a100",
        ),
        (
            Room((node("a", {GPU: "1"}), node("b"))),
            pod("1", gpu=1),
            2,
            "1 of 2 pods fits: 1 of 2 nodes has too little nvidia.com/gpu left (0, a pod needs 1),"
            " 1 lacks nvidia.com/gpu",
        ),
        (
            Room((node("a", {"cpu": "2500m"}), node("b", {"cpu": "300m"}))),
            pod("1"),
            4,
            "2 of 4 pods fit: 2 of 2 nodes have too little cpu left (at most 500m, a pod needs 1)",
        ),
        (
            Room((node("a", {"memory": "16265324Ki"}),)),
            {"containers": [container({"memory": "20Gi"})]},
            1,
            "0 of 1 pods fit: 1 of 1 nodes has too little memory left (15.5Gi, a pod needs 20Gi)",
        ),
        (
            Room((node("a", {"pods": "1"}), node("b", {"pods": "-1"}))),
            pod("100m"),
            2,
            "1 of 2 pods fits: 2 of 2 nodes have as many pods as they may",
        ),
        (
            Room((node("a", {"cpu": "-1"}),)),
            pod("1", gpu=1),
            1,
            "0 of 1 pods fit: 1 of 1 nodes lacks nvidia.com/gpu",
        ),
        (
            Room((node("a", cordoned=True), node("b", taints=(TAINT,)), node("c", taints=(TAINT,)))),
            pod("1"),
            1,
            "0 of 1 pods fit: 2 of 3 nodes have the taint dedicated=ml:NoSchedule, 1 is cordoned",
        ),
        (
            Room(tuple(node(f"n{i}", taints=(Taint(f"team-{i}"),)) for i in range(5))),
            pod(),
            1,
            "0 of 1 pods fit: 1 of 5 nodes has the taint team-0:NoSchedule, 1 has the taint team-1:NoSchedule,"
            " 1 has the taint team-2:NoSchedule, 2 other",
        ),
        (Room(()), pod(), 1, "0 of 1 pods fit: the cluster has no nodes"),
        (
            Room((node(),), (quota({"requests.cpu": "10"}, {"requests.cpu": "8"}),)),
            pod("2"),
            2,
            "1 of 2 pods fits: quota ml/compute: requests.cpu 8 of 10 used, 4 more needed",
        ),
        (
            Room(None, (quota({"limits.memory": "4Gi", "pods": "9"}, {"limits.memory": "5Gi"}),)),
            {"containers": [container({}, {"memory": "1536Mi"})]},
            2,
            "0 of 2 pods fit: quota ml/compute: limits.memory 5Gi of 4Gi used, 3Gi more needed",
        ),
        (
            Room((node(),), (quota({f"requests.{GPU}": "1"}, {}), quota({"pods": "4"}, {"pods": "3"}))),
            pod(gpu=1),
            2,
            "0 of 2 pods fit: 1 of 1 nodes lacks nvidia.com/gpu",
        ),
    ],
)
def test_a_shortage_is_said_with_its_cause(room: Room, spec: Object, pods: int, words: str) -> None:
    found = shortage(room, spec, pods)
    assert found and found.message == words
    assert found.fits == int(words.split()[0])


def test_nodes_that_are_made_on_demand_are_no_reason_to_be_sure() -> None:
    room = Room((node(),), growable=True)
    found = shortage(room, pod("3"), 1)
    assert found and found.growable
    none = shortage(Room(()), pod(), 1)
    assert none and none.growable, "a cluster that shows no node at all makes them on demand"
    full = shortage(replace(room, quotas=(quota({"cpu": "5"}, {"cpu": "1"}),)), pod("3"), 2)
    assert full and not full.growable and full.message.startswith("1 of 2 pods fits: quota"), "a quota does not grow"


# quotas


def has(name: str, operator: str = "Exists", *values: str) -> Scope:
    return Scope(name, operator, values)


@pytest.mark.parametrize(
    ("spec", "scope", "counts"),
    [
        (pod("1"), has("NotTerminating"), True),
        (pod("1"), has("Terminating"), False),
        (pod("1"), has("NotBestEffort"), True),
        (pod("1"), has("BestEffort"), False),
        (pod(gpu=1), has("BestEffort"), True),
        (pod("1"), has("CrossNamespacePodAffinity"), False),
        (pod("1"), has("OfTheFuture"), False),
        (pod("1"), has("PriorityClass"), False),
        (pod("1"), has("PriorityClass", "NotIn", "high"), False),
        (pod("1", priorityClassName="high"), has("PriorityClass"), True),
        (pod("1", priorityClassName="high"), has("PriorityClass", "In", "high", "top"), True),
        (pod("1", priorityClassName="high"), has("PriorityClass", "In", "low"), False),
        (pod("1", priorityClassName="high"), has("PriorityClass", "NotIn", "low"), True),
        (pod("1", priorityClassName="high"), has("PriorityClass", "NotIn", "high"), False),
        (pod("1", priorityClassName="high"), has("PriorityClass", "DoesNotExist"), False),
    ],
)
def test_a_quota_counts_only_the_pods_of_its_scope(spec: Object, scope: Scope, counts: bool) -> None:
    full = {"pods": "1"}
    assert bool(said(Room(None, (quota(full, full, scope),)), spec)) == counts
    assert not said(Room(None, (quota(full, full, scope, has("Terminating")),)), spec), "all scopes must hold"


def test_a_quota_of_what_the_pods_do_not_use_is_no_obstacle() -> None:
    full = quota({"services": "1", "requests.cpu": "1", f"requests.{GPU}": "0"}, {"services": "1", "requests.cpu": "1"})
    assert shortage(Room(None, (full,)), pod(), 9) is None
    assert shortage(Room(None, (full,)), pod("0"), 9) is None


# making room


def test_pods_that_go_give_back_what_they_held() -> None:
    spec, taken = pod("1", gpu=1), quota({"requests.cpu": "2", "pods": "3"}, {"requests.cpu": "2", "pods": "2"})
    room = Room((node("a", {GPU: "0"}), node("b", {GPU: "0"})), (taken,), {"churn-1": {"a": 2}})
    assert said(room, spec, 2).startswith("0 of 2 pods fit")
    assert shortage(without(room, spec, room.held["churn-1"]), spec, 2) is None
    assert said(without(room, spec, {"a": 1}), spec, 2).startswith(
        "1 of 2 pods fits: quota ml/compute: requests.cpu 1 of 2"
    )
    assert said(without(room, pod("2"), {"a": 1}), spec).startswith("0 of 1 pods fit"), "it held no gpu"


def test_a_quota_never_gets_back_more_than_it_gave() -> None:
    room = without(Room(None, (quota({"pods": "3"}, {"pods": "1"}),)), pod(), {"a": 2})
    assert room.quotas[0].limits == {"pods": (3000, 0)}, "its count may be older than that of the pods"


def test_pods_without_a_node_hold_only_quota() -> None:
    spec, taken = pod("1"), quota({"pods": "1"}, {"pods": "1"})
    assert shortage(without(Room(None, (taken,)), spec, {"": 1}), spec, 1) is None
    full = Room((node(free={"cpu": "0"}),), (taken,))
    assert said(without(full, spec, {"": 1}), spec).startswith("0 of 1 pods fit: 1 of 1 nodes has too little cpu")
    other = quota({"pods": "1"}, {"pods": "1"}, has("BestEffort"))
    assert without(Room(None, (other,)), spec, {"": 1}).quotas == (other,)


# the count, against a search

SIZES = st.fixed_dictionaries(
    {"pods": st.integers(-1, 3)},
    optional={"cpu": st.integers(-2, 6), "memory": st.integers(0, 6), GPU: st.integers(0, 2)},
)
ASKED = st.fixed_dictionaries(
    {}, optional={"cpu": st.integers(0, 4), "memory": st.integers(0, 4), GPU: st.integers(0, 2)}
)
KINDS = st.sampled_from(["plain", "tainted", "labelled", "cordoned"])


def most(free: list[dict[str, int]], asked: Mapping[str, int]) -> int:
    """The largest number of pods that any way of placing them reaches: one is put somewhere, then the rest."""
    best = 0
    for here in free:
        if all(here.get(name, 0) >= value for name, value in asked.items() if value):
            for name, value in asked.items():
                here[name] = here.get(name, 0) - value
            best = max(best, 1 + most(free, asked))
            for name, value in asked.items():
                here[name] += value
    return best


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SIZES, KINDS), max_size=3), ASKED, st.integers(0, 2), st.integers(0, 8))
def test_the_count_is_the_best_that_any_placement_reaches(
    sizes: list[tuple[dict[str, int], str]], asked: dict[str, int], kind: int, pods: int
) -> None:
    picky = [{}, {"nodeSelector": {"kind": "labelled"}}, {"tolerations": [{"operator": "Exists"}]}][kind]
    open_to = [{"plain", "labelled"}, {"labelled"}, {"plain", "tainted", "labelled", "cordoned"}][kind]
    nodes = tuple(
        Node(
            str(i),
            {name: value * 1000 for name, value in size.items()},
            {"kind": kind},
            (TAINT,) if kind == "tainted" else (),
            kind == "cordoned",
        )
        for i, (size, kind) in enumerate(sizes)
    )
    spec = {"containers": [container({name: str(value) for name, value in asked.items()})], **picky}
    best = most([dict(size) for size, kind in sizes if kind in open_to], asked | {"pods": 1})
    found = shortage(Room(nodes), spec, pods)
    assert (found.fits if found else pods) == min(best, pods)
    if found:
        assert found.message.startswith(f"{best} of {pods} pods ")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SIZES, st.integers(0, 3)), min_size=1, max_size=3), ASKED)
def test_making_room_is_the_inverse_of_filling_it(
    sizes: list[tuple[dict[str, int], int]], asked: dict[str, int]
) -> None:
    nodes = tuple(
        Node(str(i), {name: value * 1000 for name, value in size.items()}) for i, (size, _) in enumerate(sizes)
    )
    spec, where = {"containers": [container({k: str(v) for k, v in asked.items()})]}, {}
    for i, (_, count) in enumerate(sizes):
        where[str(i)] = count
    back = without(without(Room(nodes), spec, where), spec, {name: -count for name, count in where.items()})
    assert back == Room(nodes)
