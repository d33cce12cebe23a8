"""The frozen values of one turn: what is seen (World), what is thought (Verdict, Step), what follows (Plan).

No behaviour beyond predicates; no clock: `World.now` is the only time there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import PlannedApproval, PlannedMatch, Status, StepKind, Trying
from penstock.api.traffic import Traffic
from penstock.model.measure import Answer
from penstock.model.platform import Platform
from penstock.model.reasons import Reason
from penstock.model.room import Room

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Something expected that stands in the way, in words for the person who can mend it."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Workload:
    """What a revision's Deployment, pods and Service say.

    `ready` pods can be reached: they are endpoints of the revision's Service too. `pods` are all that say they are.
    """

    desired: int = 0
    ready: int = 0
    trouble: str = ""
    pods: int = 0


@dataclass(frozen=True, slots=True)
class Pod:
    """The few facts of a pod that turns need."""

    name: str
    uid: str
    revision: str
    ready: bool = False
    rotated: bool = False  # whether its label says that it is in rotation
    going: bool = False
    trouble: str = ""
    door: str = ""  # the revision that it is the door of; empty for a model's own pod
    began: datetime | None = None  # when its container started, of a door only
    since: datetime | None = None  # since when it is ready, or is not

    @property
    def serves(self) -> bool:
        """Whether a Service that selects pods in rotation sends it anything."""
        return self.ready and self.rotated and not self.going


@dataclass(frozen=True)
class Config:
    """What a tracked ConfigMap holds, `data` and `binaryData`, and the digest that names this content."""

    digest: str
    size: int
    content: Manifest


@dataclass(frozen=True)
class Snapshot:
    """An immutable revision: its intent, the pod template rendered when it was made, its ConfigMaps' content."""

    version: str
    port: int
    template: Manifest
    profile: Mapping[str, Any]
    number: int = 1
    configs: Mapping[str, Manifest] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """Requests that match any of these go to one revision, whatever the weights say; without a match it is nobody."""

    revision: str = ""
    match: tuple[PlannedMatch, ...] = ()


@dataclass(frozen=True)
class Sticky:
    """Users are drawn once in a rollout: a cookie holds the name of the draw and the weight at which its user moves.

    Without a revision there is a place for the draw and nobody is drawn.
    """

    cookie: str
    draw: str
    marks: tuple[int, ...]  # the weights at which users move, growing; the last is 100
    seconds: int  # how long a browser keeps the cookie
    revision: str = ""  # who gets the users whose mark is reached


@dataclass(frozen=True)
class Shares:
    """Who gets which requests: weights by revision that sum to 100, a cohort, copies in percent for one revision.

    Where the draw is in use, the weights are shares of users.
    """

    weights: Mapping[str, int]
    cohort: Cohort | None = None
    mirror: tuple[str, int] | None = None
    sticky: Sticky | None = None


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """What the route says, whether the gateway has taken it, its complaint; a Service is a route of one weight.

    `parked` says that the route has a place for a cohort to which nobody belongs. While `sticky` has a revision the
    weights are shares of users, not of requests: who asks often weighs more.
    """

    weights: Mapping[str, int]
    programmed: bool
    message: str = ""
    cohort: str = ""
    mirror: tuple[str, int] | None = None
    parked: bool = False
    sticky: Sticky | None = None
    taken_at: datetime | None = None  # when the gateway took a new route; its proxies know it a moment later
    uid: str = ""
    rotating: bool = False  # whether it is a Service that selects the pods in rotation
    settling: float = field(default=2.0, compare=False)  # seconds until then, of which one may be missing in a time
    rules: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # weights of each rule that has a name
    traffic: Traffic | None = field(default=None, compare=False)  # of a route of ours: how clients reach it
    former: bool = False  # another router's, which stands in until the present one's route has weights

    def reaches(self, revision: str) -> bool:
        """True where the revision gets any request, a copy too."""
        return bool(self.weights.get(revision) or self.cohort == revision or (self.mirror or ("",))[0] == revision)


@dataclass(frozen=True, slots=True)
class Following:
    """What a revision's autoscaler says: has it numbers, why not, since when this holds; what it wants, and why.

    `why` changes with every look and so must not count as news.
    """

    active: bool
    message: str = ""
    since: datetime | None = None
    wanted: int = 0
    bounds: tuple[int, int] = (0, 0)
    why: str = field(default="", compare=False)
    disabled: bool = False  # the Deployment has no pods: nothing to follow
    idle: bool = False  # all that counts requests says 0


@dataclass(frozen=True)
class Door:
    """What stands in front of a model that may sleep."""

    up: frozenset[str] = frozenset()  # the revisions for which a pod of it takes requests in
    waiting: bool = False  # whether somebody waits there
    again: datetime | None = None  # when a pod that has just begun will be believed
    before: frozenset[str] = frozenset()  # the Services that lead to it
    behind: int = 0  # the model's pods that it can reach
    fronts: str = ""  # the revision whose Services are to lead to it
    shut: bool = False  # whether its own Service leads to nobody


@dataclass(frozen=True, slots=True)
class Said:
    """What a gateway says of an object that keeps a policy, as it stands with this digest; neither: nothing yet."""

    applied: str
    holds: bool = False
    refused: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Given:
    """What somebody else made and handed over by its label, as long as it is not ours yet."""

    objects: frozenset[tuple[str, str]] = frozenset()
    deployments: Mapping[str, Workload] = field(default_factory=dict)
    scalers: Mapping[str, str] = field(default_factory=dict)  # HorizontalPodAutoscalers, by the Deployment's name
    answering: str = ""  # the Deployment whose ready pods answer under the ModelDeployment's name


@dataclass(frozen=True, slots=True)
class LogSeen:
    """The payload log's policy as it stands: whether the gateway has taken it, what it says against it and its sink."""

    taken: bool = False
    refused: str = ""
    unreached: str = ""
    targets: frozenset[str] = frozenset()  # routes whose requests it is to tell


@dataclass(frozen=True)
class World:
    """All that one turn may know."""

    now: datetime
    namespace: str
    name: str
    uid: str
    generation: int
    spec: Spec | None
    status: Status
    problem: Problem | None = None
    fault: Problem | None = None
    runtime: tuple[str, RuntimeSpec] | None = None
    configs: Mapping[str, Config] = field(default_factory=dict)
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()  # that are not about to end
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    owned: frozenset[tuple[str, str]] = frozenset()
    route: RouteSeen | None = None
    formers: tuple[Traffic, ...] = ()  # how clients reach routes of ours that another router made
    named_elsewhere: frozenset[str] = frozenset()  # what other routes still name, of ours or with our label
    settles_at: datetime | None = None  # until when the route is too new to be believed
    beside: Mapping[str, RouteSeen] = field(default_factory=dict)  # our other routes, by name
    policies: Mapping[tuple[str, str], Said] = field(default_factory=dict)  # by kind and name
    platform: Platform = field(default_factory=Platform)
    given: Given = Given()
    ports: tuple[Manifest, ...] = ()  # of the Service with the ModelDeployment's name
    tied: bool = False  # whether any object of ours would go with the ModelDeployment
    scalers: Mapping[str, Following] = field(default_factory=dict)  # by revision
    rival: str = ""  # somebody else's autoscaler on a Deployment of ours
    answers: Mapping[int, Answer] = field(default_factory=dict)
    asked: frozenset[int] = frozenset()  # those of the answers that were asked for in this very turn
    counted: Answer | None = None  # all requests of candidate and stable, where that was asked for in this very turn
    weighed: tuple[Answer, ...] = ()  # what scaling.objective asked in this very turn
    recalled: tuple[Answer, ...] = ()  # what scaling.predictive asked last
    annotations: Mapping[str, str] = field(default_factory=dict)
    verified: bool = True
    room: Room | None = None
    scaled_elsewhere: frozenset[str] = frozenset()  # revisions that an autoscaler follows which another made of ours
    log: LogSeen = LogSeen()
    door: Door = Door()
    caught_up: bool = False  # whether a look of our own has just shown what no watch had told


class Outcome(Enum):
    """What a check says."""

    PASS = "pass"
    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True)
class Verdict:
    """A check's answer: with a reason, a sentence, and when to look again at the latest."""

    outcome: Outcome
    reason: Reason
    message: str
    again: datetime | None = None


@dataclass(frozen=True)
class Step:
    """One stage of a rollout: its traffic, how many pods it needs, how long it is held, what must hold to leave it."""

    kind: StepKind
    weight: int
    seconds: float
    replicas: int
    checks: tuple[str, ...]
    mirror: int = 0
    match: tuple[PlannedMatch, ...] = ()
    approval: PlannedApproval | None = None


@dataclass(frozen=True)
class Notice:
    """A transition worth telling people, with its evidence."""

    warning: bool
    reason: Reason
    message: str
    revision: str = ""
    by: str = ""


@dataclass(frozen=True)
class Plan:
    """What follows from a World: what to record, what should exist, whom to tell, when to look again.

    `labels` are for pods that exist. `looked` is the candidate as it was judged, with this turn's answers in its
    evidence, before any move; None where none was.
    """

    status: Status
    children: tuple[Manifest, ...] = ()
    labels: tuple[Manifest, ...] = ()
    prune: frozenset[tuple[str, str]] = frozenset()
    notices: tuple[Notice, ...] = ()
    again: datetime | None = None
    looked: Trying | None = None
