"""How the plain Service comes to a share: every small world of pods, labels and selectors, move by move to its rest."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from penstock.api.spec import Spec
from penstock.api.status import Leaving, Status, Trying
from penstock.core import rotate, strategy
from penstock.core.desired import make_shared
from penstock.core.template import wanted_revision
from penstock.model.names import LABEL_ROTATION
from penstock.model.values import Pod, RouteSeen, Workload, World
from penstock.routing import rotation
from tests.sim.machine import model
from tests.unit.worlds import SNAPSHOTS, STABLE, V1, V2, ago, bare

STEPS = {"steps": [{"weight": 25, "duration": "30s"}, {"weight": 50, "duration": "30s"}]}
FULL = 4


def wish(version: str, **more: Any) -> Spec:
    rollout = {"deadline": "3m", "scaleDownDelay": "20s", "canary": STEPS} | more
    made = model(version, rollout=rollout, scaling={"minReplicas": FULL})["spec"]
    del made["traffic"]
    return Spec.model_validate(made)


def status_in(step: int | None) -> Status:
    """v2 in a step of its plan; None: it was taken off."""
    if step is None:
        return Status(stable=STABLE, leaving=[Leaving(revision=V2, since=ago(1), after=ago(-20))])
    begun = replace(bare("v2"), spec=wish("v2"), status=Status(stable=STABLE))
    candidate = Trying(
        revision=V2,
        version="v2",
        weight=25 if step else 0,
        steps=strategy.pin(begun, direct=False),
        step=step,
        stable_replicas=FULL,
        started_at=ago(60),
        step_started_at=ago(5),
        deadline_at=ago(-170),
    )
    return Status(stable=STABLE, candidate=candidate)


def made(revision: str, ready: int, rotated: int, idle: int) -> list[Pod]:
    """So many ready pods, of which the first so many are in rotation, and some that are not ready, in rotation too."""
    pods = [Pod(f"{revision}-{n}", f"{revision}-{n}", revision, True, n < rotated) for n in range(ready)]
    return pods + [Pod(f"{revision}-idle-{n}", f"{revision}-idle-{n}", revision, False, True) for n in range(idle)]


def seen(world: World, pods: list[Pod], selects: str | None) -> World:
    """The world with these pods, and what the Service that selects so gives."""
    weights = rotation.seen(pods) if selects == "" else {selects: 100}
    route = None if selects is None else RouteSeen(weights, True, rotating=selects == "")
    ready = Counter(pod.revision for pod in pods if pod.ready)
    workloads = {name: Workload(max(ready[name], FULL if name == V1 else 1), ready[name]) for name in (V1, V2)}
    return replace(world, pods=tuple(pods), route=route, workloads=workloads)


def worlds() -> Iterator[World]:
    base = replace(bare("v2"), spec=wish("v2"), snapshots=SNAPSHOTS)
    owned = frozenset((kind, name) for kind in ("Deployment", "Service") for name in (V1, V2, "churn"))
    for step, (home, mine) in product((None, 0, 1, 2), product((0, 1, 3, 4), (0, 1, 2, 4))):
        for (home_in, mine_in), idle, selects in product(product((0, 1, 4), (0, 1, 2)), (0, 1), (V1, V2, "", None)):
            world = replace(base, status=status_in(step), owned=owned)
            if home_in <= home and mine_in <= mine:
                yield seen(world, made(V1, home, home_in, idle) + made(V2, mine, mine_in, idle), selects)


def after(world: World, turn: rotate.Turnout) -> World:
    """The world in which the turn's labels are on and the Service selects as it says."""
    said = {label["metadata"]["uid"]: label["metadata"]["labels"][LABEL_ROTATION] for label in turn.labels}
    pods = [replace(pod, rotated=said[pod.uid] == "in") if pod.uid in said else pod for pod in world.pods]
    return seen(world, pods, turn.selects)


def answering(world: World) -> int:
    """Ready pods that the Service leads to."""
    if not world.route:
        return 0
    if world.route.rotating:
        return sum(pod.serves for pod in world.pods)
    return sum(pod.ready and pod.revision in world.route.weights for pod in world.pods)


def look(world: World) -> rotate.Turnout:
    return rotate.turnout(world, world.status)


@pytest.fixture(scope="module", params=range(4))
def some(request: pytest.FixtureRequest) -> list[World]:
    return [world for number, world in enumerate(worlds()) if number % 4 == request.param]


def test_there_is_much_to_try(some: list[World]) -> None:
    assert len(some) > 500
    assert {bool(look(world).labels) for world in some} == {True, False}


def test_it_comes_to_rest_and_never_loses_the_last_pod(some: list[World]) -> None:
    for start in some:
        world, turns = start, 0
        while (turn := look(world)) != rotate.Turnout("" if selects(world) == "" else str(selects(world))):
            before, world = world, after(world, turn)
            turns += 1
            assert turns <= 4, f"no rest: {start}"
            assert not turn.labels or turn.selects == selects(before) or selects(before) is None, "one thing at a time"
            assert answering(world) or not answering(before), f"nobody answers: {before} -> {turn}"
            least = min(FULL, sum(pod.ready for pod in before.pods), answering(before))
            tried = before.status.candidate
            if tried and tried.step < 2 and selects(world) == "":
                assert answering(world) >= least, "fewer than should serve"
        assert_is_as_wished(world)


def selects(world: World) -> str | None:
    """A revision, "" for the pods in rotation, None where there is no Service."""
    if not world.route:
        return None
    return "" if world.route.rotating else next(iter(world.route.weights))


def assert_is_as_wished(world: World) -> None:
    """At rest: a return and the last step are whole, and a share is the nearest; without a home nothing moves."""
    tried = world.status.candidate
    home, mine = (sum(pod.ready for pod in world.pods if pod.revision == name) for name in (V1, V2))
    if not home:
        return
    if not tried or not mine or (tried.step == 2 and mine < FULL and not world.route):
        assert selects(world) == V1
        return
    if tried.step == 2 and mine == FULL:
        assert selects(world) == V2
        return
    step = strategy.present_step(world, tried)
    if mine >= step.replicas and tried.step < 2:
        assert selects(world) == ""
        assert world.route and world.route.weights[V2] == step.weight
        assert step.weight == rotation.nearest(tried.steps[tried.step].weight, rotation.There(home, mine, FULL)).percent


def test_a_return_is_at_once_and_touches_no_pod(some: list[World]) -> None:
    for world in some:
        home = sum(pod.ready for pod in world.pods if pod.revision == V1)
        if not world.status.candidate and home:
            assert look(world) == rotate.Turnout(V1)


def test_what_ends_is_never_counted_and_a_stranger_is_put_out() -> None:
    world = seen(replace(bare("v2"), spec=wish("v2"), status=status_in(0)), made(V1, 4, 3, 0) + made(V2, 1, 1, 0), "")
    assert look(world) == rotate.Turnout("")
    other = Pod("x", "x", "churn-other", True, True)
    world = replace(world, pods=(*world.pods, other))
    assert [label["metadata"]["name"] for label in look(world).labels] == ["x"]


def test_who_answers_in_rotation_and_was_taken_off_goes_by_one_write() -> None:
    base = replace(bare("v2"), spec=wish("v2"), status=status_in(0))
    others = [Pod(f"x-{n}", f"x-{n}", "churn-other", True, True) for n in range(2)]
    for mine_in in (0, 1):
        world = seen(base, made(V1, 4, 3, 0) + made(V2, 1, mine_in, 0) + others, "")
        assert look(world) == rotate.Turnout(V1)


def test_no_label_gives_the_candidate_more_than_it_had_or_is_to_have(some: list[World]) -> None:
    """Labels land one by one, and each counts at once."""
    for world in (world for world in some if selects(world) == ""):
        turn = look(world)
        parts = [after(world, replace(turn, labels=turn.labels[:n])) for n in range(len(turn.labels) + 1)]
        mine = [part.route.weights.get(V2, 0) for part in parts if part.route]
        assert max(mine) <= max(mine[0], mine[-1]), world


def test_the_ports_of_a_rotation_are_known_by_name() -> None:
    """Two revisions may listen at different numbers."""
    world = seen(replace(bare("v2"), spec=wish("v2"), status=status_in(0)), made(V1, 4, 3, 0) + made(V2, 1, 1, 0), "")
    service, _ = make_shared(replace(world, snapshots=SNAPSHOTS), "", SNAPSHOTS[wanted_revision(bare("v1"))])
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
