"""EndpointSlices in numbers, and what a turn makes of them: ready is who can be reached."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.checks.ready import ready, standing
from penstock.core.strategy import present_step
from penstock.model.reasons import Reason
from penstock.model.values import Outcome, Workload
from penstock.shell.cache import Cache
from penstock.shell.endpoints import Endpoints, reached, read
from penstock.shell.observe import Means, observe
from penstock.shell.projection import FOLLOWING, project
from tests.sim.machine import START, model
from tests.unit.test_decide import settled_at
from tests.unit.worlds import V2

Object = dict[str, Any]
NAME = "churn-1"


def endpoint(**conditions: bool | None) -> Object:
    return {"addresses": ["10.0.0.1"], "conditions": conditions}


def piece(*endpoints: Object, name: str = "a", family: str = "IPv4", **meta: Any) -> Object:
    labels = {"penstock.dev/name": "churn", "penstock.dev/revision": NAME, "kubernetes.io/service-name": NAME}
    owner = [{"kind": "Service", "name": NAME, "uid": "service", "controller": True}]
    meta = {"name": f"{NAME}-{name}", "namespace": "ml", "uid": name, "resourceVersion": "7", "labels": labels} | meta
    return {
        "kind": "EndpointSlice",
        "metadata": meta | {"ownerReferences": owner},
        "addressType": family,
        "endpoints": list(endpoints),
    }


@pytest.mark.parametrize(
    ("conditions", "counts"),
    [
        ({"ready": True}, 1),
        ({"ready": True, "serving": True, "terminating": False}, 1),
        ({"ready": False}, 0),
        ({"ready": False, "serving": True, "terminating": True}, 0),
        ({"ready": True, "terminating": True}, 0),  # a Service that publishes addresses that are not ready
        ({}, 1),  # unknown is to be taken as ready
        ({"ready": None}, 1),
    ],
)
def test_an_endpoint_counts_when_it_is_ready_and_stays(conditions: dict[str, bool | None], counts: int) -> None:
    assert read(piece(endpoint(**conditions))).ready == counts


def test_slices_add_up_and_families_of_addresses_do_not() -> None:
    mine = [Endpoints("a", "IPv4", 100), Endpoints("a", "IPv4", 20), Endpoints("a", "IPv6", 119)]
    assert reached([*mine, Endpoints("b", "IPv6", 1)]) == {"a": 120, "b": 1}
    assert reached([Endpoints("a", "IPv4", 2), Endpoints("a", "IPv6", 0)]) == {"a": 2}, "pods without such an address"


def test_an_empty_slice_and_a_strange_one_lead_nowhere() -> None:
    assert read(piece() | {"endpoints": None}).ready == 0
    assert read({"kind": "EndpointSlice", "metadata": {"name": "x"}}) == Endpoints("", "", 0)


def test_only_a_number_is_kept_of_a_slice() -> None:
    slices = piece(*[endpoint(ready=True)] * 100)
    child = project(slices)
    child.keep(slices)
    assert child.seen == Endpoints(NAME, "IPv4", 100) and child.read() is None and child.fingerprint == ""
    assert not child.is_given() and not child.is_ours("uid")


def seen(cache: Cache) -> Workload:
    world = observe(cache, ("ml", "churn"), START, Means(frozenset({"default"})))
    assert world and not {kind for kind, _ in world.owned} & set(FOLLOWING)
    return world.workloads[NAME]


def test_ready_is_the_smaller_of_ready_pods_and_endpoints() -> None:
    cache = Cache()
    wish = model("v1")
    wish["metadata"] |= {"uid": "uid", "generation": 1, "resourceVersion": "1"}
    cache.see_parent(wish)
    meta = {"name": NAME, "namespace": "ml", "uid": "d", "resourceVersion": "3"}
    meta |= {"labels": {"penstock.dev/name": "churn", "penstock.dev/revision": NAME}}
    meta |= {"ownerReferences": [{"uid": "uid", "controller": True}]}
    spec = {"replicas": 3, "template": {"metadata": {}}}
    pods = {"kind": "Deployment", "metadata": meta, "spec": spec, "status": {"readyReplicas": 3}}
    assert cache.see_child(pods) == ("ml", "churn")
    assert seen(cache) == Workload(3, 0, "", 3), "no Service, no way to it"
    assert cache.see_child(piece(endpoint(ready=True), endpoint(ready=False))) == ("ml", "churn")
    assert seen(cache) == Workload(3, 1, "", 3)
    more = piece(*[endpoint(ready=True)] * 4, resourceVersion="8")
    assert cache.see_child(more) == ("ml", "churn")
    assert seen(cache) == Workload(3, 3, "", 3), "an endpoint that no pod of ours says to be ready does not count"
    assert cache.see_child(more | {"metadata": more["metadata"] | {"resourceVersion": "9"}}) is None, "the same number"
    cache.forget_child(more)
    assert seen(cache).ready == 0


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        (Workload(2, 0), "0 of 2 pods ready"),
        (Workload(2, 2, "", 2), "2 of 2 pods ready"),
        (Workload(2, 1, "", 1), "1 of 2 pods ready"),
        (Workload(2, 1, "", 2), "2 of 2 pods ready, 1 of them endpoints of their Service"),
        (Workload(3, 2, "", 3), "2 of 2 pods ready"),
    ],
)
def test_what_is_said_tells_pods_from_endpoints(workload: Workload, said: str) -> None:
    assert standing(workload, 2) == said


def test_the_check_waits_for_endpoints_and_says_so() -> None:
    world = settled_at("plain", 0)
    assert world.status.candidate
    step = present_step(world, world.status.candidate)
    late = replace(world, workloads={**world.workloads, V2: Workload(2, 0, "", 2)})
    found = ready(late, step)
    assert (found.outcome, found.reason) == (Outcome.WAIT, Reason.WAITING_FOR_PODS)
    assert found.message == "1 of 1 pods ready, 0 of them endpoints of their Service"
