"""The gateway as it really is: what it was asked, what it has taken over, and the requests that came of it.

A wish without a gateway has a plain Service, which carries all to the revision that it selects, or a part to each pod
in rotation, at once.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

from penstock.routing import rules
from tests.fake.store import Store
from tests.sim.pods import is_in, is_ready

Object = dict[str, Any]
Weights = dict[str, int]
COHORT = 0.1  # share of requests that carry the cohort's mark
PROBING = 5.0  # requests per second that somebody sends to a preview


@dataclass(frozen=True)
class Carried:
    """Who gets which requests."""

    weights: Weights = field(default_factory=dict)
    cohort: str = ""
    mirror: tuple[str, int] = ("", 0)
    users: tuple[str, ...] = ()  # where those go who were drawn: who moved, who stays
    pods: dict[str, tuple[int, int]] = field(default_factory=dict)  # in rotation, and ready, by revision: no gateway

    def part(self, name: str) -> float:
        """Requests that a revision gets, as a part of all that come; copies too."""
        main = 1.0 - COHORT if self.cohort else 1.0
        copied = main * self.mirror[1] / 100 if self.mirror[0] == name else 0.0
        return main * self.weights.get(name, 0) / 100 + (COHORT if self.cohort == name else 0.0) + copied

    def serving(self, name: str) -> int:
        """Its pods in rotation."""
        return self.pods.get(name, (0, 0))[0]

    def answers(self, name: str) -> int:
        """Percent of the requests that a revision answers; any cohort is at least one."""
        return max(self.weights.get(name, 0), int(bool(name) and self.cohort == name))

    def gives(self, name: str, step: Object) -> bool:
        """Whether a revision gets what a planned step says."""
        cohort, mirror = name if step.get("match") else "", step.get("mirror", 0)
        copies = (name, mirror) if mirror else ("", 0)
        if self.pods and 0 < step["weight"] < 100:
            return 0 < self.weights.get(name, 0) < 100 and self.is_near(name, step["weight"])
        return self.weights.get(name, 0) == step["weight"] and (self.cohort, self.mirror) == (cohort, copies)

    def is_near(self, name: str, weight: int) -> bool:
        """Whether no other choice of as many pods or more, one or two of them exchanged, is nearer to the weight.

        To the percent, as status has it: what differs by less is no reason to touch a pod.
        """
        others = [(n, m) for other, (n, m) in self.pods.items() if other != name and n]
        if len(others) != 1:
            return False
        (mine, ready), (home, there) = self.pods[name], others[0]
        changes = [(k, m) for k in (-1, 0, 1) for m in (-1, 0, 1) if k + m >= 0]
        choices = [(mine + k, home + m) for k, m in changes if 1 <= mine + k <= ready and 1 <= home + m <= there]
        offs = [abs(100 * k / (k + m) - weight) for k, m in choices]
        return round(abs(100 * mine / (mine + home) - weight)) <= round(min(offs))


class Place(Protocol):
    """What a gateway needs to know of the cluster."""

    store: Store

    def time(self) -> float:
        """Virtual seconds."""

    def live(self, kind: str, name: str) -> Object | None:
        """An object, to be read only."""

    def all_pods(self) -> list[Object]:
        """Every pod, to be read only."""

    def set_parents(self, parents: list[Object]) -> None:
        """What the controller says in the route's status."""


@dataclass
class Gate:
    """One gateway controller, and the log of what it did."""

    place: Place
    routed: bool = True
    lag: float = 0.3
    dead: bool = False
    refuses: bool = False
    stuck: bool = False  # it says yes and sends requests as before
    rps: float = 100.0
    asked: dict[int, Carried] = field(default_factory=dict)  # by generation of the route
    log: list[tuple[float, Carried, float]] = field(default_factory=list)  # since when, what it says, requests a second
    turned: list[tuple[float, Carried]] = field(default_factory=list)  # since when the rotation would give what
    real: list[tuple[float, Carried, float]] = field(default_factory=list)  # the same of what it does
    previews: list[tuple[float, str]] = field(default_factory=list)
    newest: int = 0  # generation of the route that it has answered

    def see(self, change: str, live: Object) -> None:
        """A route or a Service has changed."""
        kind, name = live["kind"], live["metadata"]["name"]
        gone = change == "DELETED"
        if (kind, name) == ("HTTPRoute", "churn") and gone:
            self.asked.clear()
            self.newest = 0
            self.take(Carried())
        elif (kind, name) == ("Service", "churn") and not self.routed:
            self.take(self.balance())
        elif kind == "Pod":
            if not self.routed:
                self.take(self.balance())
            return
        elif (kind, name) == ("Service", "churn-preview"):
            self.previews.append((self.place.time(), "" if gone else selected(live)))
        if self.routed:
            self.program()

    def balance(self) -> Carried:
        """What the plain Service does, from its own words and its pods'."""
        turning, live = self.turning(), self.place.live("Service", "churn") or {}
        self.turned.append((self.place.time(), turning))
        if not is_rotating(live):
            return Carried({selected(live): 100} if selected(live) else {})
        return turning

    def turning(self) -> Carried:
        """What the pods in rotation would give, whether or not the Service selects them; a door's pods are none."""
        pods = (pod for pod in self.place.all_pods() if "penstock.dev/revision" in pod["metadata"]["labels"])
        alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and is_ready(pod)]
        ready = Counter(pod["metadata"]["labels"]["penstock.dev/revision"] for pod in alive)
        serving = Counter(pod["metadata"]["labels"]["penstock.dev/revision"] for pod in alive if is_in(pod))
        shares = {name: round(100 * count / serving.total()) for name, count in serving.items()}
        return Carried(shares, pods={name: (serving[name], ready[name]) for name in ready})

    def program(self) -> None:
        """The controller has seen the route and will answer, unless it is dead."""
        live = self.place.live("HTTPRoute", "churn")
        if live and not self.dead:
            generation = live["metadata"]["generation"]
            self.asked[generation] = carried_by(live)
            asyncio.get_running_loop().call_later(self.lag, self._accept, generation, live["metadata"]["uid"])

    def heal(self) -> None:
        """It works again, and looks at the route."""
        self.lag, self.dead, self.refuses, self.stuck = 0.3, False, False, False
        self.real.append((self.place.time(), self.now, self.rps))
        self.program()

    def traffic(self, rps: float) -> None:
        """So many requests in a second from now on."""
        self.rps = rps
        self.take(self.now)

    @property
    def now(self) -> Carried:
        """What it says at present."""
        return self.log[-1][1] if self.log else Carried()

    def take(self, carried: Carried) -> None:
        """From now on it says this, and does it unless it is stuck."""
        if not self.log or self.log[-1][1:] != (carried, self.rps):
            self.log.append((self.place.time(), carried, self.rps))
            does = self.real[-1][1] if self.stuck and self.real else carried
            self.real.append((self.place.time(), does, self.rps))

    def _accept(self, generation: int, uid: str) -> None:
        live = self.place.live("HTTPRoute", "churn")
        if not live or live["metadata"]["uid"] != uid or self.dead or generation not in self.asked:
            return
        if generation < self.newest:  # late it may be; no gateway goes back to a route that is no more
            return
        self.newest = generation
        missing = [name for name in backends(live) if not self.place.live("Service", name)]
        verdicts = {"Accepted": not self.refuses, "ResolvedRefs": not missing}
        conditions = [
            {"type": kind, "status": str(good), "observedGeneration": generation, "reason": "Said", "message": "no"}
            for kind, good in verdicts.items()
        ]
        if all(verdicts.values()):
            self.take(self.asked[generation])
        parents = [{"parentRef": {"name": "models"}, "conditions": conditions}]
        if live.get("status", {}).get("parents") != parents:
            self.place.set_parents(parents)

    # what has been

    def carried_since(self, since: float) -> list[Carried]:
        """All that it has done since then."""
        return values_since([(at, carried) for at, carried, _ in self.log], since) or [Carried()]

    def shares(self, name: str, since: float) -> list[int]:
        """The weights that a revision has really had since then."""
        return [carried.weights.get(name, 0) for carried in self.carried_since(since)]

    def turned_since(self, since: float) -> list[Carried]:
        """All that the pods in rotation would have given since then."""
        return values_since(self.turned, since)

    def turns(self, name: str, since: float) -> list[int]:
        """The weights of a revision in that, also in what never was so at one instant: news of one pod may be older."""
        seen = self.turned_since(since)
        mine = [carried.serving(name) for carried in seen]
        others = [sum(map(carried.serving, carried.pods)) - carried.serving(name) for carried in seen]
        numbers = product(*(range(min(each), max(each) + 1) for each in (mine, others) if each))
        mixed = [round(100 * n / (n + m)) for n, m in numbers if n + m] if seen else []
        return [carried.weights.get(name, 0) for carried in seen] + mixed

    def always_answers(self, name: str, since: float) -> bool:
        """Whether requests went to a revision all the time since then."""
        return all(carried.answers(name) for carried in self.carried_since(since))

    def gave(self, name: str, step: Object, since: float) -> bool:
        """Whether a revision got what a step says at a time since then.

        Without a gateway the Service and each pod are heard of apart, and of any of them late.
        """
        carried = self.carried_since(since)
        rotated = [] if self.routed or not any(each.pods for each in carried) else self.turned_since(since)
        mixed = len(rotated) > 1 and any(0 < share < 100 for share in self.turns(name, since))
        return mixed or any(each.gives(name, step) for each in [*carried, *rotated])

    def _spans(self, log: list[tuple[float, Carried, float]]) -> Iterator[tuple[float, Carried, float, float]]:
        """From when, what, requests per second, until when."""
        ends = [*(at for at, _, _ in log[1:]), self.place.time()]
        return ((*one, until) for one, until in zip(log, ends, strict=False))

    def requests(self, name: str, until: float) -> float:
        """All that a revision has been sent until then."""
        sent = sum(
            max(0.0, min(until, end) - at) * rps * what.part(name) for at, what, rps, end in self._spans(self.real)
        )
        ends = [*(at for at, _ in self.previews[1:]), self.place.time()]
        probed = zip(self.previews, ends, strict=False)
        return sent + sum(max(0.0, min(until, end) - at) * PROBING for (at, who), end in probed if who == name)


def selected(service: Object) -> str:
    """The revision that a Service leads to."""
    return str((service.get("spec", {}).get("selector") or {}).get("penstock.dev/revision", ""))


def is_rotating(service: Object) -> bool:
    """Whether a Service leads to the pods in rotation."""
    return (service.get("spec", {}).get("selector") or {}).get("penstock.dev/rotation") == "in"


def carried_by(route: Object | None) -> Carried:
    """What a route asks for, read from its own words."""
    all_rules = [rule for rule in (route["spec"]["rules"] if route else []) if rule]
    told = [rule for rule in all_rules if _asks_for_more(rule) and not _is_for_nobody(rule)]
    main = [rule for rule in all_rules if not _asks_for_more(rule)]
    weights = {ref["name"]: 0 for rule in all_rules[:1] for ref in rule.get("backendRefs", [])}
    for ref in (ref for rule in main for ref in rule.get("backendRefs", [])):
        weights[ref["name"]] = weights.get(ref["name"], 0) + ref.get("weight", 1)
    copies = [each["requestMirror"] for rule in main for each in rule.get("filters", [])]
    cohort = [rule for rule in told if rule not in _of_users(all_rules)]
    return Carried(
        weights,
        cohort=cohort[0]["backendRefs"][0]["name"] if cohort else "",
        mirror=(copies[0]["backendRef"]["name"], copies[0].get("percent", 100)) if copies else ("", 0),
        users=tuple(rule["backendRefs"][0]["name"] for rule in told if rule in _of_users(all_rules)),
    )


def _asks_for_more(rule: Object) -> bool:
    return any("headers" in match or "queryParams" in match for match in rule.get("matches", []))


def _is_for_nobody(rule: Object) -> bool:
    return bool(rule["matches"][0].get("headers") == [rules.NOBODY])


def _of_users(all_rules: list[Object]) -> list[Object]:
    """The rules of those who were drawn: the two before the one that sets cookies."""
    last = next((n for n, rule in enumerate(all_rules) if "filters" in rule["backendRefs"][0]), None)
    return all_rules[last - 2 : last] if last is not None else []


def backends(route: Object | None) -> set[str]:
    """Every Service that a route names."""
    carried = carried_by(route)
    return {*carried.weights, *carried.users, carried.cohort, carried.mirror[0]} - {""}


def values_since(log: list[tuple[float, Any]], since: float) -> list[Any]:
    """The values that held at a time since then: the last before it, and all after it."""
    later = [value for at, value in log if at >= since]
    before = [value for at, value in log if at < since]
    return before[-1:] + later
