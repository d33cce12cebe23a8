"""The operator dies at every single write of a rollout, before it lands and after: the end is always the same."""

from typing import Any, Literal

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Sim, model

NATURES = {"v3": Nature(error_rate=0.4)}
WRITES = 76  # at least as many as the story has; the first test says so


async def told(crash: tuple[int, Literal["before", "after"]] | None) -> Sim:
    """v1 is created, v2 promoted, v3 rejected."""
    sim = Sim(NATURES)
    if crash:
        sim.kube.crash_at(*crash)
    for version, seconds in (("v1", 60), ("v2", 240), ("v3", 120)):
        sim.apply(model(version))
        await sim.run(seconds)
    return sim


def end(sim: Sim) -> dict[str, Any]:
    """What must not depend on crashes."""
    return {
        "stable": sim.status["stable"],
        "rejected": [r["version"] for r in sim.status["rejected"]],
        "ready": sim.condition("Ready")["reason"],
        "weights": sim.weights(),
        "objects": sorted((ref[0], ref[2]) for ref in sim.store.entries if ref[0] != "Event"),
    }


REFERENCE: dict[str, Any] = {}


def reference() -> dict[str, Any]:
    """The end without any crash, told once."""

    async def story() -> None:
        sim = await told(None)
        REFERENCE.update(end(sim) | {"writes": len(sim.kube.writes)})

    if not REFERENCE:
        run(story())
    return REFERENCE


def test_the_story_has_no_more_writes_than_are_crashed_at() -> None:
    assert 30 <= reference()["writes"] <= WRITES
    assert reference()["weights"] == {"v2": 100}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_at_any_write_changes_nothing_in_the_end(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await told((write, when))
        assert end(sim) == {k: v for k, v in reference().items() if k != "writes"}
        assert shares(sim, "v2") == sorted(shares(sim, "v2")), "a step was taken twice or backwards"

    run(story())


def shares(sim: Sim, version: str) -> list[int]:
    """The shares that a version had until it had everything."""
    revision = next(
        ref[2] for ref in sim.store.entries if ref[0] == "ControllerRevision" and sim.version_of(ref[2]) == version
    )
    given = [h[revision] for h in sim.history if revision in h]
    return given[: given.index(100) + 1]
