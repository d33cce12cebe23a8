"""An autoscaler without numbers: what is told, and when the fallback's floor is put under it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.api.behavior import Behavior, PolicyType, ScalingPolicy, ScalingRules
from penstock.api.scaling import Fallback, Scaling, ScalingMetric
from penstock.api.status import Status
from penstock.core.plan import decide
from penstock.model.platform import Platform
from penstock.model.values import Following, RouteSeen, Workload, World
from penstock.scaling import hpa
from tests.unit.worlds import NOW, OWNED, SNAPSHOTS, STABLE, V1, bare

FOLLOWED = ScalingMetric(name="requestsPerSecond", target="50")
BLIND = Following(active=False, message="no metric source traffic")


def serving(scaling: Scaling, following: Following | None) -> World:
    """v1 serves with two of two pods."""
    world = bare("v1", "plain")
    assert world.spec
    return replace(
        world,
        spec=world.spec.model_copy(update={"scaling": scaling}),
        status=Status(stable=STABLE),
        workloads={V1: Workload(2, 2)},
        snapshots={V1: SNAPSHOTS[V1]},
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
        scalers={V1: following} if following else {},
    )


def scaling(fallback: bool = True) -> Scaling:
    wish = Fallback(replicas=4, after="3m") if fallback else None
    return Scaling(min_replicas=1, max_replicas=6, metrics=[FOLLOWED], fallback=wish)


def least(world: World) -> int:
    """The autoscaler's lower bound."""
    (made,) = (c for c in decide(world).children if c["kind"] == "HorizontalPodAutoscaler")
    return int(made["spec"]["minReplicas"])


def since(seconds: float) -> Following:
    return replace(BLIND, since=NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("following", "fallback", "expected"),
    [
        (None, True, 1),
        (Following(active=True, since=NOW - timedelta(hours=1)), True, 1),
        (since(179), True, 1),
        (since(180), True, 4),
        (since(3600), False, 1),
        (BLIND, True, 1),
    ],
    ids=["unheard", "sees", "not yet", "long enough", "no wish", "no time"],
)
def test_the_floor_rises_only_when_it_was_blind_for_long_enough(
    following: Following | None, fallback: bool, expected: int
) -> None:
    assert least(serving(scaling(fallback), following)) == expected


def test_a_turn_comes_when_the_fallback_begins_to_hold() -> None:
    assert decide(serving(scaling(), since(60))).again == NOW + timedelta(seconds=120)
    assert decide(serving(scaling(), since(600))).again is None, "a settled object asks for nothing"


def test_it_is_told_with_its_cause_and_costs_no_readiness() -> None:
    plan = decide(serving(scaling(), since(60)))
    told = {c.type: (c.status, c.reason, c.message) for c in plan.status.conditions}
    assert told["ScalingActive"] == ("False", "MetricsMissing", "no metric source traffic")
    assert told["Ready"][0] == "True"
    seen = decide(serving(scaling(), Following(active=True))).status.conditions
    assert [(c.status, c.reason) for c in seen if c.type == "ScalingActive"] == [("True", "FollowingMetrics")]


def test_a_fixed_number_has_no_autoscaler_to_speak_of() -> None:
    plan = decide(serving(Scaling(min_replicas=2), since(60)))
    assert "ScalingActive" not in {c.type for c in plan.status.conditions}


def test_whoever_forgot_to_switch_live_values_on_is_told() -> None:
    silent = replace(serving(scaling(), since(60)), platform=Platform(tells=False))
    told = {c.type: c.message for c in decide(silent).status.conditions}["ScalingActive"]
    assert "externalMetrics.install" in told and "no metric source traffic" in told
    assert "externalMetrics" not in str(decide(replace(silent, platform=Platform())).status.conditions)
    resources = Scaling(min_replicas=1, max_replicas=6, metrics=[ScalingMetric(name="cpu", target="70")])
    known = replace(silent, spec=silent.spec.model_copy(update={"scaling": resources}) if silent.spec else None)
    assert "externalMetrics" not in str(decide(known).status.conditions)


def test_a_direction_that_the_user_describes_is_theirs_and_the_other_ours() -> None:
    wish = Behavior(scale_up=ScalingRules(policies=[ScalingPolicy(type=PolicyType.PODS, value=2, period_seconds=30)]))
    (made,) = (
        c["spec"]["behavior"]
        for c in decide(serving(scaling().model_copy(update={"behavior": wish}), None)).children
        if c["kind"] == "HorizontalPodAutoscaler"
    )
    assert made["scaleUp"] == {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}
    assert made["scaleDown"] == hpa.BEHAVIOR["scaleDown"]
