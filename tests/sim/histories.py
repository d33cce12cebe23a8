"""Thousands of random stories of one ModelDeployment: a small world, a list of timed events, then calm, then the end.

A seed makes a story; the same seed makes the same story. `python -m tests.sim.histories SEED` tells it, `--cut` looks
for a shorter one that breaks the same law, and what it prints may go into regressions.json.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from penstock.model.platform import Platform
from penstock.shell import watch
from tests.fake.clock import run
from tests.sim import laws_of_proof, laws_of_rotation, laws_of_status, laws_of_traffic, sleepers, wishes  # noqa: F401 - they register their laws
from tests.sim.acts import ACTS, change
from tests.sim.ends import FOR_PEOPLE, calm, complaints, ready_of, wait_until_quiet
from tests.sim.gate import carried_by
from tests.sim.laws import Broken, Court
from tests.sim.machine import Nature
from tests.sim.noted import Flapping, Landed
from tests.sim.rough import Rough

REGRESSIONS = Path(__file__).with_name("regressions.json")
MOMENTS = ("now", "now", "now", "before a write", "after a write", "while asking")
GHOSTS = 40.0  # seconds between two looks for objects whose deletion nobody told; half an hour in production
NATURES = {
    "good": Nature(ready_after=2.0),
    "slow": Nature(ready_after=14.0),
    "bad": Nature(ready_after=2.0, error_rate=0.4),
    "never": Nature(ready_after=None),
    "flapping": Flapping(ready_after=3.0, flaps=3),
}


@dataclass(frozen=True)
class Event:
    """Something that happens, at a time, or at the next such moment after it."""

    at: float
    moment: str
    kind: str
    how: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """A story: the natures of the versions, the first wish, what happens, and the last wish."""

    natures: dict[str, str]
    knobs: dict[str, Any]
    events: tuple[Event, ...]
    last: dict[str, Any]
    length: float
    resumes: bool = True  # whether a pause ends with the faults
    trail: float = 0.0  # seconds by which endpoints are later than pods
    scrape: float = 0.0  # seconds between two scrapes of the counters of all requests


@dataclass
class Outcome:
    """How a story ended."""

    complaint: str = ""
    tale: list[str] = field(default_factory=list)
    writes: int = 0
    seconds: float = 0.0
    end: str = "broken"  # the reason of Ready


def draw(seed: int) -> History:
    """The story of a seed."""
    random = Random(f"history {seed}")
    natures = {f"v{n}": random.choice(("good", "good", "bad", "slow", "never", "flapping")) for n in (2, 3, 4)}
    natures["v1"] = random.choice(("good", "good", "good", "slow", "bad", "flapping"))
    length = random.choice((20.0, 60.0, 120.0))
    events = list(_events(random, length))
    last = {"version": random.choice(("v1", "v2", "v2", "v3", "v3", "v4"))} if random.random() < 0.6 else {}
    knobs = wishes.draw(random) | wishes.draw_more(Random(f"metrics {seed}")) | sleepers.draw(seed)
    if knobs.get("sleeps"):
        length += 2 * wishes.IDLE
        events += [Event(at, "now", kind, how) for at, kind, how in sleepers.events(seed, length)]
    events.sort(key=lambda event: event.at)
    return History(natures, knobs, tuple(events), last, length, random.random() < 0.8, *_lags(seed))


def _lags(seed: int) -> tuple[float, float]:
    random = Random(f"lags {seed}")
    return random.choice((0.0, 0.1, 0.1, 1.0, 6.0)), random.choice((0.0, 2.0, 5.0, 15.0))


def _events(random: Random, length: float) -> Iterator[Event]:
    kinds, shares = list(ACTS), [act.share for act in ACTS.values()]
    yield Event(round(random.uniform(0.5, 8.0), 2), "now", "spec", {"version": "v2"})
    at = 0.0
    for _ in range(random.randint(2, 14)):
        # often close to what happened just before: that is where it hurts
        at = at + random.uniform(0.0, 1.5) if random.random() < 0.4 else random.uniform(0.0, length)
        kind = random.choices(kinds, shares)[0]
        yield Event(round(min(at, length), 2), random.choice(MOMENTS), kind, ACTS[kind].draw(random))


def play(history: History, recorded: bool = False) -> Outcome:
    """Tell a story on the virtual clock."""
    watch.AUDIT, before = GHOSTS, watch.AUDIT
    log = logging.getLogger("penstock")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    outcome = Outcome()
    try:
        run(_told(history, outcome, recorded))
    except (Broken, AssertionError) as broken:
        outcome.complaint = outcome.complaint or f"{type(broken).__name__} {broken}"
    finally:
        watch.AUDIT = before
        log.setLevel(level)
    return outcome


async def _told(history: History, outcome: Outcome, recorded: bool) -> None:
    natures = {version: NATURES[name] for version, name in history.natures.items()}
    may_sleep = bool(history.knobs.get("sleeps"))
    sim = Rough(natures, routed=history.knobs["routed"], platform=sleepers.HAS_DOORS if may_sleep else Platform())
    sim.endpoints.lag, sim.scrape = history.trail, history.scrape
    court = Court(sim)
    sim.witness = court.witness
    tale = _Tale(sim, court, outcome.tale if recorded else None)
    begin = sim.time()
    change(sim, dict(history.knobs))
    eyes = asyncio.ensure_future(sleepers.keep(sim)) if may_sleep else None
    for event in history.events:
        await sim.run(begin + event.at - sim.time())
        tale.say(f"-- {event.kind} {event.how} ({event.moment})")
        _happens(sim, event, tale)
    await sim.run(begin + history.length - sim.time())
    tale.say(f"-- calm, last wish {history.last}")
    calm(sim, history.resumes)
    since = sim.time()
    change(sim, history.last)
    outcome.complaint = await wait_until_quiet(sim, court) or next(complaints(sim, court, since), "") or court.pace()
    outcome.writes, outcome.seconds = len(court.writes), sim.time() - begin
    outcome.end = str(ready_of(court.status).get("reason"))
    if not outcome.complaint and ready_of(court.status).get("reason") not in FOR_PEOPLE:
        outcome.complaint = await _stays_quiet(sim, court)
    if eyes:
        eyes.cancel()


async def _stays_quiet(sim: Rough, court: Court) -> str:
    """A new process finds nothing to do."""
    before = len(court.writes)
    sim.downtime = 0.1
    await sim.restart()
    await sim.run(5.0)
    new = sim.kube.writes
    most = 2 if sim.ahead else 0  # a deadline that had passed on a wrong clock has not
    return f"{new} after a restart at the end" if len(court.writes) > before + most else ""


def _happens(sim: Rough, event: Event, tale: "_Tale") -> None:
    def act() -> None:
        ACTS[event.kind].do(sim, event.how)
        tale.say(f"   {event.kind} happens")

    if event.moment == "now":
        act()
    else:
        sim.moments.append((event.moment, act))


class _Tale:
    """The story in words, for people."""

    def __init__(self, sim: Rough, court: Court, lines: list[str] | None) -> None:
        self.sim, self.lines = sim, lines
        self.court = court
        if lines is not None:
            sim.witness = self._witness

    def say(self, line: str) -> None:
        """One line, with its time."""
        if self.lines is not None:
            self.lines.append(f"{self.sim.time() - 1000:8.2f} {line}")

    def _witness(self, landed: Landed) -> None:
        self.say(f"   {' '.join(landed.write)} {_gist(landed)} (knows until {self.sim.turn.known - 1000:.2f})")
        self.court.witness(landed)


def _gist(landed: Landed) -> str:
    live = landed.changes[0][1] if landed.changes else {}
    if live.get("kind") == "ModelDeployment":
        status = live["status"]
        sides = {role: status.get(role) for role in ("stable", "candidate") if status.get(role)}
        gist = " ".join(
            f"{role}={side['version']} {side['weight']}%" + (f" step {side['step']}" if "step" in side else "")
            for role, side in sides.items()
        )
        ready = next(c for c in status["conditions"] if c["type"] == "Ready")
        lists = {k: [o["revision"] for o in status[k]] for k in ("leaving", "rejected") if status.get(k)}
        return f"{gist} {ready['reason']}: {ready['message']} {lists or ''}"
    if live.get("kind") == "HTTPRoute":
        return str(carried_by(live))
    if live.get("kind") == "Service":
        return str(live["spec"]["selector"])
    if live.get("kind") == "Pod":
        return str(live["metadata"]["labels"].get("penstock.dev/rotation"))
    return str(live.get("spec", {}).get("replicas", "")) if landed.changes else "(nothing changed)"


def cut(history: History) -> History:
    """A shorter story that breaks the same law."""
    law = play(history).complaint.split(":")[0]
    shorter = True
    while shorter:
        shorter = False
        for index in range(len(history.events)):
            events = history.events[:index] + history.events[index + 1 :]
            found = replace(history, events=events)
            if play(found).complaint.split(":")[0] == law:
                history, shorter = found, True
                break
    return history


def written(history: History) -> str:
    """A story as it is kept in regressions.json."""
    return json.dumps(asdict(history))


def read(kept: dict[str, Any]) -> History:
    """A story that was kept."""
    return History(**kept | {"events": tuple(Event(**event) for event in kept["events"])})


def first_broken(count: int) -> str:
    """The first of so many stories that breaks a law."""
    for seed in range(count):
        complaint = play(draw(seed)).complaint
        if complaint:
            return f"seed {seed}: {complaint}"
    return ""


def main(arguments: list[str]) -> None:
    """Tell the story of a seed; or `--first COUNT`: look for one that breaks a law."""
    if arguments[0] == "--first":
        print(first_broken(int(arguments[1])))
        return
    history = draw(int(arguments[0]))
    if "--cut" in arguments:
        history = cut(history)
        print(written(history))
    outcome = play(history, recorded=True)
    print(history.natures, history.knobs, *outcome.tale, outcome.complaint or "all is well", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
