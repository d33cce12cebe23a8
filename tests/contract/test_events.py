"""Events as the operator writes and counts them, told once and run against the in-memory API and a real API server."""

from typing import Any

import pytest

from penstock.model.faults import Stale

from .conftest import Tell, World
from .test_kube import get, refusal

Object = dict[str, Any]


def make_event(world: World) -> Object:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": world.namespace, "name": "churn.1"},
        "eventTime": "2026-11-21T08:00:00.000000Z",
        "reportingController": "penstock.dev/operator",
        "reportingInstance": "one",
        "action": "Promote",
        "reason": "Promoted",
        "type": "Normal",
        "note": "churn-1 serves now",
        "regarding": {"kind": "ModelDeployment", "namespace": world.namespace, "name": "churn"},
    }


def test_create_refuses_a_taken_name(tell: Tell) -> None:
    async def story(world: World) -> None:
        event = make_event(world)
        await world.kube.create(event)
        with pytest.raises(Stale):
            await world.kube.create(event)

    tell(story)


def test_a_series_counts_an_event_on_and_nothing_else_of_it_changes(tell: Tell) -> None:
    async def story(world: World) -> None:
        event = make_event(world)
        made = await world.kube.create(event)
        assert made.get("series") is None
        for count in (2, 3):
            series = {"count": count, "lastObservedTime": f"2026-11-21T08:00:0{count}.000001Z"}
            counted = await world.kube.patch_series(event, series)
            assert counted["series"] == series
            assert (counted["note"], counted["eventTime"]) == (event["note"], event["eventTime"])
            assert counted["metadata"]["uid"] == made["metadata"]["uid"]
        assert await get(world.kube, event) == counted

    tell(story)


def test_the_series_of_an_event_that_is_gone_is_stale(tell: Tell) -> None:
    async def story(world: World) -> None:
        series = {"count": 2, "lastObservedTime": "2026-11-21T08:00:02.000001Z"}
        with pytest.raises(Stale):
            await world.kube.patch_series(make_event(world), series)
        made = await world.kube.create(make_event(world))
        await world.kube.delete("Event", world.namespace, "churn.1", made["metadata"]["uid"])
        with pytest.raises(Stale):
            await world.kube.patch_series(make_event(world), series)
        assert await get(world.kube, made) is None, "a patch makes no new Event"

    tell(story)


def test_an_event_is_held_to_its_limits(tell: Tell) -> None:
    async def story(world: World) -> None:
        event = make_event(world)
        for note in ("x" * 1025, "\u00e9" * 513):
            assert await refusal(world.kube.create(event | {"note": note})) == "ApiInvalid"
        await world.kube.create(event | {"note": "\u00e9" * 512})
        once = {"count": 1, "lastObservedTime": "2026-11-21T08:00:02.000001Z"}
        assert await refusal(world.kube.patch_series(event, once)) == "ApiInvalid"

    tell(story)
