"""What really happened, in the order in which the API server did it: resourceVersions count on over all kinds.

It watches past the proxy. What the operator knew plays no part here; what is judged is what the cluster was.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from penstock.model.kinds import KINDS
from tests.faults.proxy import LARGEST_LINE, credentials

Object = dict[str, Any]
WATCHED = ("ModelDeployment", "HTTPRoute", "Deployment", "Service", "EndpointSlice", "Pod")


@dataclass(frozen=True)
class Change:
    """One object as it was from a version on."""

    version: int
    event: str
    kind: str
    live: Object

    @property
    def name(self) -> str:
        """Of the object."""
        return str(self.live["metadata"]["name"])


@dataclass
class History:
    """All changes of the watched kinds, by namespace."""

    kubeconfig: Path
    changes: dict[str, list[Change]] = field(default_factory=dict)

    async def keep(self) -> None:
        """Watch until cancelled; a watch that breaks goes on where it was."""
        server, context, headers = credentials(self.kubeconfig)
        options: Any = {"headers": headers, "read_bufsize": LARGEST_LINE, "timeout": ClientTimeout(total=None)}
        async with ClientSession(server, connector=TCPConnector(ssl=context), **options) as session:
            await asyncio.gather(*(self._watch(session, kind) for kind in WATCHED))

    async def _watch(self, session: ClientSession, kind: str) -> None:
        at = KINDS[kind]
        path = f"/apis/{at.group}/{at.version}/{at.plural}" if at.group else f"/api/{at.version}/{at.plural}"
        version = "0"
        while True:
            with suppress(ClientError, OSError):
                query = {"watch": "true", "resourceVersion": version}
                async with session.get(path, params=query) as reply:
                    version = version if reply.ok else "0"
                    reply.raise_for_status()  # a kind that was established just now is not served for a moment
                    async for line in reply.content:
                        told = json.loads(line)
                        if told["type"] == "ERROR":  # too old, after a restart of the server
                            version = "0"
                            break
                        version = told["object"]["metadata"]["resourceVersion"]
                        self._note(told["type"], kind, told["object"])
            await asyncio.sleep(0.2)  # a server that is not there

    def _note(self, event: str, kind: str, live: Object) -> None:
        meta = live["metadata"]
        meta.pop("managedFields", None)
        change = Change(int(meta["resourceVersion"]), event, kind, live)
        self.changes.setdefault(meta["namespace"], []).append(change)

    def of(self, namespace: str) -> list[Change]:
        """The changes of one namespace, in order; what a second watch has told again stands once."""
        once = {(each.version, each.kind, each.name): each for each in self.changes.get(namespace, [])}
        return sorted(once.values(), key=lambda each: each.version)

    def forget(self, namespace: str) -> None:
        """It has been judged."""
        self.changes.pop(namespace, None)


@dataclass
class World:
    """The namespace at one version."""

    seen: dict[tuple[str, str], Object] = field(default_factory=dict)

    def take(self, change: Change) -> Object | None:
        """Let one change happen; the object as it was before."""
        where = (change.kind, change.name)
        before = self.seen.pop(where, None)
        if change.event != "DELETED":
            self.seen[where] = change.live
        return before

    def status(self) -> Object:
        """Of the ModelDeployment."""
        found: Object = self.seen.get(("ModelDeployment", "churn"), {}).get("status") or {}
        return found

    def ready(self, service: str) -> int:
        """Ready endpoints of a Service."""
        slices = [
            live
            for (kind, _), live in self.seen.items()
            if kind == "EndpointSlice" and live["metadata"]["labels"].get("kubernetes.io/service-name") == service
        ]
        return sum(bool(one["conditions"].get("ready")) for each in slices for one in each["endpoints"] or [])

    def weights(self) -> dict[str, int]:
        """Of the route."""
        return weights(self.seen.get(("HTTPRoute", "churn")))


def weights(route: Object | None) -> dict[str, int]:
    """Shares of a route by backend; empty where it carries none."""
    found: dict[str, int] = {}
    for rule in (route or {"spec": {}})["spec"].get("rules") or []:
        for ref in rule.get("backendRefs") or []:
            found[ref["name"]] = max(found.get(ref["name"], 0), ref.get("weight", 1))
    return found


def complaints(changes: list[Change]) -> list[str]:
    """Every law that was broken, with where."""
    world, found = World(), []
    for change in changes:
        before = world.take(change)
        for law in LAWS.get(change.kind, ()):
            found += [f"{law.__name__} at {change.version}: {each}" for each in law(world, change, before)]
    return found


def walked(changes: list[Change], revision: str) -> list[int]:
    """The shares that a revision had one after the other, until it had everything."""
    routes = [
        weights(each.live).get(revision, 0) for each in changes if (each.kind, each.name) == ("HTTPRoute", "churn")
    ]
    return routes[: routes.index(100) + 1] if 100 in routes else routes


def weights_sum_to_100(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """And none is negative."""
    now = weights(change.live)
    if (
        change.name == "churn"
        and change.event != "DELETED"
        and now
        and (sum(now.values()) != 100 or min(now.values()) < 0)
    ):
        yield f"{now}"


def no_weight_rises_on_a_revision_without_pods(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """Never ahead of readiness."""
    if change.name != "churn" or change.event == "DELETED":
        return
    was, now = weights(before), weights(change.live)
    for name, weight in now.items():
        if weight > was.get(name, 0) and not world.ready(name):
            yield f"{name} from {was} to {now} without ready pods"


def what_gets_traffic_is_not_removed(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """Neither deleted nor scaled to nothing while the route gives it requests, unless the whole model goes."""
    gone = change.event == "DELETED" or (change.kind == "Deployment" and change.live["spec"].get("replicas") == 0)
    if gone and world.status() and world.weights().get(change.name):
        yield f"{change.kind} {change.name} has {world.weights()}"


def home_is_not_removed(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """Nor anything of the revision that is recorded as stable."""
    gone = change.event == "DELETED" or (change.kind == "Deployment" and change.live["spec"].get("replicas") == 0)
    if gone and (world.status().get("stable") or {}).get("revision") == change.name:
        yield f"{change.kind} {change.name} is home"


def the_pointer_moves_last(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """Who becomes stable after somebody else has everything already; without a route the Service leads to it."""
    was, now = (((live or {}).get("status") or {}).get("stable") or {} for live in (before, change.live))
    if change.event == "DELETED" or not was or not now or was["revision"] == now["revision"]:
        return
    route = world.weights()
    service = world.seen.get(("Service", "churn"), {"spec": {}})["spec"].get("selector") or {}
    if route and route.get(now["revision"]) != 100:
        yield f"{now['revision']} is stable, the route says {route}"
    if not route and service.get("penstock.dev/revision") != now["revision"]:
        yield f"{now['revision']} is stable, the Service selects {service}"


def the_service_is_never_led_to_nobody(world: World, change: Change, before: Object | None) -> Iterator[str]:
    """Where there is no route: a selector that pods matched is never replaced by one that no ready pod matches."""
    if change.name != "churn" or change.event == "DELETED" or not before:
        return
    was, now = (live["spec"].get("selector") or {} for live in (before, change.live))
    if was != now and _selected(world, was) and not _selected(world, now):
        yield f"from {was} to {now}"


def _selected(world: World, selector: dict[str, str]) -> int:
    pods = [
        live
        for (kind, _), live in world.seen.items()
        if kind == "Pod" and not live["metadata"].get("deletionTimestamp")
    ]
    fits = [one for one in pods if selector.items() <= (one["metadata"].get("labels") or {}).items()]
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", [])) for one in fits
    )


LAWS: dict[str, tuple[Any, ...]] = {
    "HTTPRoute": (weights_sum_to_100, no_weight_rises_on_a_revision_without_pods),
    "Deployment": (what_gets_traffic_is_not_removed, home_is_not_removed),
    "Service": (what_gets_traffic_is_not_removed, home_is_not_removed, the_service_is_never_led_to_nobody),
    "ModelDeployment": (the_pointer_moves_last,),
}
