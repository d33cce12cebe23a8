"""A live object -> the few facts that turns need of it. Pure.

A child keeps the text of its live object only until a turn has compared it with what it should be; from then on a
fingerprint tells whether anybody touched it.
"""

from collections import defaultdict
from dataclasses import dataclass
from sys import intern
from typing import Any

from penstock.model.names import ANNOTATION_APPLIED, LABEL_DOOR, LABEL_NAME, LABEL_REVISION, digest
from penstock.model.values import Following, Manifest, RouteSeen
from penstock.routing import ROUTES, payload, read_own, service
from penstock.routing.access import READERS
from penstock.scaling.follow import follow
from penstock.shell import endpoints, pods
from penstock.shell.texts import Object, Record, Speller

FOLLOWING = ("Pod", "EndpointSlice")  # made by other controllers out of what we made; never written by us
_SPELLERS: defaultdict[str, Speller] = defaultdict(Speller)  # by kind


@dataclass(slots=True)
class Child:
    """What is remembered of one owned object."""

    kind: str
    name: str
    uid: str
    version: int
    revision: str
    applied: str
    fingerprint: str
    owner_uid: str
    seen: Any
    text: bytes = b""
    verified: str = ""

    def keep(self, live: Object) -> None:
        """What a turn will compare it by; nothing of what follows others."""
        self.text = b"" if self.kind in FOLLOWING else _SPELLERS[self.kind].spell(live)

    def read(self) -> Object | None:
        """The live object, until it was found to be as it should be."""
        return _SPELLERS[self.kind].read(self.text) if self.text else None

    def verify(self) -> None:
        """It is as it should be."""
        self.verified, self.text = self.applied, b""

    def is_ours(self, uid: str) -> bool:
        """True for what the ModelDeployment with this uid controls, and for what Penstock wrote and nobody controls."""
        return self.owner_uid == uid if self.owner_uid else bool(self.applied)

    def is_given(self) -> bool:
        """True for what somebody else wrote, nobody controls, and whose label hands it over."""
        return not self.owner_uid and not self.applied and self.kind not in FOLLOWING


def project(live: Object) -> Child:
    """The few facts that turns need."""
    meta = live["metadata"]
    seen = _SEEN[live["kind"]](live) if live["kind"] in _SEEN else None
    meta.pop("managedFields", None)
    owner: Object = next((ref for ref in meta.get("ownerReferences") or [] if ref.get("controller")), {})
    follows = live["kind"] in FOLLOWING
    # What many children of one object say is kept once, and nothing else: each string more makes Python's table larger.
    revision = intern((meta.get("labels") or {}).get(LABEL_REVISION, ""))
    uid = owner.get("uid", "")
    return Child(
        kind=live["kind"],
        name=revision if meta["name"] == revision else meta["name"],
        uid=meta["uid"],
        version=version(live),
        revision=revision,
        applied=_applied(live),
        fingerprint="" if follows else fingerprint(live),
        owner_uid=uid if follows else intern(uid),
        seen=seen,
    )


def version(live: Object) -> int:
    """Its resourceVersion; later ones are larger."""
    return int(live["metadata"]["resourceVersion"])


def fingerprint(live: Object) -> str:
    """Digest of all that somebody could have edited; status and bookkeeping left out."""
    meta = live["metadata"]
    kept = {k: meta.get(k) for k in ("labels", "annotations", "ownerReferences", "deletionTimestamp")}
    if live["kind"] == "Deployment":  # written by the Deployment controller itself
        kept["annotations"] = {k: v for k, v in (kept["annotations"] or {}).items() if not k.startswith("deployment.")}
    return digest([kept, {k: v for k, v in live.items() if k not in ("metadata", "status", "apiVersion")}], 16)


@dataclass(frozen=True, slots=True)
class Scale:
    """A Deployment's numbers."""

    desired: int
    ready: int
    trouble: str = ""
    labels: frozenset[tuple[str, str]] = frozenset()  # of its pods, where we did not make them


@dataclass(frozen=True, slots=True)
class Front:
    """A Service: the revision that it leads to; of one that bears the ModelDeployment's name also the rest."""

    route: RouteSeen
    selector: frozenset[tuple[str, str]] = frozenset()
    ports: tuple[Manifest, ...] = ()
    door: bool = False  # whether it leads to a door
    shut: bool = False  # whether it leads to nobody


@dataclass(frozen=True, slots=True)
class Scaler:
    """An autoscaler: the Deployment that it scales, and who else does."""

    target: str
    rivals: str = ""
    following: Following | None = None  # None: it has not said yet


def _scale(live: Object) -> Scale:
    status = live.get("status") or {}
    # Where no pod can even be made (ServiceAccount, quota, pod security), only the Deployment has heard why.
    failed = [c for c in status.get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    trouble = f"{failed[0].get('reason')}: {failed[0].get('message', '')}"[:300] if failed else ""
    labels = {} if _applied(live) else live["spec"]["template"]["metadata"].get("labels") or {}
    return Scale(live["spec"].get("replicas", 1), status.get("readyReplicas", 0), trouble, frozenset(labels.items()))


def _front(live: Object) -> Front:
    meta, spec = live["metadata"], live.get("spec") or {}
    door = LABEL_DOOR in (spec.get("selector") or {})
    if meta["labels"][LABEL_NAME] != meta["name"]:
        return Front(service.read(live), door=door, shut=service.is_shut(spec))
    selector = frozenset((spec.get("selector") or {}).items())
    return Front(service.read(live), selector, tuple(spec.get("ports") or ()), door)


def _scaler(live: Object) -> Scaler:
    """Two autoscalers on the same pods: Kubernetes sees it, stops both, and names them."""
    told = (live.get("status") or {}).get("conditions") or []
    found: Object = next((c for c in told if c.get("reason") == "AmbiguousSelector"), {})
    target = (live.get("spec") or {}).get("scaleTargetRef") or {}
    name = target.get("name", "") if target.get("kind") == "Deployment" else ""
    return Scaler(name, found.get("message", "")[:300], follow(live))


def _applied(live: Object) -> str:
    return str((live["metadata"].get("annotations") or {}).get(ANNOTATION_APPLIED, ""))


def _route(live: Object) -> RouteSeen:
    return read_own(live["kind"], live) if _applied(live) else ROUTES[live["kind"]].read(live)


_SEEN = {
    "Deployment": _scale,
    "Pod": pods.read,
    "ControllerRevision": Record.of,
    "Service": _front,
    "EndpointSlice": endpoints.read,
    "HorizontalPodAutoscaler": _scaler,
    "EnvoyExtensionPolicy": payload.read,
    **dict.fromkeys(ROUTES, _route),
    **READERS,
}
