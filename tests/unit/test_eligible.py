"""Which nodes take pods of a spec at all."""

import pytest

from penstock.core.eligible import obstacle
from penstock.model.room import Taint
from tests.unit.rooms import TAINT, Object, node, pod

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
