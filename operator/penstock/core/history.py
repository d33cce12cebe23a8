"""Rollouts that are over: who ended them, when, on what evidence; and which revisions were good until lately."""

from datetime import datetime

from penstock.api.fields import span
from penstock.api.status import Ended, Status, Trying
from penstock.model.reasons import Reason
from penstock.model.schedule import read, spell
from penstock.model.values import Notice, World

KEPT = 20  # the CRD's bound


def ended(world: World, status: Status, candidate: Trying, notice: Notice) -> Status:
    """The status with this candidate's rollout added to its history."""
    entry = Ended(
        revision=candidate.revision,
        version=candidate.version,
        reason=notice.reason.value,
        by=notice.by,
        started_at=candidate.started_at,
        at=spell(world.now),
        message=notice.message[:1024],
    )
    return status.model_copy(update={"history": [*status.history, entry][-KEPT:]})


def good_until(status: Status, revision: str) -> datetime | None:
    """When the revision ceased to be stable: the first promotion of another after its own; None if it never was."""
    promoted = [e for e in status.history if e.reason == Reason.PROMOTED.value]
    own = [n for n, e in enumerate(promoted) if e.revision == revision]
    after = promoted[own[-1] + 1 :] if own else []
    return read(after[0].at) if after else None


def may_return(world: World, revision: str) -> bool:
    """Whether the revision was stable so lately that it returns without steps."""
    assert world.spec
    window, until = world.spec.rollout.rollback_window, good_until(world.status, revision)
    return bool(window and until and world.now - until <= span(window))
