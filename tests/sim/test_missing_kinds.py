"""Kinds that a cluster lacks: looked for once a minute while somebody is not Ready, and watched when they come."""

import asyncio
from collections import Counter

import pytest

from penstock.shell import watch
from tests.fake.clock import run
from tests.sim.machine import Sim, model


@pytest.mark.parametrize(
    ("missing", "gateway", "asked"),
    [
        (set(), True, {}),
        ({"VirtualService"}, True, {}),
        ({"VirtualService"}, False, {("discover", "VirtualService"): 10}),
        ({"BackendTrafficPolicy", "SecurityPolicy"}, False, {("discover", "SecurityPolicy"): 10}),
    ],
    ids=["nothing lacks", "all are ready", "one is not", "two of a group"],
)
def test_ten_minutes_cost_this(missing: set[str], gateway: bool, asked: dict[tuple[str, str], int]) -> None:
    async def story() -> None:
        sim = Sim(gateway=gateway)
        sim.store.missing_kinds |= missing
        sim.apply(model("v1"))
        await sim.run(1000)
        before = len(sim.kube.requests)
        await sim.run(600)
        spent = Counter((verb, kind) for verb, kind, _ in sim.kube.requests[before:])
        assert spent == asked, "none is listed, whatever is missing"

    run(story())


def test_all_is_listed_again_now_and_then_although_a_kind_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "AUDIT", 300.0)

    async def story() -> None:
        sim = Sim()
        sim.store.missing_kinds.add("VirtualService")
        await sim.run(30)
        before = len(sim.kube.requests)
        await sim.run(600)
        listed = Counter(kind for verb, kind, _ in sim.kube.requests[before:] if verb == "list")
        assert listed["Deployment"] == listed["ModelDeployment"] == 2

    run(story())


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "VirtualService"])
def test_a_kind_that_comes_ends_the_process_so_that_it_is_watched(kind: str) -> None:
    async def story() -> None:
        sim = Sim()
        sim.store.missing_kinds |= {"HTTPRoute", "GRPCRoute", "VirtualService"}
        sim.apply(model("v1"))
        await sim.run(200)
        assert sim.condition("Ready")["reason"] == "RefusedByApi" and not sim.tasks[0].done()
        assert "HTTPRoute" in sim.condition("Ready")["message"]
        sim.store.missing_kinds.remove(kind)
        await asyncio.sleep(61)
        assert sim.tasks[0].done() and sim.tasks[0].exception() is None

    run(story())
