"""What a warm-up adds to a revision's pods, who may say which, and what is told where it does not come about."""

import json
from dataclasses import replace
from typing import Any

import pytest

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Scaling, Spec
from penstock.core.demand import requests
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.platform import Platform
from penstock.model.quantity import amount
from penstock.model.reasons import Reason
from penstock.model.values import Problem, Snapshot, World
from penstock.scaling import hpa
from penstock.scaling.target import Target
from penstock.shell.projection import project
from penstock.warmup import Wish
from tests.sim.machine import RUNTIME, model
from tests.unit.worlds import bare

Object = dict[str, Any]
IMAGE = "penstock.local/operator:1"
CUSTOM = {"request": "Custom", "custom": {"path": "/v1/models/{{model.name}}:predict", "body": '{"price": "$(HOME)"}'}}


def world(runtime: Object | None, server: Object | None = None, **container: Any) -> World:
    """A world whose runtime and user want these warm-ups."""
    spec = RUNTIME["spec"] | ({"warmup": runtime} if runtime else {})
    spec = spec | {"container": spec["container"] | container}
    wish = model("v1", server={"warmup": server} if server else {})["spec"]
    runtimes = ("mlserver", RuntimeSpec.model_validate(spec))
    return replace(bare("v1"), spec=Spec.model_validate(wish), runtime=runtimes, platform=Platform(warmup_image=IMAGE))


def pod(seen: World) -> Object:
    """The pod's spec."""
    made = make_snapshot(seen)
    assert isinstance(made, Snapshot), made
    return dict(made.template["spec"])


def wish(seen: World) -> Wish:
    """What the warm-up container reads, after the kubelet has filled in variables, of which there must be none."""
    (argument,) = pod(seen)["initContainers"][0]["args"]
    assert "$" not in argument
    return Wish(argument)


def test_without_a_warm_up_a_pod_is_as_it_was() -> None:
    (server,) = pod(world(None))["containers"]
    assert "initContainers" not in pod(world(None)) and "startupProbe" not in server


def test_the_kubelet_asks_the_warm_up_container_and_never_kills_a_server_for_its_answer() -> None:
    found = pod(world({"request": "OpenInferenceV2", "timeoutSeconds": 30}))
    (server,), (warmer,) = found["containers"], found["initContainers"]
    asked = wish(world({"request": "OpenInferenceV2"}))
    assert server["startupProbe"] == {
        "httpGet": {"path": "/", "port": asked.listen},
        "periodSeconds": 1,
        "timeoutSeconds": 30,
        "failureThreshold": 2**31 - 1,
    }
    assert server["readinessProbe"] == pod(world(None))["containers"][0]["readinessProbe"]
    assert warmer["image"] == IMAGE
    assert warmer["restartPolicy"] == "Always", "it starts before the server, and ends after it has drained"


def test_it_is_told_where_the_server_is_and_what_to_ask() -> None:
    asked = wish(world({"request": "OpenAI", "count": 3, "port": 9000}, port=9001))
    assert (asked.listen, asked.port, asked.ready) == (9000, 9001, "/v2/health/ready")
    assert (asked.model, asked.request, asked.count) == ("churn", "OpenAI", 3)


def test_a_users_own_request_wins_and_is_sent_to_the_letter() -> None:
    asked = wish(world({"request": "OpenInferenceV2", "port": 9000}, CUSTOM))
    assert (asked.request, asked.listen, asked.method) == ("Custom", 9000, "POST")
    assert (asked.path, asked.body) == ("/v1/models/churn:predict", '{"price": "$(HOME)"}')
    assert (asked.kind, asked.status) == ("application/json", None)
    assert wish(world(None, CUSTOM)).listen == 7979


def test_a_user_may_do_without() -> None:
    assert pod(world({"request": "OpenAI"}, {"request": "None"})) == pod(world(None))


def test_only_what_the_user_says_about_it_is_another_revision() -> None:
    plain = wanted_revision(world(None))
    assert wanted_revision(world({"request": "OpenAI"})) == plain
    assert wanted_revision(world(None, {"request": "OpenAI"})) != plain


def test_an_operator_that_knows_no_image_makes_no_pod_that_cannot_start() -> None:
    made = make_snapshot(replace(world({"request": "OpenAI"}), platform=Platform()))
    assert isinstance(made, Problem) and made.reason is Reason.IMAGE_MISSING and "warmupImage" in made.message
    assert isinstance(make_snapshot(replace(world(None), platform=Platform())), Snapshot)


def test_its_share_of_a_node_is_counted() -> None:
    asked = {"requests": {"cpu": "100m", "memory": "256Mi"}}
    with_it, without = (requests(pod(world(w, resources=asked))) for w in ({"request": "OpenAI"}, None))
    more = {name: with_it[name] - without[name] for name in ("cpu", "memory", "pods")}
    assert more == {"cpu": amount("5m"), "memory": amount("16Mi"), "pods": 0}


@pytest.mark.parametrize(
    ("resources", "guaranteed"),
    [
        ({"limits": {"cpu": "2", "memory": "4Gi"}}, True),
        ({"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "2000m", "memory": "4Gi"}}, True),
        ({"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "1", "memory": "4Gi"}}, False),
        ({"limits": {"memory": "4Gi"}}, False),
        ({}, False),
    ],
)
def test_a_guaranteed_pod_stays_one(resources: Object, guaranteed: bool) -> None:
    found = pod(world({"request": "OpenAI"}, resources=resources))["initContainers"][0]["resources"]
    assert (found["requests"] == found["limits"]) is guaranteed


def test_an_autoscaler_looks_at_the_server_alone() -> None:
    scaling = Scaling.model_validate({"maxReplicas": 3, "metrics": [{"name": "cpu", "target": 70}]})
    target = {"type": "Utilization", "averageUtilization": 70}
    assert hpa.make(scaling, Target("churn-1", 1))["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    ]
    assert hpa.make(scaling, Target("churn-1", 1, "server"))["metrics"] == [
        {"type": "ContainerResource", "containerResource": {"container": "server", "name": "cpu", "target": target}}
    ]


# what the pods tell

RUNNING: Object = {"state": {"running": {}}, "ready": True, "started": True}
STARTING = {**RUNNING, "ready": False, "started": False}
PULLING = {"state": {"waiting": {"reason": "ErrImagePull", "message": 'failed to pull "operator:9"'}}, "ready": False}
BEHIND = {"state": {"waiting": {"reason": "PodInitializing"}}, "ready": False, "started": False}
KILLED = {**STARTING, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}


def told(server: Object, warmer: Object | None) -> str:
    """The trouble of a pod with these containers."""
    labels = {"penstock.dev/name": "churn", "penstock.dev/revision": "churn-1"}
    meta = {"name": "churn-1-x", "namespace": "ml", "uid": "u", "resourceVersion": "1", "labels": labels}
    status: Object = {"containerStatuses": [{"name": "server", **server}]}
    status |= {"initContainerStatuses": [{"name": "warmup", **warmer}]} if warmer else {}
    return str(project({"kind": "Pod", "metadata": meta, "status": status}).seen.trouble)


def test_a_model_that_does_not_answer_is_told_and_where_to_look() -> None:
    said = "the server runs, but the model has not answered its warm-up request: "
    assert told(STARTING, RUNNING) == said + "kubectl -n ml logs -l penstock.dev/revision=churn-1 -c warmup"
    assert told(RUNNING, RUNNING) == told({**RUNNING, "ready": False}, RUNNING) == told(STARTING, None) == ""


def test_an_image_that_cannot_be_had_is_told_with_whose_it_is() -> None:
    assert told(BEHIND, PULLING) == (
        "ErrImagePull: the warm-up container, whose image the administrator names (warmup.image of the chart): "
        'failed to pull "operator:9"'
    )


def test_what_ended_is_named() -> None:
    assert told(KILLED, RUNNING) == "OOMKilled: the server ended with exit code 137 (OOMKilled)"
    assert told(BEHIND, KILLED) == "OOMKilled: the warm-up container ended with exit code 137 (OOMKilled)"


def test_the_wish_is_one_line_of_json() -> None:
    (argument,) = pod(world({"request": "OpenAI"}))["initContainers"][0]["args"]
    assert json.loads(argument)["request"] == "OpenAI"
