"""The way in: events and lists into the cache, keys into the queue. No turn before every kind was listed once."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from penstock.model.faults import Rejected, Retry
from penstock.model.kinds import KINDS
from penstock.model.names import LABEL_CONFIG, LABEL_NAME, LABEL_REVISION
from penstock.shell.cache import WATCHED, Cache
from penstock.shell.kube import Kube
from penstock.shell.queue import Queue
from penstock.shell.texts import Key, Object

log = logging.getLogger("penstock.watch")
AUDIT = 1800.0  # seconds between two searches for objects whose deletion no watch has told
LATER = 20  # objects in a chunk once turns are made: none is while it is parsed, and its memory is never given back
MISSING = 60.0  # seconds between two looks for a kind that the cluster does not have yet
KILLED = 137  # exit code of a process that was ended by SIGKILL
ALL = ("ModelRuntime", *WATCHED, "ModelDeployment")


@dataclass
class Watch:
    """What every kind is seen through."""

    kube: Kube
    cache: Cache
    queue: Queue
    namespace: str | None
    kinds: tuple[str, ...] = ALL
    synced: bool = False
    waiting: set[Key] = field(default_factory=set)
    first: set[Key] = field(default_factory=set)  # of these, who has something under way, or was edited meanwhile
    unready: set[Key] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    buried: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # since a list began, by kind
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))  # one list a kind
    begun: dict[str, float] = field(default_factory=dict)  # when the last complete list of a kind began
    versions: dict[str, str] = field(default_factory=dict)  # of lists from which the first watch has yet to begin
    watched: set[str] = field(default_factory=set)
    on_cut: Callable[[], None] = lambda: None

    def see(self, kind: str, event: str | None, live: Object) -> None:
        """One event of one object; None for an object in a list."""
        live["kind"], live["apiVersion"] = kind, KINDS[kind].api_version
        gone = event == "DELETED"
        if gone:
            self.buried[kind].add(live["metadata"]["uid"])
            self.cache.bury(live)
        if kind == "ModelDeployment":
            self._parent(live, gone)
        elif kind == "ModelRuntime":
            self._runtime(live, gone)
        else:
            if kind == "ConfigMap":
                self._config(live, gone)
            if gone and kind == "Pod" and was_cut(live):
                self._cut(live)
            keys = (self.cache.forget_stray(live), (self.cache.forget_child if gone else self.cache.see_child)(live))
            for key in filter(None, keys):
                self._add(key)

    def _cut(self, live: Object) -> None:
        meta = live["metadata"]
        ref = {"namespace": meta["namespace"], "name": meta["labels"][LABEL_NAME]}
        log.warning(
            "a pod had not ended its requests in time and was killed", extra={"k8s_ref": ref, "pod": meta["name"]}
        )
        self.on_cut()

    def _parent(self, live: Object, gone: bool) -> None:
        key = (live["metadata"]["namespace"], live["metadata"]["name"])
        if gone:
            self.cache.forget_parent(key, live["metadata"]["uid"])
        if gone or self.cache.see_parent(live):
            self._add(key)
        if not self.synced and not _is_at_rest(live):
            self.first.add(key)
        (self.unready.discard if gone or _is_ready(live) else self.unready.add)(key)

    def _runtime(self, live: Object, gone: bool) -> None:
        if self.cache.see_runtime(live, gone):
            for key in self.cache.parents:
                self._add(key)

    def _config(self, live: Object, gone: bool) -> None:
        """A user's ConfigMap concerns all that mount it. Before the first lists are complete every key waits anyhow."""
        if self.cache.see_config(live, gone) and self.synced:
            for key in self.cache.mounting((live["metadata"]["namespace"], live["metadata"]["name"])):
                self._add(key)

    def _add(self, key: Key) -> None:
        """Before the first lists are complete keys wait: a half-seen world must not be acted on."""
        if self.synced:
            self.queue.add(key)
        else:
            self.waiting.add(key)

    async def keep(self) -> None:
        """List every kind, let the turns begin, then look for ghosts now and then. Returns only to be started anew."""
        time = asyncio.get_running_loop().time
        await self._list_all(time())
        self.synced, self.kube.page = True, LATER
        for key in sorted(self.waiting | set(self.cache.parents), key=lambda key: key not in self.first):
            self.queue.add(key)
        log.info("synchronised", extra={"objects": len(self.cache.parents), "missing": ", ".join(sorted(self.missing))})
        due, came = time() + AUDIT, False
        while not came:
            lacked = set(self.missing)
            await asyncio.sleep(min(MISSING if lacked else AUDIT, due - time()))
            if time() >= due:
                await self._list_all(time())
                due = time() + AUDIT
            came = not lacked <= self.missing or await self._appeared()
        log.warning("a kind that was missing is there now: starting anew to watch it")

    async def _appeared(self) -> bool:
        """Whether the cluster has a kind now that it lacked: a small request, where to list all would be many.

        Who needs such a kind is not Ready; where all are, nobody asks.
        """
        try:
            return bool(self.missing and self.unready) and bool(await self.kube.served(self.missing))
        except (Retry, Rejected) as fault:
            log.warning("looking for missing kinds will be tried again", extra={"fault": str(fault)})
            return False

    async def look(self, key: Key) -> bool:
        """Read one ModelDeployment's objects anew; True where that shows what no watch has told, or not yet."""
        before = _seen(self.cache, key)
        for kind in sorted({child.kind for child in self.cache.owned(key)}):
            mine = {child.uid for child in self.cache.owned(key) if child.kind == kind}
            alive, _ = await self._list(kind, key[0], f"{selector(kind)},{LABEL_NAME}={key[1]}")
            for uid in mine - alive:
                self._bury(kind, uid)
        return _seen(self.cache, key) != before

    async def _list_all(self, since: float) -> None:
        """Every kind by a list that began since then, be it one that a watch began from."""
        for kind in self.kinds:
            async with self.locks[kind]:
                if self.begun.get(kind, -inf) < since:
                    version = await self._list_whole(kind)
                    if kind not in self.watched:
                        self.versions[kind] = version

    async def list_to_watch(self, kind: str) -> str:
        """The version that a watch of a whole kind goes on from. Every watch but the first lists anew."""
        async with self.locks[kind]:
            self.watched.add(kind)
            return self.versions.pop(kind, None) or await self._list_whole(kind)

    async def _list_whole(self, kind: str) -> str:
        """See all of a kind and forget what is not there; the version. As often as it takes.

        A kind that the cluster does not have is noted.
        """
        began = asyncio.get_running_loop().time()
        self.buried[kind].clear()
        before = self._known(kind)
        alive, version = await self._list_patiently(kind)
        for uid in before - alive:
            self._bury(kind, uid)
        self.begun[kind] = began
        return version

    async def _list_patiently(self, kind: str) -> tuple[set[str], str]:
        while True:
            try:
                found = await self._list(kind, self.namespace if KINDS[kind].namespaced else None, selector(kind))
            except Retry as fault:
                log.warning("listing will be tried again", extra={"kind": kind, "fault": str(fault)})
                await asyncio.sleep(fault.after)
            except Rejected as fault:
                if fault.reason != "ApiKindMissing" or not KINDS[kind].optional:
                    raise
                self.missing.add(kind)
                return set(), ""
            else:
                self.missing.discard(kind)
                return found

    async def _list(self, kind: str, namespace: str | None, chosen: str) -> tuple[set[str], str]:
        """The uids that are there, at which version."""
        alive, version = set[str](), ""
        async for page in self.kube.pages(kind, namespace, chosen):
            if page.version != version:  # begun anew: what was there is not what is there
                alive, version = set(), page.version
            for live in page:
                alive.add(live["metadata"]["uid"])
                if live["metadata"]["uid"] not in self.buried[kind]:  # deleted while this list was under way
                    self._see_listed(kind, live)
            await asyncio.sleep(0)
        return alive, version

    def _see_listed(self, kind: str, live: Object) -> None:
        """Whatever somebody has written into one object, the others are seen; of events kopf says the same."""
        try:
            self.see(kind, None, live)
        except Exception:
            meta = live["metadata"]
            ref = {"kind": kind, "namespace": meta.get("namespace", ""), "name": meta["name"]}
            log.exception("an object that cannot be read", extra={"k8s_ref": ref})

    def _known(self, kind: str) -> set[str]:
        if kind == "ModelDeployment":
            return {self.cache.parents.uid(key) for key in self.cache.parents}
        if kind == "ModelRuntime":
            return {live["metadata"]["uid"] for live in self.cache.runtimes.values()}
        sources = {t.uid for t in self.cache.configs.values()} if kind == "ConfigMap" else set()
        return sources | {c.uid for mine in self.cache.children.values() for c in mine.values() if c.kind == kind}

    def _bury(self, kind: str, uid: str) -> None:
        """Forget an object that no list shows any more."""
        log.warning("found a ghost", extra={"kind": kind, "uid": uid})
        parents = [self.cache.parents[key] for key in self.cache.parents if self.cache.parents.uid(key) == uid]
        for live in [*parents, *self.cache.runtimes.values()]:
            if live["metadata"]["uid"] == uid:
                self.see(kind, "DELETED", live)
                return
        for (namespace, name), tracked in list(self.cache.configs.items()):
            if tracked.uid == uid:
                self._config({"metadata": {"namespace": namespace, "name": name, "uid": uid}}, gone=True)
        for key, mine in list(self.cache.children.items()):
            for where, child in list(mine.items()):
                if child.uid == uid:
                    del mine[where]
                    self._add(key)

    def problems(self) -> list[str]:
        """What a liveness probe should know."""
        late = self.queue.oldest() > 300
        return ["the queue has not moved for five minutes"] if late else []


def _seen(cache: Cache, key: Key) -> dict[str, Any]:
    return {child.uid: (child.fingerprint, child.seen) for child in cache.owned(key)}


def _is_at_rest(live: Object) -> bool:
    """Whether all that was wished is done, by its own status."""
    status = live.get("status") or {}
    seen = status.get("observedGeneration") == live["metadata"].get("generation")
    return bool(seen and not status.get("candidate") and not status.get("leaving"))


def _is_ready(live: Object) -> bool:
    """By its own status."""
    told = (live.get("status") or {}).get("conditions") or []
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in told)


def selector(kind: str) -> str:
    """What of a kind is sent to us: else it would be every pod, Service and ConfigMap of the cluster."""
    if kind == "ConfigMap":  # a kind has one selector: users' and our copies carry this label, our copies both
        return LABEL_CONFIG
    if kind == "EndpointSlice":  # its labels are its Service's; of those that no revision owns nothing is asked
        return LABEL_REVISION
    return LABEL_NAME if kind in WATCHED else ""


def was_cut(pod: Object) -> bool:
    """Whether a pod that was told to go still had to be killed: its server had not ended within the grace period."""
    ended = [
        (c.get("state") or {}).get("terminated") or {} for c in pod.get("status", {}).get("containerStatuses") or []
    ]
    going = pod["metadata"].get("deletionTimestamp") and pod["metadata"].get("deletionGracePeriodSeconds", 0) > 0
    return bool(going) and any(e.get("exitCode") == KILLED and e.get("reason") != "OOMKilled" for e in ended)
