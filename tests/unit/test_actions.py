"""What each annotation does in each situation, and what it says where it does nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.api.status import Acted, Approved, Refused, Status
from penstock.core.actions import ACTS, Action, obey
from penstock.core.decide import advance
from penstock.core.moves import Turn
from penstock.model.values import Notice, World
from tests.unit.worlds import CLOCKS, STABLE, V1, V2, V3, ago, as_planned, bare, trying, usual

ALICE = {"requested-by": "alice", "requested-groups": "leads"}
REFUSED = Refused(revision=V3, version="v3", reason="NeverReady", at=ago(500), message="0 of 2 pods ready")


def rolling(number: int = 0, plan: str = "walk", **more: Any) -> World:
    """v2 in a step that has its share and its evidence, v3 rejected before."""
    candidate = trying(plan, number, CLOCKS["inside"], "pass", **more)
    status = Status(stable=STABLE, candidate=candidate, rejected=[REFUSED])
    return replace(usual("v2", plan), status=status, route=as_planned(plan, number))


def settled(wanted: str = "v1", **more: Any) -> World:
    """v1 is stable, nothing is tried."""
    return replace(usual(wanted, "walk"), status=Status(stable=STABLE, **more))


def first() -> World:
    """The first revision ever."""
    candidate = trying("walk", 0, CLOCKS["inside"], first=True)
    return replace(usual("v2", "walk"), status=Status(candidate=candidate), route=None)


def asking(world: World, **annotations: str) -> World:
    """Alice asks; underscores are hyphens."""
    return replace(world, annotations=ALICE | {k.replace("_", "-"): v for k, v in annotations.items()})


def told(turn: Turn) -> Notice:
    """The one thing that is said."""
    (notice,) = turn.notices
    return notice


IGNORED: list[tuple[str, Callable[[], World], str, str]] = [
    ("abort", first, V2, "nothing to go back to"),
    ("abort", settled, V1, f"it is stable; to leave it: penstock.dev/undo={V2} (version v2), {V3} (version v3)"),
    ("abort", settled, V2, "it is not being tried; nothing is being tried"),
    ("abort", rolling, "churn-0000000000", f"it is not being tried; the candidate is {V2}"),
    ("abort", rolling, V3, "it is rejected already (NeverReady)"),
    ("undo", settled, "churn-0000000000", f"unknown; kept are {V2} (version v2), {V3} (version v3)"),
    ("undo", settled, V1, "it is stable already; kept are"),
    ("undo", rolling, V2, "it is being tried already"),
    ("undo", rolling, V3, f"it was rejected (NeverReady); penstock.dev/retry={V3} first"),
    ("undo", first, V1, "unknown; kept are"),
    ("retry", rolling, V2, "it is not among the rejected"),
    ("retry", settled, "???", "it is not among the rejected"),
    ("pause", settled, "yes", 'only "true" pauses; remove the annotation to go on'),
    ("approve", settled, f"{V2}/1", "it is not being tried; nothing is being tried"),
    ("approve", rolling, f"{V1}/1", f"it is not being tried; the candidate is {V2}"),
    ("approve", rolling, f"{V2}/1", "step 1 of 5 asks nobody"),
    ("approve", rolling, f"{V2}/99", "step 99 of 5 asks nobody"),
    ("approve", rolling, V2, "step 1 of 5 asks nobody"),
    ("skip", settled, V2, "it is not being tried"),
    ("skip", lambda: rolling(2), f"{V2}/1", "step 1 is none of the steps that are still to come"),
    ("skip", rolling, f"{V2}/4", "step 4 gives it everything and cannot be skipped; abort takes it off"),
    ("promote", settled, V2, "it is not being tried"),
    ("promote", rolling, f"{V2}/2", "it is in step 1"),
    ("promote-full", settled, V2, "it is not being tried"),
]


@pytest.mark.parametrize(("action", "world", "value", "why"), IGNORED, ids=lambda p: p if isinstance(p, str) else "")
def test_what_has_no_effect_says_why_and_what_would(
    action: str, world: Callable[[], World], value: str, why: str
) -> None:
    before = world()
    turn = obey(replace(before, annotations=ALICE | {action: value}))
    notice = told(turn)
    assert notice.warning and notice.reason == "ActionIgnored" and notice.by == "alice"
    assert notice.message.startswith(f"{action} {value.partition('/')[0]}: ") and why in notice.message
    acted = turn.status.acted
    assert [(a.action, a.value, a.by) for a in acted] == [(action, value, "alice")]
    assert turn.status.model_copy(update={"acted": []}) == before.status


def test_every_action_is_in_the_table_above() -> None:
    assert {action for action, *_ in IGNORED} == {a.value for a in Action} == {a.value for a in ACTS}


def candidate_of(turn: Turn) -> Any:
    assert turn.status.candidate
    return turn.status.candidate


@pytest.mark.parametrize("number", range(5))
def test_an_abort_takes_the_candidate_off_in_every_step(number: int) -> None:
    turn = obey(asking(rolling(number), abort=V2))
    assert told(turn).reason == "Aborted" and told(turn).by == "alice"
    assert turn.status.candidate is None and turn.status.rejected[-1].by == "alice"
    assert turn.status.history[-1].reason == "Aborted" and turn.status.leaving[-1].revision == V2


def test_an_abort_of_what_has_not_begun_keeps_it_from_beginning() -> None:
    world = asking(settled("v2"), abort=V2, pause="true")
    turn = advance(world)
    assert [n.reason for n in turn.notices] == ["Aborted", "Paused"]
    assert not turn.status.candidate and turn.status.rejected[-1].revision == V2


def test_an_abort_beats_whatever_would_go_forward() -> None:
    for going in ({"promote": V2}, {"promote_full": V2}, {"skip": f"{V2}/5"}, {"approve": f"{V2}/3"}):
        turn = advance(asking(rolling(4), abort=V2, **going))
        assert [n.reason for n in turn.notices] == ["Aborted", "ActionIgnored"]
        assert turn.status.stable == STABLE and not turn.status.candidate


def test_promote_waives_time_evidence_and_approval_of_the_present_step() -> None:
    world = rolling(2)
    waived = candidate_of(obey(asking(world, promote=V2)))
    assert waived.waived == 2
    turn = advance(asking(world, promote=f"{V2}/3"))
    assert candidate_of(turn).step == 3 and candidate_of(turn).waived is None
    assert [n.reason for n in turn.notices] == ["ActionTaken", "StepEntered"]


@pytest.mark.parametrize("lacks", [{"workloads": {}}, {"route": None}, {"annotations": {"pause": "true"}}])
def test_promote_waives_neither_readiness_nor_the_route_nor_a_pause(lacks: dict[str, Any]) -> None:
    world = replace(asking(rolling(2), promote=V2), **{k: v for k, v in lacks.items() if k != "annotations"})
    world = replace(world, annotations={**world.annotations, **lacks.get("annotations", {})})
    assert candidate_of(advance(world)).step == 2


def test_promote_ends_a_bake() -> None:
    turn = advance(asking(rolling(4), promote=V2))
    assert turn.status.stable and turn.status.stable.revision == V2


def test_promote_full_goes_straight_to_everything_and_remembers_who() -> None:
    turn = advance(asking(rolling(0), promote_full=V2))
    assert (candidate_of(turn).step, candidate_of(turn).forced_by, candidate_of(turn).skipped) == (
        3,
        "alice",
        [0, 1, 2],
    )
    assert "past its steps" in turn.notices[0].message


def test_promote_full_in_a_bake_ends_it() -> None:
    turn = advance(asking(rolling(4), promote_full=V2))
    assert turn.status.stable and turn.status.stable.revision == V2


def test_skip_of_a_later_step_leaves_it_out_when_its_turn_comes() -> None:
    skipped = candidate_of(obey(asking(rolling(0), skip=f"{V2}/2")))
    assert (skipped.skipped, skipped.waived) == ([1], None)
    candidate = trying("walk", 0, CLOCKS["over"], "pass", skipped=[1])
    world = replace(rolling(0), status=Status(stable=STABLE, candidate=candidate))
    assert candidate_of(advance(world)).step == 2


def test_skip_of_the_present_step_leaves_it_now() -> None:
    turn = advance(asking(rolling(1), skip=f"{V2}/2"))
    assert candidate_of(turn).step == 2 and turn.notices[0].reason == "StepSkipped"


def test_skip_of_the_bake_promotes_without_one() -> None:
    candidate = trying("walk", 3, CLOCKS["over"], "pass", skipped=[4])
    world = replace(rolling(3), status=Status(stable=STABLE, candidate=candidate))
    turn = advance(world)
    assert turn.status.stable and turn.status.stable.revision == V2


def test_retry_forgives_one_revision_and_no_other() -> None:
    other = REFUSED.model_copy(update={"revision": V2, "version": "v2"})
    turn = obey(asking(settled("v1", rejected=[other, REFUSED]), retry=V3))
    assert turn.status.rejected == [other]


def test_retry_takes_a_revision_off_the_list_and_it_begins_at_once() -> None:
    world = asking(settled("v3", rejected=[REFUSED]), retry=V3)
    turn = advance(world)
    assert turn.status.rejected == [] and candidate_of(turn).revision == V3
    assert [n.reason for n in turn.notices] == ["Retried", "RolloutStarted"]


def test_approvals_of_two_people_are_counted_once_each() -> None:
    world = asking(rolling(2), approve=f"{V2}/3")
    one = obey(world)
    assert told(one).reason == "Approved"
    again = obey(replace(world, status=one.status))
    assert again.notices == () and again.status == one.status
    other = replace(world, status=one.status, annotations={**world.annotations, "requested-by": "bob"})
    two = obey(other)
    assert [(a.step, a.by, a.groups) for a in candidate_of(two).approvals] == [
        (3, n, ["leads"]) for n in ("alice", "bob")
    ]
    assert obey(replace(other, status=two.status)).notices == ()


def test_an_approval_that_is_taken_from_another_action_stays_one_persons() -> None:
    """The name goes and another action stays: nobody new has approved."""
    world = asking(rolling(2), approve=f"{V2}/3")
    one = obey(world)
    nameless = {k: v for k, v in world.annotations.items() if k != "requested-by"}
    assert obey(replace(world, status=one.status, annotations=nameless)).notices == ()


def test_the_same_person_approves_twice_and_counts_once() -> None:
    before = Approved(step=3, by="alice", groups=["leads"], at=ago(60))
    turn = obey(asking(rolling(2, approvals=[before]), approve=f"{V2}/3"))
    assert len(candidate_of(turn).approvals) == 1


def test_an_approval_may_be_given_before_its_step() -> None:
    assert [a.step for a in candidate_of(obey(asking(rolling(0), approve=f"{V2}/3"))).approvals] == [3]


def test_too_many_groups_are_cut() -> None:
    groups = ",".join(["leads", *(f"g{n}" for n in range(40))])
    many = asking(rolling(2), approve=f"{V2}/3", requested_groups=groups)
    assert len(candidate_of(obey(many)).approvals[0].groups) == 16


@pytest.mark.parametrize("groups", ["", "staff", "lead", ",,"])
def test_an_approval_from_outside_the_groups_is_answered(groups: str) -> None:
    turn = obey(asking(rolling(2), approve=f"{V2}/3", requested_groups=groups))
    assert told(turn).reason == "ActionIgnored" and "alice is in none of the groups leads, owners" in told(turn).message
    assert candidate_of(turn).approvals == []


def test_a_pause_is_told_once_and_its_end_too() -> None:
    world = asking(rolling(0), pause="true")
    paused = obey(world)
    assert told(paused).reason == "Paused" and "alice" in told(paused).message
    assert obey(replace(world, status=paused.status)).notices == ()
    resumed = obey(replace(world, status=paused.status, annotations={}))
    assert told(resumed).reason == "Resumed" and resumed.status.acted == []


def test_what_never_paused_is_not_resumed() -> None:
    world = asking(rolling(0), pause="yes")
    wrong = obey(world)
    assert obey(replace(world, status=wrong.status, annotations={})).notices == ()


def test_undo_of_a_rollout_returns_to_the_stable_revision_and_says_who() -> None:
    turn = advance(asking(rolling(2), undo=V1))
    assert told(turn).reason == "Undone" and not turn.status.candidate
    assert (turn.status.rejected[-1].revision, turn.status.rejected[-1].by) == (V2, "alice")


def test_undo_of_the_stable_revision_tries_a_kept_one() -> None:
    turn = advance(asking(settled("v1"), undo=V3))
    tried = candidate_of(turn)
    assert (tried.revision, tried.version, tried.undo_by, tried.step) == (V3, "v3", "alice", 0)
    assert [n.reason for n in turn.notices] == ["Undone", "RolloutStarted"]
    assert turn.status.rejected[-1].revision == V1, "the spec's is not to come back by itself"


def test_undo_does_not_write_over_why_the_wanted_one_was_refused() -> None:
    world = asking(settled("v3", rejected=[REFUSED]), undo=V2)
    turn = advance(world)
    assert turn.status.rejected == [REFUSED] and candidate_of(turn).revision == V2
    assert [n.reason for n in turn.notices] == ["RolloutStarted"]


def test_undo_to_what_is_stable_keeps_a_held_one_from_beginning() -> None:
    turn = advance(asking(settled("v2"), undo=V1, pause="true"))
    assert not turn.status.candidate and turn.status.rejected[-1].revision == V2


def test_undo_in_an_undo_supersedes_it() -> None:
    world = rolling(0, undo_by="zoe")
    status = world.status.model_copy(update={"rejected": [REFUSED.model_copy(update={"revision": V1})]})
    turn = advance(asking(replace(world, spec=bare("v1").spec, status=status), undo=V3))
    assert [n.reason for n in turn.notices] == ["Superseded", "RolloutStarted"]
    assert candidate_of(turn).revision == V3


@pytest.mark.parametrize(
    ("annotations", "verified", "name"),
    [
        ({"requested-by": "alice"}, True, "alice"),
        ({"requested-by": "alice"}, False, "alice (unverified)"),
        ({}, True, "somebody (unverified)"),
        ({"requested-by": "x" * 500}, True, "x" * 200),
    ],
)
def test_names_are_only_as_good_as_their_proof(annotations: dict[str, str], verified: bool, name: str) -> None:
    world = replace(rolling(0), annotations=annotations | {"abort": V2}, verified=verified)
    assert told(obey(world)).by == name


def test_a_taken_annotation_that_changes_is_taken_again() -> None:
    old = [Acted(action="skip", value=f"{V2}/2", by="alice", at=ago(60))]
    world = rolling(0)
    status = world.status.model_copy(update={"acted": old})
    turn = obey(asking(replace(world, status=status), skip=f"{V2}/3"))
    assert candidate_of(turn).skipped == [2]
    assert [(a.action, a.value) for a in turn.status.acted] == [("skip", f"{V2}/3")]


def test_a_value_of_any_length_is_answered_once() -> None:
    world = asking(rolling(0), abort="z" * 5000)
    turn = obey(world)
    assert len(told(turn).message) < 400
    assert obey(replace(world, status=turn.status)).notices == ()
