"""Every object that is ours, deleted, edited and squatted: each in each phase on the API in memory, and before a real
API server at rest and in a rollout, where ownership, garbage collection and field managers are real.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faults.conftest import Play, play
from tests.faults.hands import CASES, Hand, altered, owned, told
from tests.faults.scenarios import LONG, MOUNTED, PODS, SCALED, configure
from tests.faults.scene import House, Scene, scene
from tests.sim.deeds import DEEDS
from tests.sim.kinds import disturbed, razed, undisturbed
from tests.sim.phases import PHASES

__all__ = ["play"]
Object = dict[str, Any]
GATEWAY: Object = {"gateway": {"name": "models"}, "previewHeader": "x-revision"}
JUDGED: Object = {"interval": "5s", "minRequests": 30, "metrics": [{"name": "errorRate", "max": "2%"}]}
FULL: Object = MOUNTED | LONG | {"analysis": JUDGED, "scaling": SCALED, "traffic": GATEWAY}
MESH: Object = LONG | {"traffic": {"istio": {"gateways": ["models"]}, "hostnames": ["churn.corp"]}}


@pytest.mark.parametrize("phase", PHASES)
def test_whatever_somebody_does_to_any_object_in_any_phase_the_end_is_the_same(phase: str) -> None:
    found = [disturbed(phase, deed, ref) for ref in undisturbed(phase).targets for deed in DEEDS]
    assert [line for each in found for line in each] == []


@pytest.mark.parametrize("phase", PHASES)
def test_all_of_it_deleted_at_once_comes_back(phase: str) -> None:
    assert razed(phase) == []


async def at_rest(scene: Scene) -> None:
    """v1 serves, with all that a gateway, an autoscaler and a ConfigMap make."""
    await configure(scene, "one")
    await scene.apply("v1", **FULL)
    await scene.settled("v1")


async def in_a_rollout(scene: Scene) -> None:
    """v2 is at its second step, which lasts."""
    await at_rest(scene)
    await scene.apply("v2", **FULL)
    await scene.until(lambda status: status.get("candidate", {}).get("weight") == 60)


async def by_pods(scene: Scene) -> None:
    """v1 serves without a gateway."""
    await scene.apply("v1", **PODS)
    await scene.settled("v1")


async def in_a_mesh(scene: Scene) -> None:
    """v1 serves behind a VirtualService."""
    await scene.apply("v1", **MESH)
    await scene.settled("v1")


STATES = {each.__name__: each for each in (at_rest, in_a_rollout, by_pods, in_a_mesh)}
KINDS = os.environ.get("KINDS", "")  # tells only some: "Service,Deployment"


@pytest.mark.parametrize("state", STATES)
def test_an_api_server_has_it_back_as_it_was(play: Play, state: str) -> None:
    async def story(house: House) -> None:
        async with scene(house, f"kinds-{state.replace('_', '-')}") as made:
            assert await _disturbed(made, STATES[state]) == []

    play(story)


async def _disturbed(made: Scene, reach: Callable[[Scene], Awaitable[None]]) -> list[str]:
    await reach(made)
    wrong: list[str] = []
    for live in await owned(made):
        if KINDS and live["kind"] not in KINDS.split(","):
            continue
        await made.quiet(1)
        before = await made.house.kube.get(live["kind"], made.namespace, live["metadata"]["name"])
        hand = Hand(made, before or {})
        for name in CASES:
            wrong += await told(hand, name)
            print(live["kind"], live["metadata"]["name"], name, len(wrong), flush=True)
        wrong += await altered(hand)
    return wrong
