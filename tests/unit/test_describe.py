"""What happens next and when, in words: for every reason that a rollout can wait for, and for what is not begun."""

from datetime import timedelta

import pytest

from penstock.api.status import Leaving, Next, Status
from penstock.core.describe import WORDS, next_up
from penstock.core.moves import Turn
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Outcome, Verdict
from tests.unit.worlds import CLOCKS, NOW, STABLE, V2, V3, Clock, ago, trying

SOON = NOW + timedelta(seconds=17)
AT_DEADLINE = spell(NOW + timedelta(seconds=200))


def following(number: int, reason: Reason, left: float | None = 200) -> Next | None:
    """What is next for v2, which waits in a step for a reason."""
    status = Status(stable=STABLE, candidate=trying("walk", number, Clock(7, 5, left)))
    return next_up(status, Turn(status, waits=Verdict(Outcome.WAIT, reason, "", SOON)))


SAID = [
    (0, Reason.HOLDING_STEP, "version v2 goes to cohort if every metric passes", spell(SOON)),
    (1, Reason.NOT_ENOUGH_EVIDENCE, "version v2 goes to 25% when there is enough evidence; else it is taken off", None),
    (2, Reason.WAITING_FOR_PODS, "version v2 goes to 100% when its pods are ready; else it is taken off", None),
    (3, Reason.WAITING_FOR_ROUTE, "version v2 goes to bake 60s when the gateway has confirmed the route; else", None),
    (4, Reason.BAKING, "version v2 becomes stable if no metric fails", spell(SOON)),
    (4, Reason.BREACH_TOLERATED, "version v2 becomes stable although a metric fails", spell(SOON)),
    (0, Reason.RUNTIME_NOT_FOUND, "version v2 goes to cohort when RuntimeNotFound is mended; else", None),
]


@pytest.mark.parametrize(("number", "reason", "what", "at"), SAID)
def test_what_comes_next_is_said_in_words_with_its_time(number: int, reason: Reason, what: str, at: str | None) -> None:
    found = following(number, reason)
    assert found and found.what.startswith(what) and found.at == (at or AT_DEADLINE)


@pytest.mark.parametrize(
    "reason", [Reason.PAUSED, Reason.FROZEN, Reason.WAITING_FOR_APPROVAL, Reason.APPROVAL_TIMED_OUT]
)
def test_who_waits_for_people_has_no_deadline(reason: Reason) -> None:
    found = following(2, reason, left=None)
    assert found and found.what == f"version v2 goes to 100% {WORDS[reason]}" and found.at == spell(SOON)


def test_a_first_revision_is_never_threatened() -> None:
    status = Status(candidate=trying("walk", 0, CLOCKS["inside"], first=True))
    found = next_up(status, Turn(status, waits=Verdict(Outcome.WAIT, Reason.WAITING_FOR_PODS, "")))
    assert found == Next(what="version v2 becomes stable when its pods are ready")


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        (Reason.PAUSED, "the rollout begins when the pause ends"),
        (Reason.FROZEN, "the rollout begins when the freeze ends"),
        (Reason.INSUFFICIENT_CAPACITY, "the rollout begins"),
    ],
)
def test_what_is_held_before_it_begins(reason: Reason, what: str) -> None:
    status = Status(stable=STABLE)
    found = next_up(status, Turn(status, waits=Verdict(Outcome.WAIT, reason, "", SOON)))
    assert found == Next(what=what, at=spell(SOON))


def test_pods_that_leave_go_in_order_and_then_nothing_follows() -> None:
    gone = [Leaving(revision=V2, since=ago(9), after=ago(-30)), Leaving(revision=V3, since=ago(9), after=ago(-10))]
    status = Status(stable=STABLE, leaving=gone)
    assert next_up(status, Turn(status)) == Next(what=f"the pods of {V3} go", at=ago(-10))
    assert next_up(Status(stable=STABLE), Turn(Status(stable=STABLE))) is None


def test_a_skipped_step_is_not_announced() -> None:
    status = Status(stable=STABLE, candidate=trying("walk", 0, CLOCKS["inside"], skipped=[1, 2]))
    found = next_up(status, Turn(status, waits=Verdict(Outcome.WAIT, Reason.HOLDING_STEP, "")))
    assert found and found.what.startswith("version v2 goes to 100%")
