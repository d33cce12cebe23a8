"""The small cluster in bad weather: processes that die between two writes, pods that flap, a gateway that is late or
refuses, a metric source that is slow or silent, a clock that jumps.

What is true is kept apart from what the operator has heard: `gate` knows what the gateway really did, `ready` what the
pods really were. Nothing here is random; a story decides (`histories.py`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from zlib import crc32

from penstock.model.kinds import KINDS
from penstock.model.measure import Answer, Counts, Histogram, Levels, Query, Question, Ratio, Selector, Shapes, Silence
from tests.sim.gate import Gate, carried_by, values_since
from tests.sim.machine import START, Nature, Object, Sim
from tests.sim.noted import Ear, Landed, Shared, Told, Turn
from tests.sim.wire import RoughKube, Wire, Write

T = TypeVar("T")


@dataclass
class Rough(Sim):
    """A cluster where things go wrong."""

    routed: bool = True  # whether there is a gateway
    downtime: float = 1.0
    silent: str = ""  # "all", "compared" or nothing: which questions get no answer
    thinking: float = 0.0  # seconds that the metric source takes
    scrape: float = 0.0  # seconds between two scrapes of the counters of all requests; 0: they are seen as they are

    def __post_init__(self) -> None:
        self.gate = Gate(self, self.routed)
        self.rolled: dict[str, int] = {}  # uid of a Deployment -> replicas that are being brought about
        self.ready: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.told: list[Told] = []
        self.heard: list[Told] = []  # those whose turn lived to record them
        self.listed: dict[str, list[tuple[float, int]]] = defaultdict(list)  # ready endpoints of its Service
        self.shared: list[Shared] = []  # the same
        self.moments: list[tuple[str, Callable[[], None]]] = []
        self.witness: Callable[[Landed], None] = lambda _: None
        self.versions: dict[str, str] = {}
        self.ear = Ear()
        self.alive = True
        self.turns: list[float] = []
        self.wishes: list[tuple[float, Object]] = []  # every set of knobs, and since when
        self.notes: list[tuple[float, Object]] = []  # annotations of the wish, and since when
        self.owners: list[tuple[float, float, str]] = []  # uids of the wish: born, gone
        self.route_changed = 0.0  # when others last changed the route
        self.jumps: list[float] = []
        self.meddled: list[tuple[float, str]] = []  # when others changed or removed a Service, and which
        self.ahead = 0.0  # how far into the future the operator's clock has been
        self.recorded = START  # when a status landed last, by the clock that was furthest ahead
        self._landing: Landed | None = None
        super().__post_init__()

    # the operator's process

    def start_operator(self) -> None:
        """A fresh process, whose turns are noted."""
        self.wire = Wire(self)
        super().start_operator()
        self.loop.telemetry.bugs = self.ear
        turn = self.loop.turn

        async def noted(key: tuple[str, str]) -> Any:
            if key[1] == "churn":  # beside it others may be named, which are not there
                self.turn = Turn(self.time(), self.wire.known_until())
                self.turns.append(self.turn.began)
            return await turn(key)

        self.loop.turn = noted
        self.alive = True

    def connect(self) -> RoughKube:
        """A client in bad weather."""
        return RoughKube(self)

    def deliver(self, event: str, live: Object) -> None:
        """What the watches tell the operator, some time."""
        if self.alive:
            self.wire.send(event, live)

    async def restart(self) -> None:
        """kill -9, nobody for a while, then a new process."""
        self.alive = False
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.queue.close()
        await asyncio.sleep(self.downtime)
        self.start_operator()

    def landing(self, write: Write, act: Callable[[], T]) -> T:
        """One write of the operator: what others do just before, the write, its witness, what others do just after."""
        self.strike("before a write")
        before = self.live(write[1], write[2])
        self._landing = landed = Landed(write, before, self.gate.now)
        try:
            answer = act()
        finally:
            self._landing = None
        if write[0] == "update_status":
            self.heard += self.turn.told
            self.shared += self.turn.shared
            self.turn.told, self.turn.shared = [], []
            self.recorded = START + timedelta(seconds=self.time() + self.ahead)
        self.witness(landed)
        self.turn.recorded |= write[0] == "update_status"
        self.strike("after a write")
        return answer

    def strike(self, moment: str) -> None:
        """Let happen what waited for this moment, one at a time."""
        for entry in self.moments:
            if entry[0] == moment:
                self.moments.remove(entry)
                entry[1]()
                return

    # what is true

    def time(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    def live(self, kind: str, name: str) -> Object | None:
        """The object itself, to be read only."""
        entry = self.store.entries.get((kind, "ml" if KINDS[kind].namespaced else "", name))
        return entry.live if entry else None

    def all_pods(self) -> list[Object]:
        """Every pod, to be read only."""
        return [entry.live for ref, entry in self.store.entries.items() if ref[0] == "Pod"]

    def version_of(self, revision: str) -> str:
        """The version that a revision serves; its name says what it is, so what was once known stays true."""
        if revision not in self.versions:
            live = self.live("ControllerRevision", revision)
            if not live:
                return ""
            self.versions[revision] = live["data"]["version"]
        return self.versions[revision]

    def was_ready(self, name: str, since: float) -> int:
        """The most pods of a revision that were ready and in its endpoints, each at a time since then.

        The operator hears of the two apart, and of either late.
        """
        return min(max(values_since(log[name], since), default=0) for log in (self.ready, self.listed))

    def always_ready(self, name: str, since: float) -> bool:
        """Whether a revision had ready pods, and endpoints, all the time since then."""
        return all(min(values_since(log[name], since), default=0) > 0 for log in (self.ready, self.listed))

    def wished(self, key: str) -> Any:
        """A knob of the present wish."""
        return self.wishes[-1][1].get(key) if self.wishes else None

    def full_size(self) -> int:
        """Replicas of a revision that carries everything, where nothing scales."""
        return int(self.wished("replicas"))

    def wished_since(self, key: str, since: float) -> list[Any]:
        """All that a knob has been since then."""
        return [knobs.get(key) for knobs in values_since(self.wishes, since)]

    def noted_since(self, action: str, since: float) -> set[str]:
        """All that an annotation has said since then; empty where it was not there."""
        return {notes.get(f"penstock.dev/{action}", "") for notes in values_since(self.notes, since)}

    def uids_since(self, since: float) -> set[str]:
        """Of the wish, as it is or was since then; an owner that goes takes what it owns with it."""
        return {uid for _, gone, uid in self.owners if gone > since}

    def jumped_since(self, since: float) -> bool:
        """Whether the operator's clock has jumped since then."""
        return any(at >= since for at in self.jumps)

    def _log(self, change: str, live: Object) -> None:
        if self._landing:
            self._landing.changes.append((change, live))
        kind, name = live["kind"], live["metadata"]["name"]
        if kind == "Deployment":
            self._log_pods(
                self.ready[name], 0 if change == "DELETED" else live.get("status", {}).get("readyReplicas", 0)
            )
        elif kind == "EndpointSlice":
            self._log_pods(
                self.listed[name.removesuffix("-slice")], 0 if change == "DELETED" else len(live["endpoints"])
            )
        elif kind == "Service" and not self._landing:
            self.meddled.append((self.time(), name))
        elif kind == "ModelDeployment":
            self._log_wish(change, live["metadata"])
        elif (kind, name) == ("HTTPRoute", "churn") and not self._landing:
            asked = self.gate.asked.get(live["metadata"]["generation"])
            if change == "DELETED" or asked != carried_by(live):
                self.route_changed = self.time()

    def _log_pods(self, log: list[tuple[float, int]], now: int) -> None:
        if not log or log[-1][1] != now:
            log.append((self.time(), now))

    def _log_wish(self, change: str, meta: Object) -> None:
        uid, now = meta["uid"], self.time()
        if change == "ADDED":
            self.owners.append((now, 1e12, uid))
        elif change == "DELETED":
            self.owners = [(born, now if one == uid else gone, one) for born, gone, one in self.owners]
        notes = {} if change == "DELETED" else meta.get("annotations") or {}
        if not self.notes or self.notes[-1][1] != notes:
            self.notes.append((now, notes))

    # the other controllers

    def _react(self, change: str, live: Object) -> None:
        kind = live["kind"]
        self._log(change, live)
        if kind in ("HTTPRoute", "Service", "Pod"):
            self.gate.see(change, live)
        if kind == "Deployment" and change != "DELETED":
            self._bring_about(live)
        if kind in ("HorizontalPodAutoscaler", "Deployment") and change != "DELETED":
            asyncio.get_running_loop().call_later(0.1, self.autoscale, live["metadata"]["name"], None)

    def _bring_about(self, live: Object) -> None:
        uid, name, wanted = live["metadata"]["uid"], live["metadata"]["name"], live["spec"].get("replicas", 1)
        if self.rolled.get(uid) == wanted:
            return
        self.rolled[uid] = wanted
        nature = self.natures.get(self.version_of(name), Nature())
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, self._pods, name, uid, min(wanted, live.get("status", {}).get("readyReplicas", 0)))
        if nature.ready_after is None:
            return
        times = [nature.ready_after * (1 + n / 2) for n in range(1 + 2 * getattr(nature, "flaps", 0))]
        for number, delay in enumerate(times):
            loop.call_later(delay, self._pods, name, uid, 0 if number % 2 else wanted)

    def _pods(self, name: str, uid: str, ready: int) -> None:
        live = self.live("Deployment", name)
        if live and live["metadata"]["uid"] == uid:
            self.set_ready(name, min(ready, live["spec"].get("replicas", 1)))

    def strike_pods(self, name: str, seconds: float) -> None:
        """All pods of a revision die; new ones come if that is in its nature."""
        live = self.live("Deployment", name)
        if live:
            self.set_ready(name, 0)
            asyncio.get_running_loop().call_later(seconds, self.recover, name, live["metadata"]["uid"])

    def replace_pods(self, name: str, count: int, seconds: float) -> None:
        """So many pods of a revision are told to end, as when a node is emptied; others come in their place."""
        live = self.live("Deployment", name)
        if live:
            self.pods.replace(name, count)
            self.set_ready(name, max(0, live.get("status", {}).get("readyReplicas", 0) - count))
            asyncio.get_running_loop().call_later(seconds, self.recover, name, live["metadata"]["uid"])

    def recover(self, name: str, uid: str) -> None:
        """Pods come back, if that is in the version's nature."""
        nature = self.natures.get(self.version_of(name), Nature())
        if nature.ready_after is not None:
            self._pods(name, uid, 1000)

    def autoscale(self, name: str, wanted: int | None) -> None:
        """The autoscaler's move: so many pods, or as many as there are, within its bounds."""
        scaler, deployment = self.live("HorizontalPodAutoscaler", name), self.live("Deployment", name)
        if not scaler or not deployment:
            return
        present, bounds = deployment["spec"].get("replicas", 1), scaler["spec"]
        chosen = min(max(wanted or present, bounds.get("minReplicas", 1)), bounds["maxReplicas"])
        if chosen != present:
            ref = ("Deployment", "ml", name)
            self.store.edit(ref, lambda live: live["spec"].update(replicas=chosen), "autoscaler")

    def set_parents(self, parents: list[Object]) -> None:
        """What the gateway's controller says in the route's status."""
        self._status(("HTTPRoute", "ml", "churn"), lambda s: s.update(parents=parents))

    # the metric source

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Requests by what the gateway really did; errors by nature."""
        return list(await asyncio.gather(*map(self._answer, questions)))

    async def _answer(self, question: Question) -> Answer:
        self.strike("while asking")
        await asyncio.sleep(self.thinking or 0.01)
        if self.silent == "all" or (self.silent == "compared" and question.stable):
            return Silence("metric source default does not answer: ClientConnectorError")
        span = [(at - START).total_seconds() for at in (question.start, question.end)]
        arms = [question.candidate.revision, question.stable.revision if question.stable else ""]
        if question.since:
            return self._all(question, span)
        counts = Counts(*(number for arm in arms for number in self._count(arm, span)))
        match question.candidate.measure:
            case Query():
                rate = self.natures.get(self.version_of(arms[0]), Nature()).error_rate
                return Levels((1 - rate,) if counts.candidate_total else ())
            case Histogram():
                return Shapes(("0.1", "+Inf"), (counts.candidate_total, 0), (counts.stable_total, 0))
            case Ratio(total=Selector(name="seconds_count")):  # everything is slow; only dry runs ask
                return Counts(counts.candidate_total, counts.candidate_total)
        told = (self.time(), arms[0], question.stable is not None, counts)
        self.told.append(told)
        self.turn.told.append(told)
        return counts

    def _all(self, question: Question, span: list[float]) -> Counts:
        """All requests of both revisions, by scrapes that were made after the share was confirmed."""
        assert question.since and question.stable
        since = (question.since - START).total_seconds()
        arms = (question.candidate.revision, question.stable.revision)
        mine, home = (self._grown(arm, span, since) for arm in arms)
        counts = Counts(mine, mine, home, home)
        self.turn.shared.append((self.time(), arms[0], since, counts))
        return counts

    def _grown(self, revision: str, span: list[float], since: float) -> int:
        """What a revision's counter grew from the last scrape before the window, or the first one after `since`."""
        begin, end, first = (self._scraped(revision, at) for at in (*span, since))
        begin = max(begin, first + self.scrape)
        return self._count(revision, [begin, max(begin, end)])[1]

    def _scraped(self, revision: str, at: float) -> float:
        """When a revision was last scraped before a time; each has its own moments."""
        if not self.scrape:
            return at
        phase = crc32(revision.encode()) % 97 / 97 * self.scrape
        return (at - phase) // self.scrape * self.scrape + phase

    def _count(self, revision: str, span: list[float]) -> tuple[int, int]:
        """As counters of a server would have grown: bad ones and all."""
        rate = self.natures.get(self.version_of(revision), Nature()).error_rate
        begin, end = (self.gate.requests(revision, at) for at in span)
        return int(end * rate) - int(begin * rate), int(end) - int(begin)
