"""What the operator relies on in Kubernetes, told once and run against the in-memory API and a real API server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.model.faults import Rejected, Stale
from penstock.shell.claims import EMPTY, unmade
from penstock.shell.kube import Api
from penstock.shell.lease import Lease

from .conftest import Tell, World

Object = dict[str, Any]
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Settled",
    "message": "",
    "lastTransitionTime": "2026-11-21T08:00:00Z",
}


def make_deployment(world: World, **spec: Any) -> Object:
    labels = {"app": "churn"}
    container = {"name": "server", "image": "example/server:1", "env": [{"name": "A", "value": "1"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": world.namespace, "name": "churn-1", "labels": {"penstock.dev/a": "1"}},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


MODEL = {"model": {"version": "7", "format": "sklearn"}}


def make_model(world: World, **spec: Any) -> Object:
    meta = {"namespace": world.namespace, "name": "churn"}
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta, "spec": MODEL | spec}


def make_service(world: World, name: str, **meta: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": world.namespace, "name": name, **meta},
        "spec": {"selector": {"app": "churn"}, "ports": [{"port": 80, "protocol": "TCP"}]},
    }


def container_of(live: Object) -> Object:
    return dict(live["spec"]["template"]["spec"]["containers"][0])


def version_of(live: Object) -> str:
    return str(live["metadata"]["resourceVersion"])


async def get(kube: Api, manifest: Object) -> Object | None:
    meta = manifest["metadata"]
    return await kube.get(manifest["kind"], meta.get("namespace"), meta["name"])


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what another program does in its own time; the story's own deadline bounds it."""
    while not await check():  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.05)


class TestKube:
    """One class, two worlds."""

    def test_apply_creates_and_repeating_it_changes_nothing(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            for manifest in (make_service(world, "churn"), make_revision(world)):
                first = await world.kube.apply(manifest)
                again = await world.kube.apply(manifest)
                assert first["metadata"]["uid"] and first["metadata"]["creationTimestamp"].endswith("Z")
                assert version_of(again) == version_of(first), "a settled object must cause no event"

        tell(story)

    def test_generation_counts_changes_of_the_spec_and_for_deployments_of_annotations(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            for manifest in (make_deployment(world), make_model(world)):
                live = await world.kube.apply(manifest)
                assert live["metadata"]["generation"] == 1
                more = {"paused": True} if manifest["kind"] == "Deployment" else {"runtime": "mlserver"}
                changed = manifest | {"spec": manifest["spec"] | more}
                assert (await world.kube.apply(changed))["metadata"]["generation"] == 2
                changed["metadata"]["labels"] = {"x": "y"}
                assert (await world.kube.apply(changed))["metadata"]["generation"] == 2
                changed["metadata"]["annotations"] = {"x": "y"}
                seen = (await world.kube.apply(changed))["metadata"]["generation"]
                assert seen == (3 if manifest["kind"] == "Deployment" else 2)

        tell(story)

    def test_what_we_leave_out_vanishes_and_what_others_set_stays(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            await world.kube.apply(make_deployment(world, minReadySeconds=5))
            theirs = make_deployment(world)
            theirs["spec"] = {"replicas": 7, "revisionHistoryLimit": 3}
            theirs["metadata"]["labels"] = {"their": "label"}
            await world.other.apply(theirs)
            ours = make_deployment(world)
            ours["metadata"].pop("labels")
            ours["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
            live = await world.kube.apply(ours)
            assert live["metadata"]["labels"] == {"their": "label"}
            assert live["spec"].get("minReadySeconds", 0) == 0
            assert (live["spec"]["replicas"], live["spec"]["revisionHistoryLimit"]) == (7, 3)
            assert container_of(live)["env"] == [{"name": "B", "value": "2"}]

        tell(story)

    def test_lists_with_keys_are_shared_by_entry(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            await world.kube.apply(make_deployment(world))
            theirs = make_deployment(world)
            theirs["spec"] = {
                "template": {"spec": {"containers": [{"name": "server", "env": [{"name": "X", "value": "9"}]}]}}
            }
            theirs["metadata"].pop("labels")
            await world.other.apply(theirs)
            live = await world.kube.apply(make_deployment(world))
            assert {entry["name"] for entry in container_of(live)["env"]} == {"A", "X"}
            assert container_of(live)["image"] == "example/server:1"

        tell(story)

    def test_force_takes_a_field_over_and_dropping_it_then_removes_it(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            theirs = make_model(world, runtime="theirs", pod={"priorityClassName": "stays"})
            await world.other.apply(theirs)
            live = await world.kube.apply(make_model(world, runtime="ours"))
            assert live["spec"] == MODEL | {"runtime": "ours", "pod": {"priorityClassName": "stays"}}
            live = await world.kube.apply(make_model(world))
            assert live["spec"] == MODEL | {"pod": {"priorityClassName": "stays"}}

        tell(story)

    def test_a_field_with_two_owners_stays_when_one_leaves(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            await world.other.apply(make_model(world, runtime="same"))
            await world.kube.apply(make_model(world, runtime="same"))
            assert (await world.kube.apply(make_model(world)))["spec"] == MODEL | {"runtime": "same"}

        tell(story)

    def test_apply_leaves_the_status_alone_and_the_status_leaves_the_spec_alone(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            live = await world.kube.apply(make_model(world) | {"status": {"replicas": 5}})
            assert live["status"] == {"observedGeneration": -1}
            status = {"observedGeneration": 1, "stable": {"revision": "r", "weight": 95}, "conditions": [READY]}
            after = await world.kube.update_status(live, status)
            assert after["status"] == status and after["spec"] == MODEL
            assert after["metadata"]["generation"] == 1 and version_of(after) != version_of(live)
            assert (await world.kube.apply(make_model(world, runtime="x")))["status"] == status

        tell(story)

    def test_create_leaves_the_status_alone_too(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            live = await world.kube.create(make_model(world) | {"status": {"replicas": 5}})
            assert live["status"] == {"observedGeneration": -1}

        tell(story)

    def test_a_status_replaces_the_whole_status(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            live = await world.kube.apply(make_model(world))
            first = {
                "observedGeneration": 1,
                "stable": {"revision": "a", "weight": 9},
                "url": "x",
                "conditions": [READY],
            }
            live = await world.kube.update_status(live, first)
            second = {"observedGeneration": 1, "stable": {"revision": "b"}, "replicas": 2, "conditions": []}
            live = await world.kube.update_status(live, second)
            assert live["status"] == second

        tell(story)

    def test_a_status_is_fenced_by_the_version_even_when_it_changes_nothing(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            old = await world.kube.apply(make_model(world))
            new = await world.kube.apply(make_model(world, runtime="x"))
            for status in (old["status"], {"observedGeneration": 1}):
                with pytest.raises(Stale):
                    await world.kube.update_status(old, status)
            live = await world.kube.update_status(new, new["status"])
            same = await world.kube.update_status(live, live["status"])
            assert version_of(same) == version_of(live)

        tell(story)

    def test_the_status_of_what_is_gone_is_stale(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            live = await world.kube.apply(make_model(world))
            await world.kube.delete("ModelDeployment", world.namespace, "churn", live["metadata"]["uid"])
            with pytest.raises(Stale):
                await world.kube.update_status(live, {"replicas": 1})
            again = await world.kube.apply(make_model(world))
            assert again["metadata"]["uid"] != live["metadata"]["uid"]
            with pytest.raises(Stale):
                await world.kube.update_status(live, {"replicas": 1})

        tell(story)

    def test_delete_hits_only_the_object_that_was_meant(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            live = await world.kube.apply(make_service(world, "churn"))
            with pytest.raises(Stale):
                await world.kube.delete("Service", world.namespace, "churn", "00000000-0000-0000-0000-000000000000")
            assert await get(world.kube, live)
            gone = [await world.kube.delete("Service", world.namespace, "churn", live["metadata"]["uid"]) for _ in "ab"]
            assert gone == [True, True]
            assert await get(world.kube, live) is None

        tell(story)

    def test_replace_needs_the_current_version(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            old = await world.kube.apply(make_service(world, "churn"))
            new = await world.kube.replace(old | {"metadata": old["metadata"] | {"labels": {"x": "1"}}})
            assert new["metadata"]["labels"] == {"x": "1"}
            with pytest.raises(Stale):
                await world.kube.replace(old)
            await world.kube.delete("Service", world.namespace, "churn", new["metadata"]["uid"])
            with pytest.raises(Stale):
                await world.kube.replace(new)

        tell(story)

    def test_apply_with_a_uid_never_makes_a_new_object(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            for build in (make_deployment, make_model):
                manifest = build(world)
                manifest["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
                with pytest.raises(Stale):
                    await world.kube.apply(manifest)
                live = await world.kube.apply(build(world))
                with pytest.raises(Stale):
                    await world.kube.apply(manifest)
                manifest["metadata"]["uid"] = live["metadata"]["uid"]
                assert (await world.kube.apply(manifest))["metadata"]["uid"] == live["metadata"]["uid"]

        tell(story)

    def test_apply_with_the_version_of_an_empty_store_makes_an_object_or_nothing(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            for build in (make_deployment, make_model, lambda w: make_service(w, "churn"), make_revision):
                made = await world.kube.apply(unmade(build(world)), "ours")
                assert made["metadata"]["resourceVersion"] != EMPTY
                other = build(world)
                other["metadata"]["labels"] = {"penstock.dev/other": "1"}
                with pytest.raises(Stale):
                    await world.kube.apply(unmade(other), "another")
                live = await get(world.kube, made)
                assert live and "penstock.dev/other" not in live["metadata"].get("labels", {})
                assert (await world.kube.apply(other, "another"))["metadata"]["uid"] == made["metadata"]["uid"]

        tell(story)

    def test_dependents_go_with_their_owner(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            owner = await world.kube.apply(make_model(world))
            uid = owner["metadata"]["uid"]
            reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": "churn", "uid": uid}
            child = await world.kube.apply(
                make_service(world, "churn", ownerReferences=[reference | {"controller": True}])
            )
            free = await world.kube.apply(make_service(world, "free"))
            await world.kube.delete("ModelDeployment", world.namespace, "churn", uid)

            async def collected() -> bool:
                return await get(world.kube, child) is None

            await eventually(collected)
            late = await world.kube.apply(make_service(world, "late", ownerReferences=[reference]))
            assert late["metadata"]["uid"]
            await eventually(collected_of(world, late))
            assert await get(world.kube, free)

        tell(story)

    def test_an_object_with_a_finalizer_stays_until_it_is_let_go(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            manifest = make_model(world)
            manifest["metadata"]["finalizers"] = ["example.com/hold"]
            live = await world.other.apply(manifest)
            assert not await world.kube.delete("ModelDeployment", world.namespace, "churn", live["metadata"]["uid"])
            held = await get(world.kube, live)
            assert held and held["metadata"]["deletionTimestamp"]
            manifest["metadata"]["finalizers"] = []
            await world.other.apply(manifest)
            assert await get(world.kube, live) is None

        tell(story)

    def test_pages_list_what_the_selector_chooses(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            for number in range(5):
                labels = {"team": "a" if number % 2 else "b", "n": str(number)}
                await world.kube.apply(make_service(world, f"s{number}", labels=labels))
            assert await names(world, "") == ["s0", "s1", "s2", "s3", "s4"]
            assert await names(world, "team=a") == ["s1", "s3"]
            assert await names(world, "team!=a,n!=0") == ["s2", "s4"]
            assert await names(world, "n,!missing") == ["s0", "s1", "s2", "s3", "s4"]
            assert await names(world, "missing") == []
            everywhere = [item async for page in world.kube.pages("Service", None, "team=b") for item in page]
            mine = [item for item in everywhere if item["metadata"]["namespace"] == world.namespace]
            assert len(mine) == 3 and all((i["apiVersion"], i["kind"]) == ("v1", "Service") for i in mine)
            assert all(version_of(item) for item in mine)

        tell(story)

    def test_pages_are_one_snapshot(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            world.kube.page = 2
            for number in range(5):
                await world.kube.apply(make_service(world, f"s{number}"))
            sizes, found = [], []
            async for page in world.kube.pages("Service", world.namespace):
                sizes.append(len(page))
                found += [item["metadata"]["name"] for item in page]
                await world.kube.apply(make_service(world, f"t{len(sizes)}"))
            assert (sizes, found) == ([2, 2, 1], ["s0", "s1", "s2", "s3", "s4"])

        tell(story)

    def test_what_does_not_exist_is_none(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            assert await world.kube.get("Service", world.namespace, "x") is None
            assert await world.kube.get("Service", "nowhere", "x") is None
            assert await world.kube.get("HTTPRoute", world.namespace, "x") is None

        tell(story)

    def test_a_missing_namespace_or_kind_is_named(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            manifest = make_service(world, "x")
            manifest["metadata"]["namespace"] = "nowhere"
            assert await refusal(world.kube.apply(manifest)) == "NamespaceMissing"
            route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
            meta = {"namespace": world.namespace, "name": "x"}
            assert await refusal(world.kube.apply(route | {"metadata": meta, "spec": {}})) == "ApiKindMissing"
            with pytest.raises(Rejected, match="ApiKindMissing"):
                _ = [page async for page in world.kube.pages("HTTPRoute", world.namespace)]

        tell(story)

    def test_what_is_invalid_is_rejected_and_named(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            await world.kube.apply(make_deployment(world))
            moved = make_deployment(world, selector={"matchLabels": {"app": "other"}})
            moved["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
            mismatch = make_deployment(world)
            mismatch["metadata"]["name"] = "churn-2"
            mismatch["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
            bad = [
                moved,
                mismatch,
                make_service(world, "x" * 64),
                make_service(world, "Upper"),
                make_service(world, "churn", labels={"x": "y" * 64}),
                make_service(world, "churn", labels={"x": "not a label"}),
                make_service(world, "churn") | {"spec": {"selector": {"a": "b"}}},
                make_scaler(world, minReplicas=0),
                make_deployment(world, replicas=-1),
            ]
            for manifest in bad:
                assert await refusal(world.kube.apply(manifest)) == "ApiInvalid", manifest["metadata"]

        tell(story)

    def test_a_revision_cannot_be_rewritten(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            revision = make_revision(world)
            await world.kube.apply(revision)
            await world.kube.apply(revision | {"revision": 2})
            assert await refusal(world.kube.apply(revision | {"data": {"spec": 2}})) == "ApiInvalid"

        tell(story)

    def test_the_lock_works(self, tell: Tell) -> None:
        async def story(world: World) -> None:
            where = (world.namespace, "penstock")
            one, two = Lease(world.kube, where, "one"), Lease(world.other, where, "two")
            await one.acquire()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(two.acquire(), 1)
            live = await world.kube.get("Lease", *where)
            assert one.held() and live and live["spec"]["holderIdentity"] == "one"
            await one.release()
            await two.acquire()
            assert two.held() and not one.held()
            await two.release()

        tell(story)


def collected_of(world: World, manifest: Object) -> Callable[[], Awaitable[bool]]:
    async def collected() -> bool:
        return await get(world.kube, manifest) is None

    return collected


def make_revision(world: World) -> Object:
    meta = {"namespace": world.namespace, "name": "churn-1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": meta,
        "revision": 1,
        "data": {"spec": {"a": [1], "empty": {}}},
    }


def make_scaler(world: World, **spec: Any) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "churn-1"}
    meta = {"namespace": world.namespace, "name": "churn-1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3} | spec
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


async def names(world: World, selector: str) -> list[str]:
    found = [item async for page in world.kube.pages("Service", world.namespace, selector) for item in page]
    return [item["metadata"]["name"] for item in found]


async def refusal(write: Awaitable[Any]) -> str:
    with pytest.raises(Rejected) as raised:
        await write
    return raised.value.reason
