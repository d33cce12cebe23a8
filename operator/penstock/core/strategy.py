"""Strategies are spellings: each compiles to steps, and one machine walks them.

`pin` writes the plan into status when a rollout begins; `present_step` reads it from there, so that an edit of the
spec's steps in mid-rollout acts on the next rollout and no step number ever points outside its list.

    shadow ─► cohort ─► canary shares, or a preview ─► full ─► bake        each part only where the spec has it
"""

from collections.abc import Iterator
from math import ceil

from penstock.api.fields import limit, seconds
from penstock.api.rollout import Approval, BlueGreen, CapacityPolicy, PreviewAnalysis, Rollout
from penstock.api.status import PlannedApproval, PlannedMatch, PlannedStep, StepKind, Trying
from penstock.core.desired import share
from penstock.model.values import Step, Workload, World
from penstock.routing import rotation, router_of
from penstock.scaling import hpa


def pin(world: World, direct: bool) -> list[PlannedStep]:
    """The plan of a rollout that begins now; a direct one has no steps before it serves everything.

    The first revision has nothing to be judged against, and a bake nothing to return to. Where one pod is all that
    there is room for, no share of traffic can be split off.
    """
    assert world.spec
    rollout = world.spec.rollout
    first = world.status.stable is None
    alone = rollout.capacity_policy is CapacityPolicy.REPLACE and full_size(world, running(world)) == 1
    steps = [] if direct or first or alone else list(_before(rollout, judged=world.spec.analysis is not None))
    steps = steps if router_of(world.spec.traffic) else [_had(world, step) for step in steps]
    steps.append(PlannedStep(kind=StepKind.FULL, weight=100))
    if rollout.bake and not first:
        steps.append(PlannedStep(kind=StepKind.BAKE, weight=100, duration=rollout.bake.duration))
    return steps


def _before(rollout: Rollout, judged: bool) -> Iterator[PlannedStep]:
    """All steps before the candidate serves everything."""
    if rollout.shadow:
        yield PlannedStep(
            kind=StepKind.SHADOW,
            weight=0,
            mirror=rollout.shadow.percent,
            capacity=rollout.shadow.percent,
            duration=rollout.shadow.duration,
            judged=True,
            approval=_approval(rollout.shadow.approval),
        )
    if rollout.ab_test:
        yield PlannedStep(
            kind=StepKind.COHORT,
            weight=0,
            match=[PlannedMatch.model_validate(m.model_dump()) for m in rollout.ab_test.match],
            capacity=_percent(rollout.ab_test.capacity),
            duration=rollout.ab_test.duration,
            judged=True,
            approval=_approval(rollout.ab_test.approval),
        )
    for each in rollout.canary.steps if rollout.canary else []:
        yield PlannedStep(
            weight=each.weight,
            capacity=_percent(each.capacity) if each.capacity else each.weight,
            duration=each.duration,
            judged=judged,
            approval=_approval(each.approval),
        )
    if rollout.blue_green:
        yield _preview(rollout.blue_green)


def _had(world: World, step: PlannedStep) -> PlannedStep:
    """The step with the share that its pods can give, where no gateway splits requests; the nearest, if not exactly."""
    assert world.spec
    if step.kind is not StepKind.CANARY:
        return step
    pair = rotation.nearest(step.weight, _planned(world, step))
    return step if pair.share == step.weight else step.model_copy(update={"weight": pair.percent, "asked": step.weight})


def _planned(world: World, step: PlannedStep) -> rotation.There:
    """The pods that a step will have to choose from."""
    assert world.spec
    full = full_size(world, running(world))
    replaces = world.spec.rollout.capacity_policy is CapacityPolicy.REPLACE
    mine = min(share(step.capacity, full), full - 1 if replaces else full)
    return rotation.There(full - mine if replaces else full, mine, full)


def unreachable(world: World, steps: list[PlannedStep]) -> str:
    """Which step's exact share cannot be had, and what to do about it; empty where all can."""
    number, step = next(((n, s) for n, s in enumerate(steps, 1) if s.asked is not None), (0, None))
    if not step or step.asked is None:
        return ""
    there, needed = _planned(world, step), rotation.pods_for(step.asked)
    pods = f"{needed} pods" if there.full < needed else f"a multiple of {needed} pods"
    with_these = f"with {there.full} pod{'s' if there.full > 1 else ''}"
    had = " or ".join(f"{percent}%" for percent in rotation.at_hand(step.asked, there))
    return (
        f"step {number}: weight {step.asked} needs {pods}, or a gateway; {with_these} {had} can be had:"
        " set traffic.onShareUnreachable: Nearest"
    )


def _preview(wish: BlueGreen) -> PlannedStep:
    return PlannedStep(
        kind=StepKind.PREVIEW,
        weight=0,
        duration=wish.duration,
        judged=wish.preview_analysis is PreviewAnalysis.REQUIRE,
        approval=_approval(wish.approval),
    )


def _percent(text: str) -> int:
    return ceil(100 * limit(text))


def _approval(asked: Approval | None) -> PlannedApproval | None:
    if not asked:
        return None
    return PlannedApproval(
        groups=asked.groups,
        min_approvals=asked.min_approvals,
        max_age=asked.max_age or "",
        on_timeout=asked.on_timeout.value,
    )


def present_step(world: World, candidate: Trying) -> Step:
    """The step that the candidate is in, sized for what the stable revision ran when the rollout began, or runs now.

    What it runs now counts for the candidate only: as a floor of its own, the stable revision would never shrink again.
    """
    full = full_size(world, max(candidate.stable_replicas, running(world)))
    planned = candidate.steps[candidate.step]
    replicas = share(planned.capacity, full)
    if candidate.replaces and full > 1 and planned.weight < 100:  # one pod is home's while it has traffic
        replicas = min(replicas, full - 1)
    return Step(
        kind=planned.kind,
        weight=_given(world, candidate, planned.weight),
        seconds=seconds(planned.duration),
        replicas=replicas,
        checks=_checks(planned, candidate.waived == candidate.step),
        mirror=planned.mirror,
        match=tuple(planned.match),
        approval=planned.approval,
    )


def _given(world: World, candidate: Trying, weight: int) -> int:
    """The share that the pods can give now, where no gateway splits requests: those that are ready come and go."""
    assert world.spec
    if router_of(world.spec.traffic) or not world.status.stable or not 0 < weight < 100:
        return weight
    there = pods_there(world, (world.status.stable.revision, candidate.revision), candidate.stable_replicas)
    return rotation.nearest(weight, there).percent if there.home and there.mine else weight


def pods_there(world: World, sides: tuple[str, str], stable_replicas: int) -> rotation.There:
    """The ready pods of home and of another; they must do for what home runs, or would if nothing were tried."""
    home, mine = (sum(pod.ready for pod in world.pods if pod.revision == name) for name in sides)
    desired = world.workloads.get(sides[0], Workload()).desired
    return rotation.There(home, mine, max(full_size(world, stable_replicas), desired))


def _checks(step: PlannedStep, waived: bool) -> tuple[str, ...]:
    """What must hold to leave a step. A person may waive all but readiness, the route and a freeze."""
    if step.kind is StepKind.FULL:
        return "ready", "routed"
    if waived:
        return ("ready", "routed") if step.kind is StepKind.BAKE else ("ready", "routed", "free")
    if step.kind is StepKind.BAKE:
        return "ready", "routed", "observed", "held", "baked"
    judged = ("judged",) if step.judged else ()
    return "ready", "routed", "observed", "held", *judged, "free", "approved"


def step_after(candidate: Trying) -> int | None:
    """Number, from 0, of the step that follows, skipped ones left out; None after the last one."""
    rest = range(candidate.step + 1, len(candidate.steps))
    return next((n for n in rest if n not in candidate.skipped), None)


def full_step(candidate: Trying) -> int:
    """Number, from 0, of the step that gives it everything."""
    return next(n for n, step in enumerate(candidate.steps) if step.kind is StepKind.FULL)


def serves(world: World, revision: str) -> bool:
    """Whether the revision answers anybody, or is about to: its pods are ready, or the route names it."""
    # A route is made only once pods are ready; a Service selects its revision from the first moment on.
    routed = world.spec and router_of(world.spec.traffic) and world.route and world.route.weights.get(revision)
    return bool(routed) or world.workloads.get(revision, Workload()).ready > 0


def running(world: World) -> int:
    """Replicas that the stable revision is to have now."""
    home = world.status.stable
    return world.workloads.get(home.revision, Workload()).desired if home else 0


def full_size(world: World, stable_replicas: int) -> int:
    """Replicas of a revision that carries everything: the spec's minimum, or what the stable one was scaled to.

    While a Deployment that was handed over is still there, no fewer than it has.
    """
    assert world.spec
    scaling = world.spec.scaling
    least = max(1, scaling.min_replicas, sum(w.desired for w in world.given.deployments.values()))
    if not hpa.owns_replicas(scaling):
        return least
    return min(max(least, stable_replicas), scaling.max_replicas or stable_replicas)
