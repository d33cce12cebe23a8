"""Requests in flight: how long a server gets to end them, and what is seen of those that were cut."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.spec import Spec
from penstock.core.hardened import LINGER
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.values import Snapshot
from penstock.shell.watch import was_cut
from tests.sim.machine import model
from tests.unit.worlds import bare


def grace(**pod: str) -> int:
    wish = model("v1", pod=pod) if pod else model("v1")
    made = make_snapshot(replace(bare("v1"), spec=Spec.model_validate(wish["spec"])))
    assert isinstance(made, Snapshot)
    return int(made.template["spec"]["terminationGracePeriodSeconds"])


def test_a_server_gets_the_time_that_the_user_gives_it() -> None:
    assert grace(drainTimeout="10m") == LINGER + 600
    assert grace() == LINGER + 30


def test_another_drain_timeout_is_another_revision() -> None:
    wish = Spec.model_validate(model("v1", pod={"drainTimeout": "10m"})["spec"])
    assert wanted_revision(replace(bare("v1"), spec=wish)) != wanted_revision(bare("v1"))


def pod(code: int, reason: str = "Error", **meta: Any) -> dict[str, Any]:
    ended = {"state": {"terminated": {"exitCode": code, "reason": reason}}}
    going = {"deletionTimestamp": "2026-11-21T12:00:00Z", "deletionGracePeriodSeconds": 40}
    return {"metadata": going | meta, "status": {"containerStatuses": [ended]}}


@pytest.mark.parametrize(
    ("live", "cut"),
    [
        (pod(137), True),
        (pod(143), False),
        (pod(0), False),
        (pod(137, "OOMKilled"), False),
        (pod(137, deletionTimestamp=None), False),
        (pod(137, deletionGracePeriodSeconds=0), False),
        ({"metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 40}, "status": {}}, False),
    ],
    ids=[
        "killed",
        "ended on the signal",
        "ended by itself",
        "out of memory",
        "not told to go",
        "deleted by force",
        "never ran",
    ],
)
def test_a_pod_was_cut_when_it_was_told_to_go_and_had_to_be_killed(live: dict[str, Any], cut: bool) -> None:
    assert was_cut(live) is cut
