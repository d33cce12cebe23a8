"""Every kind of object that can be ours, in every phase, is deleted, edited and squatted by somebody.

Each time other ones of all pairs are told, by turns; every object in every phase at night (`tests/nightly`).
"""

import pytest

from penstock.model.names import LABEL_NAME
from tests.fake.clock import run
from tests.sim.deeds import DEEDS, lead_elsewhere
from tests.sim.given import deployment as theirs
from tests.sim.kinds import OWNED, disturbed, razed, undisturbed
from tests.sim.machine import Nature, Object
from tests.sim.phases import PHASES, reach, status_of

CELLS = [
    (phase, deed, number + 5 * other)
    for number, phase in enumerate(PHASES)
    for other, deed in enumerate(DEEDS)
    if (number + other) % 2 == 0
]


def test_every_kind_that_can_be_ours_is_there_in_some_phase() -> None:
    there = {ref[0] for phase in PHASES for ref in undisturbed(phase).targets}
    assert there == OWNED, "a kind that is made needs a phase here, one that is not needs no watch"


@pytest.mark.parametrize(("phase", "deed", "number"), CELLS)
def test_whatever_somebody_does_to_an_object_of_ours_the_end_is_the_same(phase: str, deed: str, number: int) -> None:
    targets = undisturbed(phase).targets
    assert disturbed(phase, deed, targets[number % len(targets)]) == []


def test_all_of_it_deleted_at_once_comes_back() -> None:
    assert razed("at a weight") == []


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "Deployment", "ControllerRevision", "Service"])
def test_a_version_that_turns_bad_is_taken_off_at_once_however_long_something_is_in_the_way(kind: str) -> None:
    async def story() -> None:
        sim = await reach(PHASES["paused"])
        home, bad = (status_of(sim)[role]["revision"] for role in ("stable", "candidate"))
        DEEDS["squatted"].do(sim, (kind, "ml", "churn" if kind == "PodDisruptionBudget" else bad))
        await sim.run(150)
        sim.natures["v2"] = Nature(error_rate=0.4)
        await sim.run(15)
        assert sim.weights().get("v2", 0) == 0 and status_of(sim)["stable"]["revision"] == home

    run(story())


def test_given_up_while_something_is_in_the_way_it_says_so() -> None:
    async def story() -> None:
        sim = await reach(PHASES["candidate's pods"])
        tried = status_of(sim)["candidate"]["revision"]
        DEEDS["squatted"].do(sim, ("Service", "ml", tried))
        await sim.run(150)
        (refused,) = status_of(sim)["rejected"]
        assert refused["reason"] == "NeverReady" and f"Service {tried} exists and belongs" in refused["message"]

    run(story())


def test_a_pod_that_somebody_relabels_to_look_at_it_counts_no_more() -> None:
    async def story() -> None:
        sim = await reach(PHASES["by pods"])
        pod = sim.pods.of(status_of(sim)["stable"]["revision"])[0]["metadata"]["name"]
        lead_elsewhere(sim, ("Pod", "ml", pod))
        await sim.run(1)
        assert pod not in {child.name for child in sim.watch.cache.owned(("ml", "churn"))}

    run(story())


@pytest.mark.parametrize(
    ("kind", "other"), [("ControllerRevision", {"data": {"a": 1}}), ("Deployment", {"spec": theirs()["spec"]})]
)
def test_what_is_given_and_cannot_become_ours_is_told_with_what_to_do(kind: str, other: Object) -> None:
    async def story() -> None:
        sim = await reach(PHASES["settled"])
        ref = (kind, "ml", status_of(sim)["stable"]["revision"])
        live = sim.store.get(*ref) or {}
        sim.store.delete(*ref)
        meta = {"name": ref[2], "namespace": "ml", "labels": {LABEL_NAME: "churn"}}
        sim.store.create(live | other | {"metadata": meta, "status": {}}, "somebody")
        await sim.run(5)
        told = sim.condition("Ready")
        assert told["reason"] == "Conflict" and f"delete {kind} {ref[2]}" in told["message"], told

    run(story())
