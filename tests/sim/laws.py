"""What must hold at every single write of the operator, whatever happens around it.

A law is a function from what landed to a complaint, or nothing. Each judges only what the operator could know: `known`
is the moment until which it had heard of everything when its turn began, so a law asks "was it so at any time since?".
What people and other controllers do to the same objects breaks no law; what the operator makes of it may.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock.model.names import LABEL_NAME
from penstock.model.schedule import read
from tests.sim.noted import Landed
from tests.sim.rough import Rough

Object = dict[str, Any]
OURS = {
    "ControllerRevision",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "HTTPRoute",
    "ConfigMap",
}
TURNS_IN_A_SECOND = 40
WRITES_IN_TEN_SECONDS = 80  # five wishes in seven seconds, each brought about and taken away, were 71


class Broken(BaseException):
    """A law was broken. Not an Exception, so that the operator cannot survive it."""


@dataclass(frozen=True)
class Scene:
    """One write: what was, what is, and what the operator could know."""

    court: "Court"
    landed: Landed
    known: float

    @property
    def sim(self) -> Rough:
        """The cluster."""
        return self.court.sim

    @property
    def status(self) -> Object:
        """As recorded last."""
        return self.court.status

    @property
    def former(self) -> Object:
        """As it was before the last change."""
        return self.court.former

    @property
    def verb(self) -> str:
        """apply, create, update_status, delete."""
        return self.landed.write[0]

    @property
    def kind(self) -> str:
        """Of the object."""
        return self.landed.write[1]

    @property
    def name(self) -> str:
        """Of the object."""
        return self.landed.write[2]

    @property
    def before(self) -> Object | None:
        """The object before."""
        return self.landed.before

    @property
    def after(self) -> Object | None:
        """The object now; nothing where it is gone."""
        return self.sim.live(self.kind, self.name)

    @property
    def deleted(self) -> bool:
        """Whether the object is gone."""
        return any(change == "DELETED" for change, _ in self.landed.changes)

    def revision(self, role: str) -> str:
        """The revision in a role, by the last recorded status."""
        return str((self.status.get(role) or {}).get("revision", ""))

    def tries(self) -> tuple[Object, Object]:
        """The candidate by the status before and by this one."""
        return self.former.get("candidate") or {}, self.status.get("candidate") or {}

    def is_new_try(self) -> bool:
        """Whether the candidate is another than before, or the same one from the beginning."""
        was, now = self.tries()
        return bool(now) and (was.get("revision"), was.get("startedAt")) != (now["revision"], now.get("startedAt"))

    def is_adopted(self) -> bool:
        """A first revision that serves is superseded: it is home, without a verdict."""
        was, _ = self.tries()
        return not self.former.get("stable") and bool(was) and was["version"] != self.sim.wished("version")


Law = Callable[[Scene], Iterator[str]]
LAWS: dict[str, list[Law]] = {}


def law(*kinds: str) -> Callable[[Law], Law]:
    """Register a law for writes of these kinds; `*` is any."""

    def add(found: Law) -> Law:
        for kind in kinds:
            LAWS.setdefault(kind, []).append(found)
        return found

    return add


@dataclass
class Court:
    """Sees every write and holds it against every law."""

    sim: Rough
    former: Object = field(default_factory=dict)
    status: Object = field(default_factory=dict)
    writes: list[float] = field(default_factory=list)
    entries: list[tuple[float, str, int]] = field(default_factory=list)  # when a revision was in a new step
    lefts: dict[str, float] = field(default_factory=dict)
    outs: list[float] = field(default_factory=list)  # when a pod was taken out of rotation
    owed: str = ""  # a revision that was taken off and still has traffic
    homes: set[str] = field(default_factory=set)  # every revision that was stable
    uid: str = ""  # of the object whose status this is

    def witness(self, landed: Landed) -> None:
        """Judge one write; a broken law ends the story."""
        self.writes.append(self.sim.time())
        if landed.write[0] == "update_status":
            self.record()
        scene = Scene(self, landed, self.sim.turn.known)
        for found in LAWS.get("*", []) + LAWS.get(landed.write[1], []):
            try:
                complaint = next(iter(found(scene)), "")
            except Exception as error:  # else it would look like a fault of the operator
                raise Broken(f"{found.__name__} cannot judge: {error!r}") from error
            if complaint:
                raise Broken(f"{found.__name__}: {complaint}")

    def record(self) -> None:
        """A status was written, or begins anew with a new object."""
        live = self.sim.live("ModelDeployment", "churn")
        uid = live["metadata"]["uid"] if live else ""
        self.former, self.status = self.status if uid == self.uid else {}, status_of(self.sim)
        if uid != self.uid:
            self.homes.clear()
            self.entries.clear()
        self.uid = uid
        self.homes |= {(self.former.get("stable") or {}).get("revision", "")}
        tried = self.status.get("candidate") or {}
        place = (tried.get("revision", ""), tried.get("step", 0))
        gone = (self.former.get("candidate") or {}).get("revision", "")
        if gone != place[0]:
            self.lefts[gone] = self.sim.turn.known
        if not self.entries or self.entries[-1][1:] != place:
            self.entries.append((self.sim.turn.began, *place))

    def entered(self, name: str, step: int) -> float:
        """When a revision was last seen to enter a step."""
        return next((at for at, *place in reversed(self.entries) if place == [name, step]), 0.0)

    def left(self, name: str) -> float:
        """What the operator knew when it decided that a revision is no longer tried; never, if it never was."""
        return self.lefts.get(name, -1.0)

    def pace(self) -> str:
        """A complaint about storms, of turns or of writes; about errors that nobody expected."""
        if self.sim.ear.bugs:
            return f"bug in a turn: {self.sim.ear.bugs[0]}"
        for log, span, most in ((self.sim.turns, 1.0, TURNS_IN_A_SECOND), (self.writes, 10.0, WRITES_IN_TEN_SECONDS)):
            storms = [at for at, later in zip(log, log[most:], strict=False) if later - at < span]
            if storms:
                return f"more than {most} turns or writes in {span} s, at {storms[0]:.2f}"
        return ""


def status_of(sim: Rough) -> Object:
    """The status as it stands, not to be changed."""
    live = sim.live("ModelDeployment", "churn")
    return (live or {}).get("status") or {}


@law("*")
def only_what_is_ours_is_written(scene: Scene) -> Iterator[str]:
    """A2 s4: nothing outside the namespace, nothing without our owner reference, never spec or metadata of the wish."""
    uids = scene.sim.uids_since(scene.known)
    for change, live in scene.landed.changes:
        where = f"{change} {live['kind']} {live['metadata']['name']}"
        if live["metadata"].get("namespace") != "ml":
            yield f"{where} is outside the namespace"
        if live["kind"] == "ModelDeployment":
            yield from _only_status(scene, live)
        elif live["kind"] == "Pod":
            yield from _only_a_label(scene, change, live)
        elif live["kind"] in OURS:
            yield from (f"{where} is not ours" for _ in [live] if not _owners(live) & uids and not _is_given(scene))
        elif not _is_told_or_follows(live, change):
            yield f"{where} is no kind of ours"


def _is_told_or_follows(live: Object, change: str) -> bool:
    """An Event that is made; or endpoints that the garbage collector takes once their Service is gone."""
    return (live["kind"] == "Event") == (change != "DELETED") and live["kind"] in ("Event", "EndpointSlice")


def _is_given(scene: Scene) -> bool:
    """Nobody controlled it before this write, and its label handed it over."""
    before = scene.before
    labels = (before or {"metadata": {}})["metadata"].get("labels") or {}
    return before is not None and not _owners(before) and labels.get(LABEL_NAME) == "churn"


def _owners(live: Object) -> set[str]:
    """Its controller; the API server lets it have one at most."""
    return {ref["uid"] for ref in live["metadata"].get("ownerReferences") or [] if ref.get("controller")}


def _only_a_label(scene: Scene, change: str, live: Object) -> Iterator[str]:
    """Of a pod nothing but its place in rotation, and never a pod more; it ends with what it is of."""
    if scene.kind != "Pod":
        if change == "ADDED" or not live["metadata"].get("deletionTimestamp"):
            yield f"{change} a pod by {scene.landed.write}"
        return
    was, now = ({**one, "metadata": dict(one["metadata"])} for one in (scene.before or live, live))
    labels = [one["metadata"].pop("labels") for one in (was, now)]
    for one in (was, now):
        one["metadata"].pop("resourceVersion")
    changed = {key for key in {*labels[0], *labels[1]} if labels[0].get(key) != labels[1].get(key)}
    if change != "MODIFIED" or was != now or changed - {"penstock.dev/rotation"}:
        yield f"{change} a pod: {changed}"


def _only_status(scene: Scene, live: Object) -> Iterator[str]:
    before = scene.before or {}
    if scene.verb != "update_status" or before.get("spec") != live.get("spec"):
        yield "the operator edited the wish"
    kept = {key: (live["metadata"].get(key), before.get("metadata", {}).get(key)) for key in ("annotations", "labels")}
    if any(now != was for now, was in kept.values()):
        yield f"the operator edited metadata: {kept}"


@law("*")
def nothing_is_done_before_it_is_recorded(scene: Scene) -> Iterator[str]:
    """Each turn that writes anything begins with a status write that the server took, fenced by the version it saw.

    Events are written beside the turns: each speaks of what was recorded at its time or later.
    """
    if scene.kind == "Event":
        for _, live in scene.landed.changes:
            told = read(live["series"]["lastObservedTime"] if "series" in live else live["eventTime"])
            if told > scene.sim.recorded:
                yield f"{scene.landed.write} tells of {told}, recorded last at {scene.sim.recorded}"
    elif scene.verb != "update_status" and not scene.sim.turn.recorded:
        yield f"{scene.landed.write} in a turn that has recorded nothing"


@law("ModelDeployment")
def a_status_speaks_of_the_wish_it_was_made_from(scene: Scene) -> Iterator[str]:
    """The fence: no turn that saw an older spec writes over a newer one."""
    live = scene.sim.live("ModelDeployment", "churn")
    if live and scene.landed.changes and scene.status.get("observedGeneration") != live["metadata"]["generation"]:
        yield f"generation {live['metadata']['generation']}, status of {scene.status.get('observedGeneration')}"
