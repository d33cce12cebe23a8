"""KEDA as the one that scales: what it is told, whom it may follow, and that two never follow one Deployment."""

from dataclasses import replace

import pytest

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.core.plan import decide
from penstock.model.platform import Platform, Scaler
from penstock.model.values import Manifest, World
from penstock.scaling import keda
from penstock.scaling.follow import follow
from penstock.scaling.target import Target
from tests.unit.test_scaled import serving
from tests.unit.worlds import OWNED, V1

CPU = ScalingMetric(name="cpu", target="70")
RATE = ScalingMetric(name="requestsPerSecond", target="50")
SLOW = ScalingMetric(name="slowRate", threshold="300ms", target="2.5%")
SCALING = Scaling(min_replicas=2, max_replicas=9, metrics=[CPU, RATE, SLOW])
LIVE = "http://penstock-live.penstock-system.svc/live/ml"
KEDA = Platform(scaler=Scaler.KEDA, live="http://penstock-live.penstock-system.svc/live")


def scalers(world: World) -> list[tuple[str, str]]:
    return [(c["kind"], c["metadata"]["name"]) for c in decide(world).children if c["kind"] in SCALED]


SCALED = ("HorizontalPodAutoscaler", "ScaledObject")


def world(platform: Platform, *there: str, elsewhere: bool = False) -> World:
    """v1 serves; autoscalers of these kinds are there for it."""
    made = replace(serving(SCALING, None), platform=platform, owned=OWNED | {(kind, V1) for kind in there})
    return replace(made, scaled_elsewhere=frozenset({V1} if elsewhere else ()))


def test_what_it_is_told() -> None:
    made = keda.make(SCALING, Target("churn-1", 3, "server", LIVE))
    assert (made["minReplicaCount"], made["maxReplicaCount"]) == (3, 9)
    assert made["triggers"] == [
        {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70", "containerName": "server"}},
        _asks("requestsPerSecond", "AverageValue", "50"),
        _asks("slowRate", "Value", "0.025"),
    ]


def _asks(name: str, kind: str, target: str) -> Manifest:
    where = {"url": f"{LIVE}/churn-1/{name}", "valueLocation": name, "targetValue": target}
    return {"type": "metrics-api", "metricType": kind, "metadata": where}


@pytest.mark.parametrize(
    ("platform", "there", "elsewhere", "expected"),
    [
        (Platform(), (), False, ["HorizontalPodAutoscaler"]),
        (Platform(), ("HorizontalPodAutoscaler",), False, ["HorizontalPodAutoscaler"]),
        (Platform(), ("ScaledObject",), True, []),
        (Platform(), (), True, []),
        (KEDA, (), False, ["ScaledObject"]),
        (KEDA, ("HorizontalPodAutoscaler",), False, []),
        (KEDA, ("ScaledObject",), True, ["ScaledObject"]),
    ],
    ids=["new", "stays", "keda's first goes", "and what it made", "keda", "ours first goes", "keda and what it made"],
)
def test_two_never_follow_one_deployment(
    platform: Platform, there: tuple[str, ...], elsewhere: bool, expected: list[str]
) -> None:
    plan = decide(world(platform, *there, elsewhere=elsewhere))
    assert [c["kind"] for c in plan.children if c["kind"] in SCALED] == expected
    assert {kind for kind, name in plan.prune if kind in SCALED} == set(there) - set(expected)


def test_its_numbers_are_read_in_our_words() -> None:
    target = {"type": "AverageValue", "averageValue": "50"}
    metric = {"name": "s1-metric-api-requestsPerSecond"}
    live = {
        "spec": {"metrics": [{"type": "External", "external": {"metric": metric, "target": target}}]},
        "status": {
            "conditions": [{"type": "ScalingActive", "status": "True"}],
            "currentMetrics": [{"type": "External", "external": {"metric": metric, "current": {"averageValue": "80"}}}],
        },
    }
    found = follow(live)
    assert found and found.why == "requestsPerSecond 80 of 50"
