"""Stories of a route that somebody else owns: its named rule carries the shares, and nothing else of it changes."""

from collections import Counter
from typing import Any, Literal

import pytest

from tests.fake.clock import run
from tests.fake.ownership import copied
from tests.sim.machine import Nature, Object, Sim, model
from tests.sim.stories import spent

REF = ("HTTPRoute", "ml", "churn-route")
LABEL = {"penstock.dev/name": "churn"}
WRITES = 80  # at least as many as the story of crashes has; it says so itself


def route(**metadata: Any) -> Object:
    """As somebody keeps it in Git: two rules with names, one without, and what only they understand."""
    secured = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "b"}]}}
    rules = [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 9}]},
        {
            "name": "main",
            "matches": [{"path": {"type": "PathPrefix", "value": "/v2"}}],
            "filters": [secured],
            "backendRefs": [{"name": "churn", "port": 80}],
            "timeouts": {"request": "7s"},
        },
        {"name": "old", "backendRefs": [{"name": "legacy", "port": 80}]},
    ]
    meta = {"name": "churn-route", "namespace": "ml", "labels": LABEL, "annotations": {"team": "risk"}} | metadata
    spec = {"parentRefs": [{"name": "models"}], "hostnames": ["churn.corp"], "rules": rules}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


def wish(version: str, *rules: str, **spec: Any) -> Object:
    """The usual canary, in that route."""
    return model(version, traffic={"route": {"name": "churn-route", "rules": list(rules) or ["main"]}}, **spec)


async def settled(natures: dict[str, Nature] | None = None) -> Sim:
    """v1 is stable in somebody's route."""
    sim = Sim(natures or {})
    sim.store.apply(route(), "gitops")
    sim.apply(wish("v1"))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    return sim


def live(sim: Sim) -> Object:
    """The route now."""
    return sim.store.entries[REF].live


def shares(sim: Sim, rule: str = "main") -> dict[str, int]:
    """Weights of a named rule, by version; of what is no revision by name."""
    refs = next(r["backendRefs"] for r in live(sim)["spec"]["rules"] if r.get("name") == rule)
    return {sim.version_of(ref["name"]) or ref["name"]: ref.get("weight", 1) for ref in refs}


def theirs(route: Object) -> Object:
    """All of the route but the one thing that is ours, and what the API server keeps itself."""
    kept = copied(route)
    kept.pop("status", None)
    for key in ("resourceVersion", "generation", "uid", "creationTimestamp"):
        kept["metadata"].pop(key, None)
    for rule in kept["spec"]["rules"]:
        if rule.get("name") == "main":
            del rule["backendRefs"]
    return kept


def change(sim: Sim, edit: Any) -> None:
    """Somebody edits the route."""
    sim.store.edit(REF, edit, "gitops")


def why(sim: Sim) -> str:
    """What Ready says."""
    ready = sim.condition("Ready")
    return f"{ready['reason']}: {ready['message']}"


def test_a_rollout_changes_the_weights_of_the_named_rule_and_nothing_else() -> None:
    async def story() -> None:
        sim = await settled()
        before, seen = theirs(route()), []
        sim.store.subscribe(
            lambda _, live: seen.append((shares(sim).get("v2", 0), theirs(live))) if live["kind"] == "HTTPRoute" else 0
        )
        sim.apply(wish("v2"))
        await sim.run(240)
        assert sim.status["stable"]["version"] == "v2" and shares(sim) == {"v2": 100}
        assert list(dict.fromkeys(weight for weight, _ in seen)) == [0, 5, 25, 50, 100]
        assert all(rest == before for _, rest in seen) and len(seen) > 8
        assert {verb for verb, kind, _ in sim.kube.writes if kind == "HTTPRoute"} == {"edit"}
        assert await spent(sim, 300) == {}, "a settled object costs nothing"

    run(story())


def test_a_bad_version_loses_its_weight_there_too() -> None:
    async def story() -> None:
        sim = await settled({"v2": Nature(error_rate=0.5)})
        sim.apply(wish("v2"))
        await sim.run(7)
        assert shares(sim) == {"v1": 95, "v2": 5}
        assert await spent(sim, 10) == {"ModelDeployment": 2, "Event": 1, "HTTPRoute": 1}, "as in a route of ours"
        await sim.run(60)
        assert shares(sim) == {"v1": 100} and sim.condition("Ready")["reason"] == "RolledBack"

    run(story())


def test_nothing_is_touched_before_the_first_revision_is_ready() -> None:
    async def story() -> None:
        sim = Sim({"v1": Nature(ready_after=30)})
        sim.store.apply(route(), "gitops")
        sim.apply(wish("v1"))
        await sim.run(25)
        assert shares(sim) == {"churn": 1}
        await sim.run(30)
        assert shares(sim) == {"v1": 100} and sim.condition("Ready")["status"] == "True"

    run(story())


CONTROLLED = {"ownerReferences": [{"apiVersion": "v1", "kind": "App", "name": "a", "uid": "u", "controller": True}]}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (route(labels={}), "no HTTPRoute churn-route carries the label penstock.dev/name=churn: create it with"),
        (route(**CONTROLLED), "HTTPRoute churn-route is controlled by another object"),
        (route(annotations={"penstock.dev/applied": "x"}), "HTTPRoute churn-route was written by Penstock itself"),
    ],
    ids=["label", "owner", "stamp"],
)
def test_a_route_that_is_not_handed_over_is_named_and_left_alone(found: Object, said: str) -> None:
    async def story() -> None:
        sim = Sim()
        sim.store.collects = False  # the owner is not there
        sim.store.apply(found, "gitops")
        sim.apply(wish("v1"))
        await sim.run(60)
        assert why(sim).startswith(f"Conflict: {said}"), why(sim)
        assert shares(sim) == {"churn": 1} and sim.condition("Stalled")["reason"] == "Conflict"
        sim.store.delete(*REF)
        sim.store.apply(route(), "gitops")
        await sim.run(60)
        assert shares(sim) == {"v1": 100} and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_rule_that_is_missing_is_named_with_those_that_are_there() -> None:
    async def story() -> None:
        sim = Sim()
        sim.store.apply(route(), "gitops")
        sim.apply(wish("v1", "main", "mian"))
        await sim.run(60)
        assert "has no rule named mian (it has: main, old): give the rule that name, or correct" in why(sim)
        assert sim.condition("Ready")["reason"] == "Conflict" and shares(sim) == {"v1": 100}
        sim.apply(wish("v1", "main", "old"))
        await sim.run(60)
        assert shares(sim, "old") == {"v1": 100} and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_label_that_is_taken_back_in_mid_rollout_ends_our_writing_and_no_pod_goes() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(wish("v2"))
        await sim.run(20)
        assert shares(sim) == {"v1": 95, "v2": 5}
        change(sim, lambda live: live["metadata"].pop("labels"))
        before = copied(live(sim))
        await sim.run(600)
        assert copied(live(sim)) == before and sim.condition("Ready")["reason"] == "Conflict"
        assert {sim.version_of(d["metadata"]["name"]) for d in sim.store.list("Deployment")} == {"v1", "v2"}
        change(sim, lambda live: live["metadata"].update(labels=LABEL))
        await sim.run(120)
        assert shares(sim) == {"v1": 100}, "it was given up meanwhile"
        assert {sim.version_of(d["metadata"]["name"]) for d in sim.store.list("Deployment")} == {"v1"}

    run(story())


def test_what_somebody_sets_back_is_set_again_and_told() -> None:
    async def story() -> None:
        sim = await settled()
        change(sim, lambda live: live["spec"]["rules"][1].update(backendRefs=[{"name": "churn", "port": 80}]))
        assert await spent(sim, 60) == {"ModelDeployment": 2, "HTTPRoute": 1, "Event": 1}
        assert shares(sim) == {"v1": 100} and sim.condition("Ready")["status"] == "True"
        told = [live for _, live in sim.store.history if live["kind"] == "Event" and live["reason"] == "SetBack"]
        assert "ignoreDifferences" in told[0]["note"] and told[0]["type"] == "Warning"
        change(sim, lambda live: live["spec"]["rules"][0]["backendRefs"][0].update(port=10))
        assert await spent(sim, 60) == {}, "what is not ours is nobody's business"

    run(story())


def test_rules_that_somebody_moves_are_found_again() -> None:
    async def story() -> None:
        sim = await settled()
        sim.apply(wish("v2"))
        await sim.run(20)
        change(sim, lambda live: live["spec"]["rules"].reverse())
        await sim.run(240)
        assert shares(sim) == {"v2": 100} and shares(sim, "old") == {"legacy": 1}
        assert [rule.get("name") for rule in live(sim)["spec"]["rules"]] == ["old", "main", None]

    run(story())


def test_a_rule_that_is_no_longer_listed_is_left_alone_and_keeps_the_pods_that_it_still_leads_to() -> None:
    async def story() -> None:
        sim = await settled()
        home = sim.status["stable"]["revision"]
        short: Object = {"rollout": {"scaleDownDelay": "5s"}, "analysis": None}
        sim.apply(wish("v1", "main", "old", **short))
        await sim.run(20)
        sim.apply(wish("v2", "main", **short))
        await sim.run(120)
        assert (shares(sim), shares(sim, "old")) == ({"v2": 100}, {"v1": 100})
        assert all(sim.store.get(kind, "ml", home) for kind in ("Deployment", "Service")), "requests lead nowhere"
        change(sim, lambda live: live["spec"]["rules"][2].update(backendRefs=[{"name": "docs", "port": 9}]))
        await sim.run(60)
        assert not any(sim.store.get(kind, "ml", home) for kind in ("Deployment", "Service"))

    run(story())


def test_a_deleted_wish_leaves_the_route_as_it_is() -> None:
    async def story() -> None:
        sim = await settled()
        before = copied(live(sim))
        sim.store.delete("ModelDeployment", "ml", "churn")
        await sim.run(60)
        assert copied(live(sim)) == before and not sim.store.list("Deployment")

    run(story())


async def told(crash: tuple[int, Literal["before", "after"]] | None) -> Sim:
    """v1 is created, v2 promoted, v3 rejected, all in somebody's route."""
    sim = Sim({"v3": Nature(error_rate=0.4)})
    if crash:
        sim.kube.crash_at(*crash)
    sim.store.apply(route(), "gitops")
    for version, seconds in (("v1", 60), ("v2", 240), ("v3", 120)):
        sim.apply(wish(version))
        await sim.run(seconds)
    return sim


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_write_of_the_route_changes_nothing_in_the_end(when: Literal["before", "after"]) -> None:
    places: list[int] = []

    async def story() -> None:
        sim = await told(None)
        places.extend(n for n, write in enumerate(sim.kube.writes, 1) if write[0] == "edit")
        assert len(sim.kube.writes) < WRITES

    run(story())
    assert len(places) > 8
    for place in places:

        async def crashed(place: int = place) -> None:
            sim = await told((place, when))
            assert sim.status["stable"]["version"] == "v2" and shares(sim) == {"v2": 100}
            assert [r["version"] for r in sim.status["rejected"]] == ["v3"] and theirs(live(sim)) == theirs(route())
            kinds = Counter(ref[0] for ref in sim.store.entries)
            assert (kinds["Deployment"], kinds["HTTPRoute"]) == (1, 1)

        run(crashed())
