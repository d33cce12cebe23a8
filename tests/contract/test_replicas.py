"""Who says how many pods a Deployment has, told against the in-memory API and a real API server."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.model.faults import Stale
from penstock.model.names import ANNOTATION_APPLIED, digest
from penstock.shell.handover import MANAGER, keep_number
from penstock.shell.projection import project

from .conftest import Tell, World, kubectl, tell_real
from .test_kube import get, make_deployment, make_service

Object = dict[str, Any]


def ours(world: World, **spec: Any) -> Object:
    """Our whole intent, with its digest."""
    made = make_deployment(world, **spec)
    made["metadata"]["annotations"] = {ANNOTATION_APPLIED: digest(made)}
    return made


def said(live: Object | None) -> int:
    """The number; where none is stored, it is the API server's default."""
    assert live
    return int(live["spec"].get("replicas", 1))


async def fresh(write: Callable[[], Awaitable[None]]) -> None:
    """Look again where the Deployment controller wrote between look and write, as the queue does."""
    while True:
        try:
            return await write()
        except Stale:
            continue


async def scaled(world: World, replicas: int) -> None:
    """Somebody updates the number, as an autoscaler does."""

    async def write() -> None:
        live = await get(world.other, ours(world))
        assert live
        await world.other.replace(live | {"spec": live["spec"] | {"replicas": replicas}})

    await fresh(write)


async def hand_over(world: World) -> None:
    """What precedes our next apply, if it says no number."""

    async def write() -> None:
        live = await get(world.kube, ours(world))
        await keep_number(world.kube, project(live) if live else None, ours(world))

    await fresh(write)


async def let_go(world: World) -> Object:
    """Our next apply, which says no number."""
    await hand_over(world)
    return await world.kube.apply(ours(world))


def test_a_number_that_is_merely_left_out_falls_to_one(tell: Tell) -> None:
    """What the handover is for."""

    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=10))
        assert said(await world.kube.apply(ours(world))) == 1

    tell(story)


def test_a_number_that_was_handed_over_stays_and_is_its_scalers(tell: Tell) -> None:
    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=10))
        assert said(await let_go(world)) == 10
        await scaled(world, 12)
        assert said(await let_go(world)) == 12
        assert said(await world.kube.apply(ours(world) | {"metadata": ours(world)["metadata"] | {"labels": {}}})) == 12

    tell(story)


def test_a_fixed_number_takes_it_back_and_hands_it_over_again(tell: Tell) -> None:
    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=10))
        await let_go(world)
        for fixed in (3, 10, 10):
            assert said(await world.kube.apply(ours(world, replicas=fixed))) == fixed
            assert said(await let_go(world)) == fixed
        await scaled(world, 12)
        assert said(await world.kube.apply(ours(world, replicas=12))) == 12, "both say the same"
        assert said(await world.kube.apply(ours(world, replicas=2))) == 2
        assert said(await let_go(world)) == 2

    tell(story)


def test_a_handover_that_was_interrupted_goes_on(tell: Tell) -> None:
    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=10))
        await hand_over(world)
        assert said(await get(world.kube, ours(world))) == 10
        await scaled(world, 12)
        await hand_over(world)
        assert said(await let_go(world)) == 12

    tell(story)


def test_what_gave_all_its_pods_away_is_handed_over_awake(tell: Tell) -> None:
    """An autoscaler does nothing for a Deployment of size 0: it would never come back."""

    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=0))
        assert said(await let_go(world)) == 1

    tell(story)


def test_a_number_that_changes_meanwhile_is_not_put_back(tell: Tell) -> None:
    async def story(world: World) -> None:
        seen = await world.kube.apply(ours(world, replicas=10))
        await scaled(world, 12)
        meta = {key: seen["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        late = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 10}}
        with pytest.raises(Stale):
            await world.kube.apply(late, MANAGER)
        await world.kube.delete("Deployment", world.namespace, "churn-1", seen["metadata"]["uid"])
        with pytest.raises(Stale):
            await world.kube.apply(late, MANAGER)
        assert await get(world.kube, seen) is None, "it makes nothing"

    tell(story)


def test_nothing_is_written_where_nothing_is_let_go(tell: Tell) -> None:
    async def story(world: World) -> None:
        sent: list[str] = []
        world.kube.on_request = lambda verb, *_: sent.append(verb)
        await keep_number(world.kube, None, ours(world))
        assert sent == ["get"], "it is not there"
        child = project(await world.kube.apply(ours(world)))
        await keep_number(world.kube, child, ours(world))
        await keep_number(world.kube, child, ours(world, replicas=4))
        await keep_number(world.kube, None, make_service(world, "churn"))
        assert sent == ["get", "apply"]

    tell(story)


def test_what_the_scale_subresource_says_stays_too(real_api: str) -> None:
    """An autoscaler writes there; only the real server has it."""

    async def story(world: World) -> None:
        await world.kube.apply(ours(world, replicas=10))
        await let_go(world)
        for number in (12, 10):
            scale = ("scale", "deployment/churn-1", f"--replicas={number}", "--namespace", world.namespace)
            kubectl(real_api, *scale)
            relabelled = ours(world, minReadySeconds=number)
            assert said(await world.kube.apply(relabelled)) == number
        assert said(await world.kube.apply(ours(world, replicas=4))) == 4
        kubectl(real_api, "scale", "deployment/churn-1", "--replicas=5", "--namespace", world.namespace)
        assert said(await let_go(world)) == 5

    tell_real(story, real_api)
