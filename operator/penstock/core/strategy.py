"""Strategies are spellings: each compiles to steps, and one machine walks them.

`pin` writes the plan into status when a rollout begins; `compile_steps` reads it from there, so that an edit of the
spec's steps in mid-rollout acts on the next rollout and no step number ever points outside its list.
"""

from penstock.api.fields import seconds
from penstock.api.spec import Spec
from penstock.api.status import CanaryPlan, Trying
from penstock.core.desired import share
from penstock.model.values import Step, World
from penstock.scaling import hpa


def pin(spec: Spec, first: bool) -> list[CanaryPlan]:
    """The plan of a rollout that begins now; the first revision ever has nothing to be judged against."""
    canary = spec.rollout.canary
    steps = [] if first or not canary else canary.steps
    return [*(CanaryPlan(weight=s.weight, duration=s.duration) for s in steps), CanaryPlan(weight=100)]


def compile_steps(world: World, candidate: Trying) -> tuple[Step, ...]:
    """The pinned plan as steps: sized for what the stable revision runs now, the last one at full size."""
    full = full_size(world, candidate.stable_replicas)
    *shares, last = candidate.steps
    checks = (
        ("ready", "routed", "held", "judged") if world.spec and world.spec.analysis else ("ready", "routed", "held")
    )
    steps = [Step(s.weight, seconds(s.duration), share(s.weight, full), checks) for s in shares]
    return (*steps, Step(last.weight, 0.0, full, ("ready", "routed")))


def present_step(world: World, candidate: Trying) -> Step:
    """The step that the candidate is in."""
    return compile_steps(world, candidate)[candidate.step]


def full_size(world: World, stable_replicas: int) -> int:
    """Replicas of a revision that carries everything: the spec's minimum, or what the stable one was scaled to."""
    assert world.spec
    scaling = world.spec.scaling
    if not hpa.owns_replicas(scaling):
        return scaling.min_replicas
    return min(max(scaling.min_replicas, stable_replicas), scaling.max_replicas or stable_replicas)
