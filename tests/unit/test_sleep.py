"""Scaling to zero: when a model falls asleep, what wakes it, and in which order its Services and pods follow."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.api.sleep import ScaleToZero, Sleep
from penstock.api.status import Leaving, Status
from penstock.core.door import lacking
from penstock.core.plan import decide
from penstock.model.platform import Platform
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Door, Following, Manifest, Plan, RouteSeen, Workload, World
from tests.unit.worlds import CLOCKS, NOW, OWNED, SNAPSHOTS, STABLE, V1, V2, bare, trying

NAME = "churn"
TRYING = trying("walk", 0, CLOCKS["new"])
DOOR = f"{NAME}-door"
IDLE = Following(active=True, wanted=1, idle=True)
BUSY = Following(active=True, wanted=1)
NO_PODS = Following(active=False, disabled=True)
WISH = Scaling(
    min_replicas=0,
    max_replicas=4,
    metrics=[ScalingMetric(name="requestsPerSecond", target="50")],
    scale_to_zero=ScaleToZero(idle_for="5m"),
)
HERE = Door(up=frozenset({V1}), behind=1)
ASLEEP = Sleep(revision=V1, asleep_since=spell(NOW - timedelta(hours=1)))
WAKING = Sleep(revision=V1, waking_since=spell(NOW - timedelta(seconds=8)), why="a request waits")


SHUT = {"penstock.dev/revision": V1, "app.kubernetes.io/component": "nobody"}


def world(sleep: Sleep | None, told: Following | None = IDLE, door: Door = HERE, pods: int = 1) -> World:
    """v1 serves, alone."""
    made = bare("v1", "plain")
    assert made.spec
    return replace(
        made,
        spec=made.spec.model_copy(update={"scaling": WISH}),
        status=Status(stable=STABLE, sleep=sleep),
        workloads={V1: Workload(pods, pods, pods=pods)},
        snapshots={V1: SNAPSHOTS[V1], V2: SNAPSHOTS[V2]},
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
        scalers={V1: told} if told else {},
        platform=Platform(warmup_image="penstock.local/operator:1"),
        door=door,
    )


def idle(seconds: float) -> Sleep:
    return Sleep(revision=V1, idle_since=spell(NOW - timedelta(seconds=seconds)))


def child(plan: Plan, kind: str, name: str) -> Manifest:
    (found,) = (c["spec"] for c in plan.children if (c["kind"], c["metadata"]["name"]) == (kind, name))
    return dict(found)


def leads_to_door(plan: Plan) -> set[str]:
    """The Services that are to lead to the door."""
    services = (c for c in plan.children if c["kind"] == "Service")
    return {c["metadata"]["name"] for c in services if "penstock.dev/door" in c["spec"]["selector"]}


def test_it_falls_asleep_once_nobody_has_asked_for_long_enough() -> None:
    first = decide(world(None))
    assert first.status.sleep == idle(0) and first.again == NOW + timedelta(minutes=5)
    assert first.status.next and first.status.next.what == "it falls asleep unless somebody asks for it"
    assert decide(world(idle(299))).status.sleep == idle(299)
    slept = decide(world(idle(300))).status.sleep
    assert slept and slept.asleep_since == spell(NOW) and not slept.idle_since


@pytest.mark.parametrize(
    ("told", "door"),
    [(BUSY, HERE), (None, HERE), (NO_PODS, HERE), (IDLE, Door()), (IDLE, replace(HERE, waiting=True))],
    ids=["somebody asks", "unheard", "no pods to follow", "no door", "somebody waits at the door"],
)
def test_it_stays_awake(told: Following | None, door: Door) -> None:
    assert decide(world(idle(900), told, door)).status.sleep is None


def test_nothing_sleeps_while_a_rollout_or_its_end_is_under_way() -> None:
    made = world(idle(900))
    begun = replace(made, status=made.status.model_copy(update={"candidate": trying("walk", 0, CLOCKS["new"])}))
    assert decide(begun).status.sleep is None
    gone = Leaving(revision=V2, since=spell(NOW), after=spell(NOW + timedelta(seconds=30)))
    assert decide(replace(made, status=made.status.model_copy(update={"leaving": [gone]}))).status.sleep is None


def test_the_door_is_in_front_before_the_last_pod_goes() -> None:
    plan = decide(world(ASLEEP, IDLE))
    assert leads_to_door(plan) == {V1, NAME}
    assert "replicas" not in child(plan, "Deployment", V1)
    half = decide(world(ASLEEP, IDLE, replace(HERE, before=frozenset({V1}))))
    assert "replicas" not in child(half, "Deployment", V1), "the common Service still leads to the pods"
    both = replace(HERE, before=frozenset({V1, NAME}))
    opened = decide(world(ASLEEP, IDLE, both))
    assert "replicas" not in child(opened, "Deployment", V1), "what comes in would go to a pod that is about to end"
    assert child(opened, "Service", DOOR)["selector"] == SHUT
    assert child(decide(world(ASLEEP, IDLE, replace(both, shut=True))), "Deployment", V1)["replicas"] == 0


def test_asleep_it_is_ready_available_and_asks_for_nothing() -> None:
    door = Door(up=frozenset({V1}), before=frozenset({V1, NAME}))
    plan = decide(world(ASLEEP, NO_PODS, door, pods=0))
    told = {c.type: (c.status, c.reason) for c in plan.status.conditions}
    assert told == {"Ready": ("True", "Asleep"), "Available": ("True", "Available")}
    assert plan.again is None and plan.status.sleep == ASLEEP
    assert child(plan, "Service", DOOR)["selector"] == SHUT, "a pod that is about to end gets nothing"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"door": Door(up=frozenset({V1}), waiting=True)}, "a request waits"),
        ({"door": Door()}, "no pod of its door is there to take requests in"),
        (
            {"status": Status(stable=STABLE, candidate=trying("walk", 0, CLOCKS["new"]), sleep=ASLEEP)},
            "a rollout begins",
        ),
    ],
    ids=["asked for", "door lost", "rollout"],
)
def test_it_wakes(change: dict[str, Any], why: str) -> None:
    plan = decide(replace(world(ASLEEP, NO_PODS, pods=0), **change))
    sleep = plan.status.sleep
    assert sleep and (sleep.asleep_since, sleep.waking_since, sleep.why) == (None, spell(NOW), why)
    assert "replicas" not in child(plan, "Deployment", V1), "the first pod comes, then the autoscaler says how many"
    assert V1 in leads_to_door(plan), "whoever asks now is held"


def test_a_schedule_or_an_edit_that_asks_for_pods_wakes_it_too() -> None:
    made = world(ASLEEP, NO_PODS, replace(HERE, behind=0), pods=0)
    assert made.spec
    awake = made.spec.model_copy(update={"scaling": WISH.model_copy(update={"min_replicas": 2})})
    plan = decide(replace(made, spec=awake))
    assert plan.status.sleep and plan.status.sleep.why == "scaling.minReplicas is not 0 now"
    assert child(plan, "Deployment", DOOR), "it goes only when nothing leads to it any more"
    later = replace(made, spec=awake, status=Status(stable=STABLE), door=Door(up=frozenset({V1})))
    assert not [c for c in decide(later).children if c["metadata"]["name"] == DOOR]


def test_the_services_lead_back_once_the_door_sees_a_pod_behind_it() -> None:
    front = frozenset({V1, NAME})
    starts = decide(world(WAKING, NO_PODS, Door(frozenset({V1}), before=front), pods=0))
    assert child(starts, "Service", DOOR)["selector"] == SHUT
    unseen = decide(world(WAKING, NO_PODS, Door(frozenset({V1}), before=front), pods=1))
    assert leads_to_door(unseen) == front and unseen.status.sleep == WAKING
    assert child(unseen, "Service", DOOR)["selector"] == {"penstock.dev/revision": V1}
    seen = decide(world(WAKING, NO_PODS, Door(frozenset({V1}), before=front, behind=1), pods=1))
    assert not leads_to_door(seen)
    sleep = seen.status.sleep
    assert sleep and (sleep.waking_since, sleep.wake_milliseconds, sleep.why) == (None, 8000, "a request waits")


def test_no_world_has_a_service_that_leads_to_nobody() -> None:
    """Whatever is seen: no pods only behind a door that is in front, and the way back only to a pod that is seen."""
    doors = [
        Door(frozenset({V1}) if up else frozenset(), waiting, None, frozenset(before), behind, shut=shut)
        for up, waiting, before, behind, shut in product(
            (0, 1), (False, True), ((), (V1,), (V1, NAME)), (0, 1), (False, True)
        )
    ]
    looked = 0
    for sleep, told, door in product((None, idle(60), idle(900), ASLEEP, WAKING), (None, BUSY, IDLE, NO_PODS), doors):
        plan = decide(world(sleep, told, door))
        looked += 1
        if child(plan, "Deployment", V1).get("replicas") == 0:
            assert {V1, NAME} <= door.before and V1 in door.up and not door.waiting and door.shut
        if not leads_to_door(plan):
            assert sleep not in (ASLEEP, WAKING) or door.behind
        if leads_to_door(plan):
            assert child(plan, "Deployment", DOOR)
    assert looked == 960


def test_a_route_waits_as_long_as_the_door_holds() -> None:
    rules = child(decide(world(None)), "HTTPRoute", NAME)["rules"]
    assert [rule["timeouts"] for rule in rules] == [{"request": "150s"}]


def test_without_an_image_for_the_door_the_wish_is_refused() -> None:
    found = lacking(replace(world(None), platform=Platform()))
    assert found and found.reason is Reason.IMAGE_MISSING and "warmupImage" in found.message
    assert lacking(world(None)) is None
