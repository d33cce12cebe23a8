"""Whether more pods fit: sums, rules and sentences by tables; the count against a search over all placements."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.capacity import shortage, without
from penstock.core.demand import is_best_effort, requests, uses
from penstock.core.eligible import obstacle
from penstock.model.quantity import amount, spelled
from penstock.model.room import Node, Quota, Room, Scope, Taint

Object = dict[str, Any]
GPU = "nvidia.com/gpu"


def pod(cpu: str = "", gpu: int = 0, **more: Any) -> Object:
    """A pod spec as the template renders it."""
    asked = ({"cpu": cpu} if cpu else {}) | ({GPU: str(gpu)} if gpu else {})
    return {"containers": [{"name": "server", "resources": {"requests": asked}}], **more}


def node(name: str = "n", free: Mapping[str, str] | None = None, **more: Any) -> Node:
    """A node with room for ten pods and two cpus, or as told."""
    free = {"cpu": "2", "memory": "8Gi", "pods": "10"} | dict(free or {})
    return Node(name, {key: amount(text) for key, text in free.items()}, **more)


def quota(hard: Mapping[str, str], used: Mapping[str, str], *scopes: Scope) -> Quota:
    """A quota of namespace ml."""
    return Quota("ml/compute", {key: (amount(hard[key]), amount(used.get(key, "0"))) for key in hard}, scopes)


def said(room: Room, spec: Object, pods: int = 1) -> str:
    """The sentence, or nothing."""
    found = shortage(room, spec, pods)
    return found.message if found else ""


# quantities


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("0", 0),
        ("2", 2000),
        ("500m", 500),
        ("1.5", 1500),
        (".5", 500),
        ("1.", 1000),
        ("1Ki", 1024_000),
        ("1.5Gi", 1610612736_000),
        ("16265324Ki", 16655691776_000),
        ("1k", 1000_000),
        ("129M", 129_000_000_000),
        ("1e3", 1000_000),
        ("12E2", 1200_000),
        ("1E", 10**21),
        ("1Ei", 2**60 * 1000),
        ("1u", 1),
        ("1n", 1),
        ("1000001n", 2),
        ("0.0005", 1),
        ("-1", -1000),
        ("-1500m", -1500),
        ("2e-3", 2),
    ],
)
def test_a_quantity_is_read_exactly_and_rounded_up_to_thousandths(text: str, thousandths: int) -> None:
    assert amount(text) == thousandths


@pytest.mark.parametrize("text", ["", "1kB", "1,5", "0x10", "1 Gi", "Gi", "1e9999", "one", "1mi", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


@given(st.integers(0, 10**6), st.sampled_from(["", "m", "k", "Ki", "M", "Mi", "G", "Gi", "T", "Ti"]))
def test_sums_of_quantities_are_exact(count: int, unit: str) -> None:
    scale = {"": 1, "m": Fraction(1, 1000), "k": 1000, "Ki": 1024, "M": 1000**2, "Mi": 1024**2}
    scale |= {"G": 1000**3, "Gi": 1024**3, "T": 1000**4, "Ti": 1024**4}
    assert amount(f"{count}{unit}") == count * scale[unit] * 1000
    assert amount(f"{count}{unit}") * 3 == amount(f"{3 * count}{unit}")


@pytest.mark.parametrize(
    ("resource", "text", "words"),
    [
        ("cpu", "2", "2"),
        ("cpu", "1500m", "1500m"),
        ("requests.cpu", "2000m", "2"),
        ("memory", "1Gi", "1Gi"),
        ("limits.memory", "1536Mi", "1536Mi"),
        ("memory", "16265324Ki", "15.5Gi"),
        ("memory", "1023", "1023"),
        ("memory", "0", "0"),
        ("hugepages-2Mi", "4Mi", "4Mi"),
        ("requests.nvidia.com/gpu", "4", "4"),
        ("pods", "10", "10"),
    ],
)
def test_amounts_are_spelled_for_people(resource: str, text: str, words: str) -> None:
    assert spelled(resource, amount(text)) == words


# what a pod asks for


def container(requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}, **more}


ALWAYS = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu", "memory"),
    [
        ({"containers": [container({"cpu": "1"}), container({"cpu": "500m", "memory": "1"})]}, 1500, 1000),
        ({"containers": [container({}, {"cpu": "2", "memory": "5"})]}, 2000, 5000),
        ({"containers": [container({"cpu": "1"}, {"cpu": "2", "memory": "5"})]}, 1000, 5000),
        ({"containers": [container({"cpu": 1})]}, 1000, 0),
        ({"containers": [{"name": "bare"}, {"resources": None}, {"resources": {"requests": None}}]}, 0, 0),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "3"})]}, 3000, 0),
        ({"containers": [container({"cpu": "3"})], "initContainers": [container({"cpu": "2"})] * 2}, 3000, 0),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "2"}, **ALWAYS)]}, 3000, 0),
        (
            {  # the second init container runs beside the first, which restarts
                "containers": [container({"cpu": "1"})],
                "initContainers": [container({"cpu": "2"}, **ALWAYS), container({"cpu": "4"})],
            },
            6000,
            0,
        ),
        (
            {  # the first had ended when the one that restarts began
                "containers": [container({"cpu": "1"})],
                "initContainers": [container({"cpu": "4"}), container({"cpu": "2"}, **ALWAYS)],
            },
            4000,
            0,
        ),
        ({"containers": [container({"cpu": "1"})], "overhead": {"cpu": "250m", "memory": "7"}}, 1250, 7000),
        (
            {
                "containers": [container({"cpu": "1", "memory": "5"})],
                "resources": {"requests": {"cpu": "4", GPU: "9"}, "limits": {"memory": "8"}},
            },
            4000,
            8000,
        ),
    ],
)
def test_a_pod_asks_for_what_the_scheduler_reserves(spec: Object, cpu: int, memory: int) -> None:
    asked = requests(spec)
    assert (asked.get("cpu", 0), asked.get("memory", 0), asked["pods"]) == (cpu, memory, 1000)
    assert GPU not in asked


def test_quotas_know_a_request_under_each_of_its_names() -> None:
    overhead = {"cpu": "1", "ephemeral-storage": "9"}
    taken = uses({"containers": [container({"cpu": "1", GPU: "2"}, {"cpu": "2", "memory": "4"})], "overhead": overhead})
    assert taken == {
        "pods": 1000,
        "count/pods": 1000,
        "cpu": 2000,
        "requests.cpu": 2000,
        "limits.cpu": 3000,
        "memory": 4000,
        "requests.memory": 4000,
        "limits.memory": 4000,
        "ephemeral-storage": 9000,
        "requests.ephemeral-storage": 9000,
        "requests.nvidia.com/gpu": 2000,
    }, "overhead raises only limits that there are"


# which nodes take it at all

CHOSEN = "requiredDuringSchedulingIgnoredDuringExecution"


def affinity(*terms: Object) -> Object:
    return {"affinity": {"nodeAffinity": {CHOSEN: {"nodeSelectorTerms": list(terms)}}}}


def needs(operator: str, *values: str, key: str = "gpu") -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


LABELLED = node("n1", labels={"gpu": "a100", "memory": "80", "odd": "1_0"})
NO_MATCH = "does not match the required node affinity"


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"nodeSelector": {"gpu": "a100"}}, ""),
        ({"nodeSelector": {"gpu": "a100", "memory": "40"}}, "does not match nodeSelector memory=40"),
        ({"nodeSelector": {"disk": ""}}, "does not match nodeSelector disk="),
        ({}, ""),
        ({"affinity": {}}, ""),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [needs("In", "x")]}}}, ""),
        (affinity(needs("In", "a100", "h100")), ""),
        (affinity(needs("In", "h100")), NO_MATCH),
        (affinity(needs("In", "h100"), needs("Exists")), ""),
        (affinity(needs("NotIn", "a100")), NO_MATCH),
        (affinity(needs("NotIn", "x", key="missing")), ""),
        (affinity(needs("Exists", key="missing")), NO_MATCH),
        (affinity(needs("DoesNotExist", key="missing")), ""),
        (affinity(needs("DoesNotExist")), NO_MATCH),
        (affinity(needs("Gt", "40", key="memory")), ""),
        (affinity(needs("Gt", "80", key="memory")), NO_MATCH),
        (affinity(needs("Lt", "100", key="memory")), ""),
        (affinity(needs("Lt", "80", key="memory")), NO_MATCH),
        (affinity(needs("Gt", "40", key="missing")), NO_MATCH),
        (affinity(needs("Lt", "40", key="missing")), NO_MATCH),
        (affinity(needs("Gt", "1", key="odd")), NO_MATCH),
        (affinity(needs("Near", "1")), ""),
        (
            affinity({"matchExpressions": needs("Exists")["matchExpressions"] + needs("Gt", "99")["matchExpressions"]}),
            NO_MATCH,
        ),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}), ""),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}), NO_MATCH),
        (affinity({}), NO_MATCH),
        (affinity(), NO_MATCH),
    ],
)
def test_labels_and_node_affinity_choose_nodes(spec: Object, wrong: str) -> None:
    found = obstacle(LABELLED, spec)
    assert (found.one if found else "") == wrong


TAINT = Taint("dedicated", "ml")


@pytest.mark.parametrize(
    ("toleration", "passes"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "ml"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "value": "web"}, False),
        ({"key": "dedicated"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"value": "ml"}, False),
    ],
)
def test_a_taint_keeps_pods_off_that_do_not_tolerate_it(toleration: Object, passes: bool) -> None:
    found = obstacle(node(taints=(TAINT,)), {"tolerations": [toleration]})
    assert found == (
        None if passes else ("has the taint dedicated=ml:NoSchedule", "have the taint dedicated=ml:NoSchedule")
    )


def test_every_hard_taint_must_be_tolerated_and_a_soft_one_need_not() -> None:
    soft, gone = Taint("busy", "", "PreferNoSchedule"), Taint("gone", "", "NoExecute")
    tolerant = {"tolerations": [{"key": "dedicated", "operator": "Exists"}]}
    assert obstacle(node(taints=(TAINT, soft)), tolerant) is None
    found = obstacle(node(taints=(TAINT, soft, gone)), tolerant)
    assert found and found.one == "has the taint gone:NoExecute"


def test_a_cordoned_node_takes_only_who_tolerates_that() -> None:
    cordoned = node(cordoned=True, taints=(Taint("node.kubernetes.io/unschedulable"),))
    found = obstacle(cordoned, pod())
    assert found and found.one == "is cordoned"
    assert (
        obstacle(cordoned, {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}) is None
    )


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


def test_best_effort_is_about_cpu_and_memory_only() -> None:
    assert is_best_effort(pod(gpu=1)) and is_best_effort({"containers": [{}]})
    assert not is_best_effort({"containers": [container({}, {"memory": "1"})]})


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
