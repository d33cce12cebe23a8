"""What must hold of every single move of the machine: World -> Plan, seen from outside.

Each law takes a `Move` and says whether it had anything to say; a law that never had would prove nothing, so that is
counted. To add one: a function here or in `laws_of_people`, a line in its tuple.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from penstock.api.condition import ConditionStatus
from penstock.api.fields import seconds
from penstock.api.status import StepKind, Trying, VerdictName
from penstock.checks.free import holding
from penstock.core import measures, strategy, traffic
from penstock.core.decide import EDGES, state_of
from penstock.core.history import may_return
from penstock.core.needs import FAILURES
from penstock.core.template import wanted_revision
from penstock.model.measure import Counts, Silence
from penstock.model.schedule import read
from penstock.model.values import Outcome, Plan, Step, Workload, World

LAST = (StepKind.FULL, StepKind.BAKE)


@dataclass(frozen=True)
class Move:
    """A world and what followed from it."""

    world: World
    plan: Plan

    @cached_property
    def before(self) -> Trying | None:
        """The candidate that there was."""
        return self.world.status.candidate

    @cached_property
    def after(self) -> Trying | None:
        """The candidate that there is."""
        return self.plan.status.candidate

    @cached_property
    def same(self) -> bool:
        """Whether the same rollout goes on."""
        return bool(self.before and self.after and who(self.before) == who(self.after))

    @cached_property
    def fresh(self) -> dict[str, str]:
        """Actions that are asked for and were not taken up before."""
        old = {a.action for a in self.world.status.acted}
        asked = {k: v for k, v in self.world.annotations.items() if not k.startswith("requested-")}
        return {k: v for k, v in asked.items() if k not in old}

    @cached_property
    def weights(self) -> dict[str, int]:
        """The traffic that follows."""
        return traffic.weights(self.world, self.plan.status)

    @cached_property
    def step(self) -> Step | None:
        """The step that the candidate was in."""
        return strategy.present_step(self.world, self.before) if self.before else None

    @cached_property
    def condition(self) -> str:
        """Reason of the condition Ready."""
        return next(c.reason for c in self.plan.status.conditions if c.type == "Ready")

    def ready(self, revision: str) -> int:
        """Ready pods of a revision."""
        return self.world.workloads.get(revision, Workload()).ready

    @cached_property
    def home(self) -> str:
        """The stable revision that there was, where it can answer; else nothing."""
        stable = self.world.status.stable
        return stable.revision if stable and self.ready(stable.revision) else ""

    @property
    def refused_for(self) -> str:
        """Why the last one was taken off."""
        return self.plan.status.rejected[-1].reason if self.plan.status.rejected else ""

    @cached_property
    def refused(self) -> set[str]:
        """Revisions that this move has taken off."""
        old = {(r.revision, r.at) for r in self.world.status.rejected}
        return {r.revision for r in self.plan.status.rejected if (r.revision, r.at) not in old}


Law = Callable[[Move], bool]


def who(candidate: Trying) -> tuple[str, str]:
    """What tells one rollout from another, also of the same revision."""
    return candidate.revision, candidate.started_at


def states_follow_the_table(move: Move) -> bool:
    before, after = state_of(move.world, move.world.status), state_of(move.world, move.plan.status)
    assert after in EDGES[before], f"{before} -> {after}"
    return before is not after


def weights_sum_up_and_never_run_ahead_of_readiness(move: Move) -> bool:
    assert not move.weights or sum(move.weights.values()) == 100
    seen = move.world.route.weights if move.world.route else {}
    stable = move.plan.status.stable
    for revision, weight in move.weights.items():
        home = stable and revision == stable.revision
        assert weight <= seen.get(revision, 0) or home or move.ready(revision), "routed ahead of readiness"
    return bool(move.weights)


def traffic_does_not_flee_to_an_unready_home(move: Move) -> bool:
    """While no pod of the stable revision can answer, what stands in the route stays or goes to whoever can."""
    stable, seen = move.plan.status.stable, move.world.route
    if not stable or not seen or not move.weights or move.ready(stable.revision):
        return False
    if sum(seen.weights.get(name, 0) for name in move.weights) != 100:
        return False  # the route names others, or nobody yet
    assert move.weights.get(stable.revision, 0) <= seen.weights.get(stable.revision, 0)
    return True


def only_stable_and_candidate_get_anything(move: Move) -> bool:
    """Except what stands in the route already, while the home has no pod or gives its traffic back pod by pod."""
    shares = traffic.shares(move.world, move.plan.status)
    mine = {side.revision for side in (move.plan.status.stable, move.after) if side}
    seen = move.world.route.weights if move.world.route else {}
    for revision, weight in shares.weights.items():
        assert not weight or revision in mine or seen.get(revision, 0) > 0
    named = [shares.cohort.revision if shares.cohort else "", shares.mirror[0] if shares.mirror else ""]
    apart = {name for name in named if name}  # a place for a cohort may stand empty
    assert not apart or (move.after and apart == {move.after.revision} and move.ready(move.after.revision))
    return bool(apart)


def a_rejected_revision_is_not_tried(move: Move) -> bool:
    refused = {r.revision for r in move.plan.status.rejected}
    assert not move.after or move.after.revision not in refused
    return bool(refused)


def nothing_goes_forward_while_held(move: Move) -> bool:
    """Neither a step nor a start; a return, a first revision and what is past its switch are free."""
    if not move.world.spec or not move.world.status.stable or holding(move.world).outcome is Outcome.PASS:
        return False
    if move.same and move.before and move.after and move.step and move.step.kind not in LAST:
        assert move.after.step == move.before.step, "a step forward while held"
    begun = move.after and not move.same and not move.after.undo_by
    assert not begun or may_return(replace(move.world, status=move.plan.status), move.after.revision)  # type: ignore[union-attr]
    return True


def steps_go_one_by_one(move: Move) -> bool:
    """Never back, never past one that is not skipped; a rollout begins at its first."""
    if not move.after:
        return False
    if not move.same:
        assert move.after.step == 0
        return True
    assert move.before
    skipped = set(range(move.before.step + 1, move.after.step))
    assert move.after.step >= move.before.step and skipped <= set(move.after.skipped)
    return move.after.step > move.before.step


def proven_bad(move: Move) -> bool:
    """A metric has failed, or does by what it answers now, and nobody asked for something else first."""
    world = move.world
    if not (world.spec and world.status.stable and move.before) or set(move.fresh) & {"abort", "undo", "retry"}:
        return False
    failed = any(e.verdict is VerdictName.FAIL for e in move.before.evidence)
    answers_bad = any(isinstance(a, Counts) and a.candidate_bad * 2 > a.candidate_total for a in world.answers.values())
    return (failed or answers_bad) and walks_on(move)


def walks_on(move: Move) -> bool:
    """The spec still asks for the candidate, or a person who goes back does, so that it is judged in this move."""
    assert move.before
    if move.world.problem:
        return True
    wanted = wanted_revision(move.world)
    undone = move.before.undo_by and any(r.revision == wanted for r in move.world.status.rejected)
    return move.before.revision == wanted or bool(undone)


def a_failing_metric_rejects_in_every_step(move: Move) -> bool:
    """But for a breach after 100 % that a person has forced or the spec tolerates; that is said."""
    if not proven_bad(move):
        return False
    assert move.before and move.step and move.world.spec
    bake = move.world.spec.rollout.bake
    policy = bake.on_breach if bake else None
    told_only = policy == "Notify" or (policy is None and move.before.forced_by)
    if move.step.kind in LAST and told_only:
        assert move.before.revision not in move.refused or move.refused_for not in map(str, FAILURES)
        return False
    assert move.before.revision in move.refused and move.refused_for in {r.value for r in FAILURES}
    return True


def silence_is_not_success(move: Move) -> bool:
    if not move.step or not move.same or "judged" not in move.step.checks or move.fresh:
        return False
    assert move.before and move.after
    silent = any(isinstance(a, Silence) for a in move.world.answers.values())
    if not silent and (move.before.evidence or move.world.answers):
        return False
    assert move.after.step == move.before.step
    return True


def a_bake_ends_with_open_eyes(move: Move) -> bool:
    """Every metric was read to its end, and none is silent now; but for a person who ends it."""
    world, before = move.world, move.before
    ends = bool(before and before.steps[before.step].kind is StepKind.BAKE and not move.after and not move.refused)
    if not before or not ends or before.waived == before.step or move.fresh or not before.shifted_at:
        return False
    if not move.plan.status.stable or move.plan.status.stable.revision != before.revision:
        return False
    assert world.spec and world.spec.analysis
    end = read(before.shifted_at) + timedelta(seconds=seconds(before.steps[before.step].duration))
    seen = {e.metric for e in before.evidence if e.looked_at and read(e.looked_at) >= end}
    counted = {n for n, answer in world.answers.items() if isinstance(answer, Counts)}
    for number, metric in enumerate(world.spec.analysis.metrics):
        assert number in counted or measures.title(metric) in seen, "not read to its end"
    assert not any(isinstance(answer, Silence) for answer in world.answers.values())
    return True


def a_share_that_is_not_seen_stops_the_step(move: Move) -> bool:
    """Short of a person who waives it; at the deadline the gateway is named, and never a metric. No return waits."""
    seen = move.before.seen if move.before else None
    wrong = bool(seen and seen.verified is ConditionStatus.FALSE)
    if not move.before or not wrong or not move.step or "observed" not in move.step.checks or move.fresh:
        return False
    if proven_bad(move) or not walks_on(move):
        return False  # other laws say that it goes at once
    if move.same:
        assert move.after and move.after.step == move.before.step, "a step forward past a share that is not seen"
    else:
        assert move.before.revision in move.refused
        assert move.refused_for in ("ShareMismatch", "NeverReady")
    return True


def a_first_revision_is_never_rejected(move: Move) -> bool:
    if move.world.status.stable or not move.before:
        return False
    assert not move.refused
    assert move.plan.status.stable or move.after
    return True


def the_pointer_moves_only_at_the_end(move: Move) -> bool:
    """From the last step that is not skipped, fully routed and ready, with nothing failing but what is tolerated."""
    stable = move.plan.status.stable
    if not stable or (move.world.status.stable and move.world.status.stable.revision == stable.revision):
        return False
    candidate, route = move.before, move.world.route
    if not candidate:  # nothing was remembered: it serves already, and nobody more than it
        assert route and 0 < route.weights[stable.revision] == max(route.weights.values())
        return True
    assert candidate.revision == stable.revision
    served = not move.world.status.stable and not walks_on(move)  # nobody else serves: it is stable as it is
    if not served:
        assert candidate.steps[candidate.step].kind in LAST
        rest = set(range(candidate.step + 1, len(candidate.steps)))
        assert rest <= set(candidate.skipped) or move.fresh.get("skip", "").startswith(candidate.revision)
        assert route and route.programmed and route.weights[candidate.revision] == 100
        assert move.ready(candidate.revision) >= 2 and (not move.world.problem or candidate.undo_by)
    return True


def a_rejection_moves_traffic_before_pods(move: Move) -> bool:
    """In the very plan: weight 0 wherever home can answer, all pods of both sides as they are."""
    gone = move.before.revision if move.before and move.before.revision in move.refused else ""
    if not gone or not move.home or not move.before or (move.after and move.after.revision != gone):
        return False
    if not move.before.replaces:
        assert move.weights.get(gone, 0) == 0 and move.weights[move.home] == 100
        assert size(move, move.home) >= move.world.workloads[move.home].desired, "the home shrinks as traffic returns"
    seen = move.world.route
    if seen and seen.reaches(gone):
        assert size(move, gone) or move.before.replaces, "its pods go before its traffic"
    return bool(seen and seen.weights.get(gone) == 100)


def size(move: Move, revision: str) -> int:
    """Replicas that the plan gives a revision."""
    made = (c for c in move.plan.children if c["kind"] == "Deployment" and c["metadata"]["name"] == revision)
    return next((int(c["spec"]["replicas"]) for c in made), 0)


def stable_keeps_its_size_until_another_has_proven_itself(move: Move) -> bool:
    stable, candidate = move.plan.status.stable, move.after
    if not stable or not candidate:
        return False
    mine, home = size(move, candidate.revision), size(move, stable.revision)
    if candidate.replaces:
        last = bool(move.world.route and move.world.route.weights.get(stable.revision))
        assert home + mine <= 2 + last, "more than the full number, and the last that goes after its traffic"
        assert home or not last
        return True
    assert home >= 2
    return True


def nothing_is_removed_that_the_route_reaches(move: Move) -> bool:
    seen, given = move.world.route, move.weights
    names = {name for kind, name in move.plan.prune if kind in ("Deployment", "Service")}
    for name in names:
        assert not (seen and (seen.reaches(name) or name in seen.weights)), f"{name} is in the route"
        assert name not in given
    return bool(names)


LAWS: tuple[Law, ...] = (
    states_follow_the_table,
    weights_sum_up_and_never_run_ahead_of_readiness,
    traffic_does_not_flee_to_an_unready_home,
    only_stable_and_candidate_get_anything,
    a_rejected_revision_is_not_tried,
    nothing_goes_forward_while_held,
    steps_go_one_by_one,
    a_failing_metric_rejects_in_every_step,
    silence_is_not_success,
    a_bake_ends_with_open_eyes,
    a_share_that_is_not_seen_stops_the_step,
    a_first_revision_is_never_rejected,
    the_pointer_moves_only_at_the_end,
    a_rejection_moves_traffic_before_pods,
    stable_keeps_its_size_until_another_has_proven_itself,
    nothing_is_removed_that_the_route_reaches,
)
