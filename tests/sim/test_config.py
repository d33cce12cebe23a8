"""Stories of a tracked ConfigMap: what a user edits in place, what the pods of each revision find mounted."""

import asyncio
from typing import Any, Literal

import pytest

from penstock.model.measure import Answer, Counts, Question
from penstock.shell.watch import AUDIT
from tests.fake.clock import run
from tests.sim.machine import RPS, Object, Sim, model

SERVER = {"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]}


def limits(text: str, **meta: Any) -> Object:
    """The user's ConfigMap."""
    named = {"name": "limits", "namespace": "ml", "labels": {"penstock.dev/config": "tracked"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named | meta, "data": {"limits.yaml": text}}


def mounted(sim: Sim, revision: str) -> str:
    """What a pod of a revision that starts now finds in its folder."""
    live = sim.store.get("Deployment", "ml", revision)
    assert live, f"{revision} does not run"
    pod = live["spec"]["template"]["spec"]
    assert [m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == "config-0"] == ["/etc/churn"]
    (name,) = (v["configMap"]["name"] for v in pod["volumes"] if v["name"] == "config-0")
    copy = sim.store.get("ConfigMap", "ml", name)
    return copy["data"]["limits.yaml"] if copy else "nothing"


def serves(sim: Sim) -> str:
    return mounted(sim, sim.status["stable"]["revision"])


def tried(sim: Sim) -> str:
    return mounted(sim, sim.status["candidate"]["revision"]) if "candidate" in sim.status else ""


def copies(sim: Sim) -> list[str]:
    """What the copies hold."""
    pinned = sim.store.list("ConfigMap", "ml", "penstock.dev/config=pinned")
    return sorted(copy["data"]["limits.yaml"] for copy in pinned)


def by_content(sim: Sim, question: Question) -> Answer:
    """A server whose ConfigMap says `bad` fails every second request."""
    total = round(RPS * (question.end - question.start).total_seconds() / 2)
    bad = total // 2 if mounted(sim, question.candidate.revision) == "bad" else 0
    return Counts(bad, total, 0, total)


async def configured(text: str = "old") -> Sim:
    """A cluster where v1 serves with this content."""
    sim = Sim(metrics=by_content)
    sim.apply(limits(text))
    sim.apply(model("v1", server=SERVER))
    await sim.run(60)
    assert sim.condition("Ready")["status"] == "True", sim.status
    assert serves(sim) == text
    return sim


def test_a_configmap_edited_in_place_is_a_new_revision_that_walks_the_steps() -> None:
    async def story() -> None:
        sim = await configured()
        before = sim.status["stable"]["revision"]
        sim.apply(limits("new"))
        await sim.run(10)
        assert (serves(sim), tried(sim)) == ("old", "new")
        assert sim.history[-1][before] == 95 and sim.status["stable"]["version"] == sim.status["candidate"]["version"]
        await sim.run(300)
        assert serves(sim) == "new" and sim.status["stable"]["revision"] != before
        assert sim.reasons()[2:] == ["RolloutStarted", *["StepEntered"] * 3, "Promoted"]
        assert copies(sim) == ["new"], "the old one's pods are gone, its record has the content"
        record = sim.store.get("ControllerRevision", "ml", before)
        assert record and record["data"]["configs"] == {"limits": {"data": {"limits.yaml": "old"}}}

    run(story())


def test_content_that_fails_requests_is_taken_off_and_the_old_one_serves_on() -> None:
    async def story() -> None:
        sim = await configured()
        home = sim.status["stable"]["revision"]
        sim.apply(limits("bad"))
        await sim.run(120)
        assert sim.status["stable"]["revision"] == home and serves(sim) == "old"
        assert sim.condition("Stalled")["reason"] == "RolledBack" and copies(sim) == ["old"]
        await sim.restart()
        sim.apply(limits("bad", annotations={"touched": "yes"}))
        await sim.run(60)
        assert sim.condition("Ready")["reason"] == "RolledBack", "the same content is still refused"
        sim.apply(limits("good"))
        await sim.run(300)
        assert serves(sim) == "good" and sim.condition("Ready")["status"] == "True"

    run(story())


def test_an_edit_that_is_taken_back_returns_at_once() -> None:
    async def story() -> None:
        sim = await configured()
        sim.apply(limits("new"))
        await sim.run(40)
        assert tried(sim) == "new"
        sim.apply(limits("old"))
        await sim.run(1)
        assert "candidate" not in sim.status and serves(sim) == "old" and set(sim.history[-1].values()) == {0, 100}
        await sim.run(120)
        assert copies(sim) == ["old"] and sim.condition("Ready")["status"] == "True"

    run(story())


def test_an_edit_in_mid_rollout_supersedes_and_changes_nothing_under_the_candidate() -> None:
    async def story() -> None:
        sim = await configured()
        sim.apply(limits("second"))
        await sim.run(40)
        superseded = sim.status["candidate"]["revision"]
        sim.apply(limits("third"))
        await sim.run(5)
        assert (serves(sim), mounted(sim, superseded), tried(sim)) == ("old", "second", "third")
        assert sim.status["candidate"]["step"] == 0
        await sim.run(400)
        assert serves(sim) == "third" and copies(sim) == ["third"]

    run(story())


def test_undo_brings_back_content_that_stands_in_no_configmap_any_more() -> None:
    async def story() -> None:
        sim = await configured()
        before = sim.status["stable"]["revision"]
        sim.apply(limits("new"))
        await sim.run(400)
        assert copies(sim) == ["new"]
        wish = model("v1", server=SERVER)
        sim.apply(wish | {"metadata": wish["metadata"] | {"annotations": {"penstock.dev/undo": before}}})
        await sim.run(400)
        assert sim.status["stable"]["revision"] == before and serves(sim) == "old" and copies(sim) == ["old"]
        sim.apply(limits("third"))
        await sim.run(400)
        assert serves(sim) == "third"

    run(story())


def test_without_its_source_what_is_tried_goes_on_with_what_it_holds_and_says_what_is_missing() -> None:
    async def story() -> None:
        sim = await configured()
        sim.apply(limits("new"))
        await sim.run(20)
        sim.store.delete("ConfigMap", "ml", "limits")
        await sim.run(300)
        assert serves(sim) == "new" and copies(sim) == ["new"]
        ready = sim.condition("Ready")
        assert (ready["reason"], sim.condition("Available")["status"]) == ("ConfigNotFound", "True"), ready
        assert "label configmap limits penstock.dev/config=tracked" in ready["message"]
        sim.apply(model("v2", server=SERVER))
        await sim.run(60)
        assert sim.status["stable"]["version"] == "v1" and "candidate" not in sim.status, "nothing new starts"
        sim.apply(limits("new"))
        await sim.run(300)
        assert sim.status["stable"]["version"] == "v2" and sim.condition("Ready")["status"] == "True"

    run(story())


def test_without_the_label_nothing_starts_and_with_it_all_goes_on_by_itself() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(limits("old", labels={}))
        sim.apply(model("v1", server=SERVER))
        await sim.run(30)
        assert sim.condition("Ready")["reason"] == "ConfigNotFound" and not sim.store.list("Deployment")
        sim.apply(limits("old"))
        await sim.run(60)
        assert serves(sim) == "old" and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_namesake_in_another_namespace_is_never_read() -> None:
    async def story() -> None:
        sim = Sim()
        sim.apply(limits("foreign", namespace="elsewhere"))
        sim.apply(model("v1", server=SERVER))
        await sim.run(30)
        assert sim.condition("Ready")["reason"] == "ConfigNotFound"
        sim.apply(limits("own"))
        await sim.run(60)
        sim.apply(limits("foreign, edited", namespace="elsewhere"))
        await sim.run(60)
        assert serves(sim) == "own" and len(sim.store.list("ControllerRevision")) == 1

    run(story())


def test_a_copy_that_is_deleted_comes_back_as_it_was_though_the_source_has_moved_on() -> None:
    async def story() -> None:
        sim = await configured()
        home = sim.status["stable"]["revision"]
        sim.apply(limits("bad"))
        await sim.run(120)
        sim.store.delete("ConfigMap", "ml", f"{home}-0")
        await sim.run(5)
        assert serves(sim) == "old"

    run(story())


def test_a_copy_stays_even_where_the_record_of_a_revision_in_use_was_lost() -> None:
    async def story() -> None:
        sim = await configured()
        home = sim.status["stable"]["revision"]
        sim.apply(limits("bad"))
        await sim.run(120)
        sim.store.delete("ControllerRevision", "ml", home)
        await sim.run(60)
        assert serves(sim) == "old", "its pods run on, and must be able to start again"

    run(story())


def test_a_source_whose_deletion_no_watch_has_told_is_missed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        sim = await configured()
        with monkeypatch.context() as broken:
            broken.setattr(sim.watch, "see", lambda *_: None)
            sim.store.delete("ConfigMap", "ml", "limits")
        await sim.run(AUDIT + 60)
        assert sim.condition("Ready")["reason"] == "ConfigNotFound"

    run(story())


def test_an_orphaned_revision_keeps_its_copy_and_the_next_owner_takes_it_over_as_it_is() -> None:
    async def story() -> None:
        sim = Sim(metrics=by_content)
        wish = model("v1", server=SERVER, deletionPolicy="Orphan")
        sim.apply(limits("old"))
        sim.apply(wish)
        await sim.run(60)
        revision = sim.status["stable"]["revision"]
        made = sim.store.get("ConfigMap", "ml", f"{revision}-0")
        sim.store.delete("ModelDeployment", "ml", "churn")
        await sim.run(60)
        assert made and mounted(sim, revision) == "old"
        sim.apply(wish)
        await sim.run(60)
        taken = sim.store.get("ConfigMap", "ml", f"{revision}-0")
        assert taken and taken["metadata"]["uid"] == made["metadata"]["uid"] and serves(sim) == "old"

    run(story())


def test_what_is_settled_costs_nothing_and_an_edit_writes_each_copy_once() -> None:
    async def story() -> None:
        sim = await configured()
        before = len(sim.kube.writes)
        await sim.restart()
        await sim.run(60)
        sim.apply(limits("old", annotations={"touched": "yes"}))
        await sim.run(60)
        assert len(sim.kube.writes) == 0 < before, "the new process has nothing to write"
        sim.apply(limits("new"))
        await sim.run(400)
        written = [(verb, name.rpartition("-")[2]) for verb, kind, name in sim.kube.writes if kind == "ConfigMap"]
        assert written == [("apply", "0"), ("delete", "0")]

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, 9))
def test_a_crash_at_the_start_of_a_revision_loses_no_content(write: int, when: Literal["before", "after"]) -> None:
    """The operator dies, and while it is away the source is edited again and then deleted."""

    async def story() -> None:
        sim = await configured()
        await sim.restart()
        sim.kube.crash_at(write, when)
        sim.apply(limits("second"))
        await asyncio.wait(sim.tasks, return_when=asyncio.FIRST_COMPLETED)
        candidate = sim.status.get("candidate", {}).get("revision", "")
        recorded = sim.store.get("ControllerRevision", "ml", candidate) is not None
        sim.apply(limits("third"))
        sim.store.delete("ConfigMap", "ml", "limits")
        await sim.run(400)
        assert sim.condition("Ready")["reason"] == "ConfigNotFound"
        assert serves(sim) == ("second" if recorded else "old")
        assert copies(sim) == [serves(sim)]

    run(story())
