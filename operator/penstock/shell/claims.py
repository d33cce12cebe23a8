"""May this name be written, may that object go? Asked of the API server itself, at the only moments where it matters.

An object that is not ours is never written over, unless whoever may edit it has handed it over by its label. What we
know nothing of is made by a write that fails where something stands; only then is it read. A write that takes something
over is fenced by the version that was read, so that a label taken back in time is obeyed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.names import LABEL_NAME
from penstock.model.reasons import Reason
from penstock.model.values import Manifest
from penstock.shell.kube import Api
from penstock.shell.projection import Child
from penstock.shell.texts import Key

EMPTY = "1"  # the version of a store without objects, which no object has
CLEARED = {"PodDisruptionBudget": {"minAvailable": None}}  # what may not stand beside a field that we set


def unmade(manifest: Manifest) -> Manifest:
    """The manifest as it is applied where nothing may stand yet: the answer is `Stale` where something does.

    Server-side apply without force is no guard: it merges into a foreign object as long as no field is set twice.
    """
    return manifest | {"metadata": manifest["metadata"] | {"resourceVersion": EMPTY}}


async def claim(kube: Api, key: Key, uid: str, manifest: Manifest) -> Manifest:
    """The manifest as it may be applied over what stands there."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    live = await kube.get(kind, key[0], name)
    if live is None:
        raise Stale(f"{kind} {name} was there a moment ago")
    owner = _controller(live)
    if not owner and _is_handed_over(live, key):
        return _taken(live, manifest)
    if (owner.get("kind"), owner.get("name")) == ("ModelDeployment", key[1]) and owner["uid"] != uid:
        raise Retry(1.0, f"{kind} {name} is still being removed with its former owner")
    if owner.get("uid") != uid:
        raise Rejected(Reason.CONFLICT, _theirs(key, manifest, owner))
    return manifest


def _controller(live: Manifest) -> Manifest:
    refs = live["metadata"].get("ownerReferences") or []
    return next((ref for ref in refs if ref.get("controller")), {})


def _is_handed_over(live: Manifest, key: Key) -> bool:
    return (live["metadata"].get("labels") or {}).get(LABEL_NAME) == key[1]


def _theirs(key: Key, manifest: Manifest, owner: Manifest) -> str:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if owner:
        return f"{kind} {name} exists and belongs to {owner['kind']} {owner['name']}: rename or delete one of the two"
    way = f"kubectl label {kind.lower()} {name} {LABEL_NAME}={key[1]} --namespace {key[0]}"
    return f"{kind} {name} exists and belongs to somebody else: rename or delete one of the two, or hand it over: {way}"


def _taken(live: Manifest, manifest: Manifest) -> Manifest:
    """Fenced by the version that was read; without what the API server would not have beside our fields."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    spec = live.get("spec") or {}
    if kind == "Service" and (spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"):
        text = f"Service {name} has no address of its own (headless or ExternalName), so its clients know the pods"
        raise Rejected(Reason.CONFLICT, f"{text} and cannot be moved without failures: rename or delete one of the two")
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    made = manifest | {"metadata": manifest["metadata"] | version}
    if kind in CLEARED:
        made["spec"] = CLEARED[kind] | manifest["spec"]
    return made


@contextmanager
def taking(manifest: Manifest, claimed: Manifest) -> Iterator[None]:
    """A write of it. What was handed over and cannot be made into ours, as some fields never change, is a conflict."""
    try:
        yield
    except Rejected as fault:
        if claimed is manifest:
            raise
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        text = f"delete {what}, which was handed over and cannot be taken over as it is: {fault}"
        raise Rejected(Reason.CONFLICT, text) from fault


async def may_go(kube: Api, key: Key, child: Child) -> None:
    """Raise unless a given object is still given, and no Service leads to its pods."""
    live = await kube.get(child.kind, key[0], child.name)
    if live is None:
        return
    if _controller(live) or not _is_handed_over(live, key) or live["metadata"]["uid"] != child.uid:
        raise Retry(1.0, f"{child.kind} {child.name} was taken back")
    if child.kind == "Deployment":
        labels = live["spec"]["template"]["metadata"].get("labels") or {}
        await _see_that_nobody_leads_to(kube, key[0], (child.name, labels))


async def _see_that_nobody_leads_to(kube: Api, namespace: str, pods: tuple[str, dict[str, str]]) -> None:
    name, labels = pods
    async for page in kube.pages("Service", namespace):
        for service in page:
            selector = (service.get("spec") or {}).get("selector") or {}
            if selector and selector.items() <= labels.items():
                text = f"Service {service['metadata']['name']} still leads to the pods of Deployment {name}"
                raise Rejected(
                    Reason.CONFLICT, f"{text}, so it is not deleted: move its clients, then delete the Service"
                )


async def scalers(kube: Api, namespace: str, ours: set[str]) -> dict[str, str]:
    """Autoscalers of a namespace that are not ours, by the Deployment that each of them scales."""
    found: dict[str, str] = {}
    async for page in kube.pages("HorizontalPodAutoscaler", namespace):
        for live in page:
            target = (live.get("spec") or {}).get("scaleTargetRef") or {}
            if target.get("kind") == "Deployment" and live["metadata"]["uid"] not in ours:
                found[target["name"]] = live["metadata"]["name"]
    return found
