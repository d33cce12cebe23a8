"""Tracked ConfigMaps by values: what names a revision, what it keeps, what is said when the content cannot be had."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Serving, Status, Trying
from penstock.core import config
from penstock.core.desired import make_revision, read_snapshot, revision_of
from penstock.core.resolve import resolve
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.names import LABEL_CONFIG, LABEL_NAME
from penstock.model.reasons import Reason
from penstock.model.values import Config, Problem, Snapshot, World
from penstock.shell.cache import Cache
from tests.sim.machine import RUNTIME, model

Object = dict[str, Any]
SOURCES = frozenset({"default"})
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = RuntimeSpec.model_validate(RUNTIME["spec"])


def source(text: str = "limit: 1", **parts: Any) -> Object:
    """A user's ConfigMap."""
    meta = {
        "namespace": "ml",
        "name": "limits",
        "uid": "u1",
        "resourceVersion": "5",
        "labels": {LABEL_CONFIG: "tracked"},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"limits.yaml": text}} | parts


def bare(version: str = "v1", **spec: Any) -> World:
    """A world that asks for a version and has seen nothing."""
    wish = Spec.model_validate(model(version, **spec)["spec"])
    return World(NOW, "ml", "churn", "uid-1", 3, wish, Status(), runtime=("mlserver", RULES))


def asking(*paths: str, version: str = "v1", **configs: Config) -> World:
    """The same with a server that mounts `limits`, and `other` where a second path is given."""
    mounts = [{"name": n, "mountPath": p} for n, p in zip(("limits", "other"), paths or ("/etc/churn",), strict=False)]
    return replace(bare(version, server={"configMaps": mounts}), configs=configs)


def resolved(world: World, sources: frozenset[str] = SOURCES) -> World:
    return resolve(world, lambda: {"mlserver": RULES}, sources)


def snapshot(world: World) -> Snapshot:
    made = make_snapshot(world)
    assert isinstance(made, Snapshot), made
    return made


OLD, NEW = config.read(source("limit: 1")), config.read(source("limit: 2"))


# what names a revision


def test_the_content_is_part_of_the_revisions_name_and_nothing_else_of_the_configmap_is() -> None:
    labelled = source("limit: 1", metadata={"name": "limits", "resourceVersion": "9", "labels": {"a": "b"}})
    assert wanted_revision(asking(limits=OLD)) == wanted_revision(asking(limits=config.read(labelled)))
    assert wanted_revision(asking(limits=OLD)) != wanted_revision(asking(limits=NEW))
    assert wanted_revision(bare()) == wanted_revision(replace(bare(), configs={"limits": OLD})), "not mounted"


def test_the_order_of_keys_names_nothing_and_text_is_not_bytes() -> None:
    one = config.read(source(data={"a": "1", "b": "2"}))
    assert one == config.read(source(data={"b": "2", "a": "1"}))
    assert one.digest != config.read(source(data={"a": "1"}, binaryData={"b": "2"})).digest
    assert config.read(source(data=None)).content == {}


# what a revision keeps


def test_a_revision_keeps_the_content_and_mounts_immutable_copies() -> None:
    world = asking("/etc/churn", "/etc/more", limits=OLD, other=config.read(source(binaryData={"x": "AAE="})))
    name = wanted_revision(world)
    record, first, second, deployment, *_ = make_revision(world, name, snapshot(world), 1)
    pod = deployment["spec"]["template"]["spec"]
    assert (first["immutable"], first["data"]) == (True, {"limits.yaml": "limit: 1"})
    assert second["binaryData"] == {"x": "AAE="}
    assert [c["metadata"]["labels"][LABEL_CONFIG] for c in (first, second)] == ["pinned"] * 2
    assert [revision_of("churn", c["kind"], c["metadata"]["name"]) for c in (record, first, second, deployment)] == [
        name
    ] * 4
    mounted = {
        m["name"]: (m["mountPath"], m["readOnly"]) for m in pod["containers"][0]["volumeMounts"] if "readOnly" in m
    }
    volumes = {v["name"]: v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}
    assert {mounted[v]: copy for v, copy in volumes.items()} == {
        ("/etc/churn", True): first["metadata"]["name"],
        ("/etc/more", True): second["metadata"]["name"],
    }
    assert read_snapshot(record) == snapshot(world)


def test_a_record_from_before_there_were_configs_reads_as_before() -> None:
    record, *rest = make_revision(bare(), "churn-1", snapshot(bare()), 1)
    assert "configs" not in record["data"] and read_snapshot(record).configs == {}
    assert not [made for made in rest if made["kind"] == "ConfigMap"]


# what stands in the way


LARGE = config.read(source("x" * (config.LIMIT + 1)))
HALF = config.read(source("x" * (config.LIMIT // 2)))


@pytest.mark.parametrize(
    ("world", "reason", "words"),
    [
        (asking(), Reason.CONFIG_NOT_FOUND, "kubectl -n ml label configmap limits penstock.dev/config=tracked"),
        (asking(limits=LARGE), Reason.CONFIG_TOO_LARGE, "at most 200 KiB .* limits 200 KiB"),
        (asking("/a", "/b", limits=HALF, other=HALF), Reason.CONFIG_TOO_LARGE, "limits 100 KiB, other 100 KiB"),
        (
            asking("/mnt/models/conf", limits=OLD),
            Reason.MOUNT_CONFLICT,
            "limits at /mnt/models/conf overlaps the model",
        ),
        (asking("/mnt", limits=OLD), Reason.MOUNT_CONFLICT, "/mnt overlaps the model at /mnt/models; .* /etc/churn"),
    ],
)
def test_what_cannot_be_pinned_is_a_problem_in_words(world: World, reason: Reason, words: str) -> None:
    found = resolved(world).problem
    assert found and found.reason is reason and re.search(words, found.message), found


def test_a_folder_that_only_begins_like_the_models_is_free() -> None:
    world = resolved(asking("/mnt/models2", limits=OLD))
    assert world.problem is None and isinstance(make_snapshot(world), Snapshot)


def test_content_that_no_revision_could_keep_is_not_kept_in_memory() -> None:
    assert LARGE.content == {} and LARGE.size > config.LIMIT
    assert HALF.content


# a source that is gone


def serving(version: str = "v1", tried: bool = False) -> World:
    """v1 with the old content serves, or is tried; the spec asks for `version`; the ConfigMap is gone."""
    name = wanted_revision(asking(limits=OLD))
    times = dict.fromkeys(("startedAt", "stepStartedAt", "deadlineAt"), "2026-11-21T12:00:00.000000Z")
    candidate = Trying.model_validate({"revision": name, **times}) if tried else None
    stable = Serving(revision="churn-before" if tried else name, version="v0")
    status = Status(stable=stable, candidate=candidate)
    return replace(asking(version=version), status=status, snapshots={name: snapshot(asking(limits=OLD))})


@pytest.mark.parametrize("tried", [False, True])
def test_what_runs_goes_on_without_its_source_and_the_loss_is_told(tried: bool) -> None:
    world = resolved(serving(tried=tried))
    assert world.problem is None and world.fault and world.fault.reason is Reason.CONFIG_NOT_FOUND
    assert wanted_revision(world) == wanted_revision(asking(limits=OLD))


@pytest.mark.parametrize("tried", [False, True])
def test_nothing_new_starts_without_its_source(tried: bool) -> None:
    world = resolved(serving("v2", tried))
    assert world.problem and world.problem.reason is Reason.CONFIG_NOT_FOUND and world.fault is None


def test_content_that_became_too_large_is_a_new_wish_that_cannot_be() -> None:
    world = resolved(replace(serving(), configs={"limits": LARGE}))
    assert world.problem and world.problem.reason is Reason.CONFIG_TOO_LARGE and world.fault is None


def test_what_goes_on_must_still_be_judged() -> None:
    world = resolved(serving(), frozenset())
    assert world.problem and world.problem.reason is Reason.SOURCE_NOT_FOUND
    assert isinstance(world.fault, Problem)


# what the watch has shown


def changed(meta: Object, text: str = "limit: 1") -> Object:
    live = source(text)
    return live | {"metadata": live["metadata"] | meta}


def held(cache: Cache) -> str:
    found = cache.configs.get(("ml", "limits"))
    return found.config.content["data"]["limits.yaml"] if found else ""


@pytest.mark.parametrize(
    ("live", "gone", "changes", "then"),
    [
        (changed({"resourceVersion": "6"}, "limit: 2"), False, True, "limit: 2"),
        (changed({"resourceVersion": "6"}), False, False, "limit: 1"),
        (changed({"resourceVersion": "4"}, "limit: 0"), False, False, "limit: 1"),
        (changed({"resourceVersion": "6", "uid": "u2"}, "limit: 2"), False, True, "limit: 2"),
        (changed({"resourceVersion": "4", "uid": "u0"}, "limit: 0"), False, False, "limit: 1"),
        (changed({"resourceVersion": "6", "labels": {}}), False, True, ""),
        (changed({"resourceVersion": "6", "labels": {LABEL_CONFIG: "x", LABEL_NAME: "churn"}}), False, True, ""),
        (changed({"resourceVersion": "6"}), True, True, ""),
        (changed({"resourceVersion": "6", "uid": "u2"}), True, False, "limit: 1"),
    ],
    ids=[
        "edit",
        "touch",
        "late",
        "namesake",
        "late namesake",
        "label removed",
        "made a child",
        "deleted",
        "namesake deleted",
    ],
)
def test_the_cache_keeps_the_latest_content_while_it_is_tracked(
    live: Object, gone: bool, changes: bool, then: str
) -> None:
    cache = Cache()
    assert cache.see_config(source())
    assert cache.see_config(live, gone) is changes
    assert held(cache) == then


def test_only_what_mounts_it_in_its_own_namespace_is_concerned() -> None:
    cache = Cache()
    for space, name, mounted in (("ml", "a", "limits"), ("ml", "b", "other"), ("else", "c", "limits")):
        spec = {"server": {"configMaps": [{"name": mounted, "mountPath": "/etc/x"}]}}
        cache.parents[space, name] = {"metadata": {}, "spec": spec}
    cache.parents["ml", "d"] = {"metadata": {}, "spec": {"model": {}}}
    assert cache.mounting(("ml", "limits")) == [("ml", "a")]
