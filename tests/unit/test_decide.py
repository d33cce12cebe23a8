"""The machine, explored: combinations of a small world, held against the rules of the machine.

Each time one in seven, which is in step with no dimension of any family; all at night. The worlds are built in `worlds`
and `families`, the rules are in `laws` and `laws_of_status`. A law says whether it had anything to forbid: one that
never had would prove nothing.
"""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from penstock.api.status import Status
from penstock.core.decide import State, advance, state_of
from penstock.core.plan import decide
from penstock.model.measure import Counts, Silence
from penstock.model.reasons import Reason
from penstock.model.values import World
from tests.unit import laws, laws_of_status
from tests.unit.families import FAMILIES
from tests.unit.laws import Law, Move
from tests.unit.worlds import CLOCKS, STABLE, as_planned, trying, usual

LAWS = laws.LAWS + laws_of_status.LAWS
WORLDS = {  # so many, exactly: a family that shrinks by accident is seen
    "walks": 34505,
    "people": 19456,
    "people alone": 9120,
    "approvals": 2916,
    "wishes": 11520,
    "firsts": 3456,
    "quiet": 22684,
    "lost": 1080,
    "brimming": 384,
    "unseen": 6912,
}
EVERY = 7
Explored = tuple[Counter[str], set[tuple[State, State]]]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_small_world_is_decided_by_the_rules(family: str) -> None:
    explore(family, EVERY)


@cache
def explore(family: str, every: int) -> Explored:
    """Every law in one of so many worlds: how often each had anything to forbid, and which states followed on which."""
    spoke, arrows, count = Counter[str](), set[tuple[State, State]](), 0
    for count, world in enumerate(FAMILIES[family](), 1):
        if count % every == 0:
            move = Move(world, decide(world))
            spoke.update(law.__name__ for law in LAWS if obey(law, move))
            arrows.add((state_of(world, world.status), state_of(world, move.plan.status)))
            if count % (50 * every) == 0:
                assert decide(world) == move.plan, "the same world was decided in two ways"
    assert count == WORLDS[family]
    return spoke, arrows


def obey(law: Law, move: Move) -> bool:
    """The law, with the world in words where it is broken."""
    try:
        return law(move)
    except AssertionError as error:
        pytest.fail(
            f"{law.__name__}: {error}\n{tell(move.world)}\n{tell(replace(move.world, status=move.plan.status))}"
        )


def tell(world: World) -> str:
    """A world in three lines."""
    status = world.status.model_dump(mode="json", exclude_defaults=True, exclude={"conditions", "history"})
    wanted = world.spec.model.version if world.spec else ""
    pods = {name: (w.ready, w.desired) for name, w in world.workloads.items()}
    seen = f"wants {wanted}, {world.annotations}, {world.route}, pods {pods}, {world.answers}, {world.problem}"
    return f"{seen}\n  {status}"


def test_no_law_is_silent() -> None:
    spoke = sum((explore(family, EVERY)[0] for family in FAMILIES), Counter[str]())
    assert {law.__name__ for law in LAWS if spoke[law.__name__] < 5} == set()


def test_every_state_is_reached() -> None:
    arrows = set().union(*(explore(family, EVERY)[1] for family in FAMILIES))
    assert {after for _, after in arrows} == set(State)
    assert {before for before, _ in arrows} == set(State)


def settled_at(plan: str, number: int, clock: str = "over", what: str = "pass") -> World:
    """v2 in a step whose route and pods are as they should be."""
    status = Status(stable=STABLE, candidate=trying(plan, number, CLOCKS[clock], what))
    return replace(usual("v2", plan), status=status, route=as_planned(plan, number))


@pytest.mark.parametrize("answers", [{}, {0: Silence("dead"), 1: Silence("dead")}])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_no_step_is_passed_without_evidence(step: int, answers: dict[int, Silence]) -> None:
    """Silence is not success, however long it lasts short of the deadline."""
    turn = advance(replace(settled_at("walk", step, what="none"), answers=answers))
    assert turn.status.candidate and turn.status.candidate.step == step
    assert turn.waits and turn.waits.reason in (Reason.METRICS_UNAVAILABLE, Reason.NOT_ENOUGH_EVIDENCE)


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
def test_a_failing_metric_rejects_although_another_is_silent(step: int) -> None:
    world = replace(settled_at("walk", step, "inside", "none"), answers={0: Counts(80, 100), 1: Silence("dead")})
    assert advance(world).status.rejected[-1].reason == "ErrorRateAboveLimit"
