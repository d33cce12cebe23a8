"""The target that is learned for an objective: each move by values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.api.objective import Learned, Obstacle, Seen
from penstock.api.scaling import Scaling
from penstock.api.status import Status
from penstock.core import objective
from penstock.core.load import followed
from penstock.core.load_looks import questions, with_target
from penstock.core.plan import decide
from penstock.model.measure import Answer, Counts, Levels, Rate, Ratio, Silence
from penstock.model.schedule import LAG, spell
from penstock.model.values import Following, Pod, RouteSeen, Workload, World
from penstock.shell.pods import read as read_pod
from tests.unit.worlds import NOW, OWNED, SNAPSHOTS, STABLE, V1, V2, bare

WISH = {"slowRate": {"threshold": "500ms", "max": "1%"}}
TITLE = "at most 1% slower than 500ms"
LONG_AGO = NOW - timedelta(hours=2)
PODS = (Pod("a", "a", V1, ready=True, since=LONG_AGO), Pod("b", "b", V1, ready=True, since=LONG_AGO))


def world(known: Learned | None = None, most: int = 20, pods: tuple[Pod, ...] = PODS, ready: int = 2) -> World:
    """v1 serves, with an autoscaler that wants what there is."""
    made = bare("v1", "plain")
    assert made.spec
    scaling = Scaling.model_validate({"maxReplicas": most, "objective": WISH})
    return replace(
        made,
        spec=made.spec.model_copy(update={"scaling": scaling}),
        status=Status(stable=STABLE).model_copy(update={"objective": known}),
        workloads={V1: Workload(ready, ready)},
        snapshots={V1: SNAPSHOTS[V1]},
        pods=pods,
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
        scalers={V1: Following(active=True, wanted=ready, bounds=(1, most))},
    )


def seen(load: str, bad: int = 100, total: int = 1000, age: float = 3600) -> Seen:
    return Seen(load=load, bad=bad, total=total, at=spell(NOW - timedelta(seconds=age)))


def learned(target: str = "40", age: float = 3600, **more: object) -> Learned:
    at = spell(NOW - timedelta(seconds=age))
    return Learned.model_validate({"objective": TITLE, "revision": V1, "per_replica": target, "since": at} | more)


def told(found: World, load: float, share: float, total: int = 20_000) -> World:
    """The same share in every span, at one load."""
    pair: tuple[Answer, ...] = (Levels((load * 2,), average=2), Counts(round(share * total), total))
    return replace(found, weighed=pair * (len(questions(found)) // 2))


def after(found: World) -> tuple[float, str]:
    """The target and the message; 0 for none."""
    made = objective.learn(found)
    return (float(made.per_replica), made.message) if made else (0.0, "")


def test_what_is_asked_is_load_and_slowness_of_the_stable_revision_over_three_spans() -> None:
    asked = questions(world())
    assert [(type(each.candidate.measure), each.end - each.start) for each in asked] == [
        (kind, timedelta(minutes=minutes)) for minutes in (1, 3, 10) for kind in (Rate, Ratio)
    ]
    assert {each.candidate.revision for each in asked} == {V1} and {each.end for each in asked} == {NOW - LAG}
    assert decide(world()).again == NOW + objective.EVERY


def test_requests_count_after_the_last_change_and_after_a_new_pod_has_warmed_up() -> None:
    def begins(found: World) -> list[float]:
        return [(NOW - each.start).total_seconds() for each in questions(found)[::2]]

    assert begins(world(learned(age=120))) == [61, 120, 120]
    fresh = Pod("c", "c", V1, ready=True, since=NOW - timedelta(seconds=90))
    assert begins(world(learned(), pods=(*PODS, fresh))) == [30, 30, 30]
    of_another = replace(fresh, revision=V2)
    assert begins(world(learned(), pods=(*PODS, of_another))) == [61, 181, 601]


def test_a_pod_tells_since_when_it_is_ready() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T10:00:00Z"}
    live = {"metadata": {"name": "a", "uid": "a"}, "status": {"conditions": [ready]}}
    assert read_pod(live).since == LONG_AGO and read_pod({"metadata": live["metadata"]}).since is None


def test_while_nothing_is_slow_there_is_no_target_and_the_fewest_replicas_serve() -> None:
    assert objective.learn(told(world(), 40, 0.001)) is None
    (made,) = (c for c in decide(told(world(), 40, 0.001)).children if c["kind"] == "HorizontalPodAutoscaler")
    (metric,) = made["spec"]["metrics"]
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": "1M"}


@pytest.mark.parametrize(
    ("known", "load", "share", "target"),
    [
        (None, 40, 0.02, 30),  # too many: at once, by a quarter
        (None, 40, 0.30, 20),  # far too many: by half
        (learned("40"), 40, 0.02, 30),
        (learned("40", fast=seen("34", 1)), 40, 0.02, 34),  # no further than to what was fast
        (learned("40", fast=seen("39", 1)), 40, 0.02, 36),  # and yet below
        (learned("40", fast=seen("41", 1)), 40, 0.02, 30),  # what was fast is not any more
        (learned("40"), 60, 0.30, 40),  # the replicas that 40 asks for are not there yet
        (learned("40"), 40, 0.0102, 36),  # a little more than there should be: a little less
        (learned("40"), 20, 0.02, 15),  # slow far below the target
        (learned("40"), 38, 0.001, 46),  # near it and fast: a little up
        (learned("40"), 20, 0.001, 40),  # too little load to say anything
        (learned("40", age=300), 38, 0.001, 40),  # too early
        (learned("40", slow=seen("50")), 38, 0.001, 45),  # stays below what was slow
        (learned("40", slow=seen("46")), 38, 0.001, 40),  # and a little is not worth a write
        (learned("40", slow=seen("46", age=90_000)), 38, 0.001, 46),  # a day later it is tried again
        (learned("40", slow=seen("38")), 38.2, 0.001, 46),  # what was slow is not any more
        (learned("40"), 38, 0.0098, 40),  # it may be more than 1 % or not
    ],
)
def test_the_target_moves(known: Learned | None, load: float, share: float, target: float) -> None:
    assert after(told(world(known), load, share))[0] == pytest.approx(target, rel=0.01)


def test_few_requests_prove_nothing() -> None:
    assert after(told(world(learned("40")), 40, 0.05, total=60))[0] == 40
    assert after(told(world(learned("40")), 38, 0.0, total=200))[0] == 40


def test_one_slow_minute_that_is_over_changes_nothing() -> None:
    found = told(world(learned("40")), 40, 0.02)
    calm = Counts(10, 20_000)
    assert after(replace(found, weighed=(found.weighed[0], calm, *found.weighed[2:])))[0] == 40


def test_what_is_slow_while_the_load_rises_is_laid_to_the_load_it_rose_to() -> None:
    found, minutes = world(), ((28, 60), (16, 60), (12, 60))
    weighed = [each for load, bad in minutes for each in (Levels((load * 2,), average=2), Counts(bad, load * 100))]
    assert after(replace(found, weighed=tuple(weighed)))[0] == 21, "three quarters of 28, not of a mean with calm times"


def test_it_says_what_it_was_learned_from() -> None:
    known = learned("40", slow=seen("50", 190, 10_000))
    assert after(told(world(known), 38, 0.004))[1] == (
        "45 requests/s for each replica: 0.40% of 20,000 slow at 38, 1.90% of 10,000 slow at 50"
    )


@pytest.mark.parametrize("answer", [Silence("down"), Levels(())])
def test_silence_changes_nothing(answer: Answer) -> None:
    found = told(world(learned("40")), 40, 0.30)
    for odd in (0, 1):
        pairs = [answer if index % 2 == odd else each for index, each in enumerate(found.weighed)]
        assert objective.learn(replace(found, weighed=tuple(pairs))) == found.status.objective


def test_where_half_the_load_is_no_faster_the_replicas_are_given_back_and_it_is_said() -> None:
    began = seen("40", 30, 1000)
    found = told(world(learned("20", began=began)), 19, 0.031)
    made = objective.learn(found)
    assert made and made.obstacle is Obstacle.MORE_DO_NOT_HELP and made.per_replica == "40"
    assert made.message.startswith("3.10% of 20,000 slow at 19 requests/s for each replica, and 3.00% of 1,000 at 40:")
    condition = next(c for c in decide(found).status.conditions if c.type == "ObjectiveReachable")
    assert (condition.status, condition.reason) == ("False", "ObjectiveUnreachable")
    later = told(world(made.model_copy(update={"since": spell(NOW - timedelta(hours=5))})), 40, 0.03)
    assert objective.learn(later) == later.status.objective, "no second descent at once"
    evening = told(world(made.model_copy(update={"since": spell(NOW - timedelta(hours=7))})), 40, 0.03)
    assert after(evening)[0] == 30
    mended = objective.learn(told(later, 20, 0.001))
    assert mended and mended.obstacle is None and mended.per_replica == "40"


def test_where_half_the_load_is_faster_it_goes_on() -> None:
    made = objective.learn(told(world(learned("20", began=seen("40", 200, 1000))), 19, 0.02))
    assert made and made.obstacle is None and float(made.per_replica) == pytest.approx(14.2, rel=0.01)


def test_what_the_server_does_not_show_is_said() -> None:
    found = world()
    assert found.spec
    wish = Scaling.model_validate({"maxReplicas": 4, "objective": {"slowRate": {"threshold": "123ms", "max": "1%"}}})
    plan = decide(replace(found, spec=found.spec.model_copy(update={"scaling": wish})))
    condition = next(c for c in plan.status.conditions if c.type == "ObjectiveReachable")
    assert (condition.status, condition.reason) == ("False", "RuntimeLacksMetric")
    assert "choose one of" in condition.message and plan.again is None


def test_at_the_most_replicas_the_target_stays_and_it_is_said_once() -> None:
    found = told(world(learned("40"), most=2), 60, 0.30)
    made = objective.learn(found)
    assert made and made.obstacle is Obstacle.NO_MORE and made.per_replica == "40"
    assert made.message.endswith("there are as many replicas as there may be: raise maxReplicas")
    again = told(world(made.model_copy(update={"since": spell(LONG_AGO)}), most=2), 60, 0.31)
    assert objective.learn(again) == again.status.objective
    raised = objective.learn(told(world(again.status.objective, most=4), 60, 0.31))
    assert raised and raised.obstacle is None and raised.per_replica == "40"


def test_at_the_most_replicas_it_is_said_where_fewer_requests_for_each_were_no_faster() -> None:
    made = objective.learn(told(world(learned("10", began=seen("40", 1000)), most=2), 10, 1.0))
    assert made and made.obstacle is Obstacle.NO_MORE
    assert "and 100.00% of 1,000 at 40, and there are as many replicas as there may be" in made.message
    assert made.message.endswith("raise maxReplicas, or look at the model, its resources, or the threshold")
    proven = objective.learn(told(world(learned("5", began=seen("40", 1000)), most=2), 5, 1.0))
    assert proven and proven.obstacle is Obstacle.MORE_DO_NOT_HELP and proven.per_replica == "40"


def test_a_new_revision_takes_the_target_along_and_what_was_seen_not() -> None:
    made = objective.learn(world(learned("40", revision=V2, slow=seen("46"), obstacle="MoreDoNotHelp")))
    assert made and (made.revision, made.per_replica, made.slow, made.obstacle) == (V1, "40", None, None)


def test_another_objective_begins_anew_and_none_forgets() -> None:
    assert objective.learn(world(learned("40", objective="at most 5% slower than 1s"))) is None
    found = world(learned("40"))
    assert found.spec
    spec = found.spec.model_copy(update={"scaling": Scaling()})
    assert decide(replace(found, spec=spec)).status.objective is None


def test_a_model_without_pods_is_not_asked_about() -> None:
    asleep = world(learned("40"), pods=(), ready=0)
    assert questions(asleep) == [] and objective.again(asleep) is None
    assert objective.learn(asleep) == asleep.status.objective


def test_a_settled_one_is_written_never() -> None:
    found = world(learned("40"))
    first = decide(found).status
    assert decide(replace(told(found, 20, 0.001), status=first)).status == first


def test_the_server_of_live_metrics_knows_the_target() -> None:
    scaling = Scaling.model_validate({"maxReplicas": 4, "objective": WISH | {"source": "team"}})
    metric = followed(with_target(scaling, "41.5"), "requestspersecond")
    assert metric and (metric.wanted, metric.source) == (41.5, "team")


@pytest.mark.parametrize(
    ("number", "text"), [(41.46, "41.5"), (4146, "4150"), (0.00004, "0.001"), (1234567, "1230000"), (0.5, "0.5")]
)
def test_a_target_is_spelt_in_three_digits(number: float, text: str) -> None:
    assert objective.spelt(number) == text
