"""The story's files are what is applied; what the API shows is read without loss."""

from typing import Any

import pytest
import yaml

from examples.demo.sightings import Glance, Rejection, decision, glance, route_weights
from examples.demo.story import FAST, STORY, manifest, settled, steps

STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "stable": {"revision": "digits-a", "version": "v2", "weight": 95},
    "candidate": {
        "revision": "digits-b",
        "version": "v3",
        "weight": 5,
        "evidence": [{"metric": "errorRate vs stable", "candidate": {"bad": 4, "total": 20}, "odds": "9.0"}],
    },
    "leaving": [{"revision": "digits-c"}],
    "rejected": [{"revision": "digits-d", "version": "v9", "reason": "NeverReady"}],
    "conditions": [
        {"type": "Available", "status": "True"},
        {"type": "Ready", "status": "False", "reason": "HoldingStep"},
    ],
}


def test_a_fast_run_changes_times_and_sample_sizes_only() -> None:
    for part in STORY:
        slow, fast = yaml.safe_load(manifest(part, False)), yaml.safe_load(manifest(part, True))
        assert steps(manifest(part, False)) == steps(manifest(part, True)) == [5, 25, 50]
        assert fast["spec"]["analysis"]["interval"] == FAST["interval"]
        for key in ("model", "runtime", "scaling", "traffic"):
            assert fast["spec"][key] == slow["spec"][key]
        assert fast["spec"]["analysis"]["metrics"] == slow["spec"]["analysis"]["metrics"]


def test_a_release_changes_version_and_uri_and_nothing_else() -> None:
    specs = [yaml.safe_load(manifest(part, False))["spec"] for part in STORY]
    models = [spec.pop("model") for spec in specs]
    assert all(spec == specs[0] for spec in specs)
    assert [(each["version"], each["uri"].rpartition(":")[2]) for each in models] == [
        (v, v) for v in ("v1", "v2", "v3", "v4")
    ]


def test_a_glance_reads_the_status() -> None:
    seen = glance({"metadata": {"generation": 3}, "status": STATUS})
    assert (seen.current, seen.ready, seen.reason) == (True, False, "HoldingStep")
    assert (seen.stable, seen.stable_weight, seen.candidate, seen.candidate_weight) == ("v2", 95, "v3", 5)
    assert seen.evidence[0].candidate == (4, 20)
    assert seen.evidence[0].stable is None
    assert seen.rejection("v9") == Rejection("v9", "NeverReady", "")
    assert seen.versions == {"digits-a": "v2", "digits-b": "v3", "digits-d": "v9"}


def test_a_new_object_without_status_is_no_surprise() -> None:
    assert glance({"metadata": {"generation": 1}}) == Glance()


def test_route_weights_are_shares() -> None:
    backends = [{"name": "a", "weight": 3}, {"name": "b", "weight": 1}, {"name": "c", "weight": 0}]
    assert route_weights({"spec": {"rules": [{"backendRefs": backends}]}}) == {"a": 75, "b": 25}
    assert route_weights({"spec": {}}) == {}


def test_only_events_about_the_model_are_decisions() -> None:
    said = {"type": "Warning", "reason": "NeverReady", "note": "why", "regarding": {"kind": "ModelDeployment"}}
    found = decision(said)
    assert found is not None and (found.warning, found.reason, found.message) == (True, "NeverReady", "why")
    assert decision({**said, "regarding": {"kind": "Pod"}}) is None


DONE = Glance(current=True, ready=True, stable="v2")
TAKEN_OFF = Glance(current=True, stable="v2", rejected=(Rejection("v3", "ErrorRateAboveStable", ""),))


@pytest.mark.parametrize(
    ("number", "seen", "rests"),
    [
        (2, DONE, True),
        (2, Glance(current=False, ready=True, stable="v2"), False),
        (2, Glance(current=True, ready=False, stable="v2"), False),
        (2, Glance(current=True, ready=True, stable="v2", leaving=1), False),
        (2, Glance(current=True, ready=True, stable="v1", candidate="v2"), False),
        (3, TAKEN_OFF, True),
        (3, DONE, False),
        (4, TAKEN_OFF, False),
    ],
)
def test_when_a_part_has_come_to_rest(number: int, seen: Glance, rests: bool) -> None:
    assert settled(STORY[number - 1], seen) is rests
