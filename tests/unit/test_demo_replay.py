"""The story's third part, replayed a hundred times without a cluster: an operator on time is never found late.

Clients, scrapes and looks fall as chance has it; the evidence and the adapter are the real ones. So what the findings
ask for can be had, whatever the dice say, and a lost request or a lost look is seen.
"""

import asyncio
import itertools
import random
import re
from dataclasses import dataclass, field, replace
from itertools import count, takewhile
from typing import Any

import pytest

from examples.demo.records import Answer
from examples.demo.rollback import rollback
from examples.demo.sightings import Glance, Rejection
from examples.demo.story import STORY, analysis, manifest
from examples.demo.tale import Chapter, Tale
from examples.demo.verdict import judge
from penstock.api.fields import seconds
from penstock.api.status import VerdictName
from penstock.core import evidence, needs
from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Answer as Reply
from penstock.model.measure import Question
from penstock.model.schedule import LAG, spell
from penstock.model.values import World
from tests.unit.demo_tales import looked
from tests.unit.test_evidence import NOW, world

RATE, SHARE, FAILS, SCRAPE = 50.0, 0.05, 1 / 6, 2.0
FAST = analysis(manifest(STORY[2], fast=True))
BEFORE, LATENCY, WRITE = 10.0, 0.02, 0.1
"""Seconds: of traffic before the route is seen to carry the version, of a request, from a turn's start to its write."""


@dataclass
class Clients:
    """Requests of one story; times are seconds from when the route was seen to give the version its share."""

    dice: random.Random
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phase = self.dice.uniform(0, SCRAPE)
        served = self.dice.uniform(-0.3, 0.3)  # the gateway serves by the route before it says so, or after
        for at in takewhile(lambda at: at < 60.0, (number / RATE - BEFORE for number in count())):
            tried = at >= served and self.dice.random() < SHARE
            failed = tried and self.dice.random() < FAILS
            status, version = (500, "") if failed else (200, "v3" if tried else "v2")
            self.answers.append(Answer(at, LATENCY, status, version, True))

    def samples(self, query: str, until: float) -> list[list[Any]]:
        """What scrapes saw of a version's failures or successes; a series begins with its first event."""
        came = sorted(each.sent + LATENCY for each in self.answers if self._is_meant(each, query))
        scrapes = takewhile(lambda at: at <= until, (self.phase - BEFORE + SCRAPE * n for n in count()))
        counted = [(at, sum(1 for each in came if each <= at)) for at in scrapes]
        return [[NOW.timestamp() + at, str(number)] for at, number in counted if number]

    def _is_meant(self, answer: Answer, query: str) -> bool:
        tried = answer.failed or answer.version == "v3"
        return tried == ("new" in query) and answer.failed == ("5.." in query)


@dataclass
class Recorded(Prometheus):
    """The adapter on what the scrapes of a story saw."""

    clients: Clients = field(default_factory=lambda: Clients(random.Random(0)))
    candidate: str = ""

    async def _query(self, query: tuple[str, float], slots: object, deadline: float) -> tuple[str, list[Any]]:
        text, at = query
        codes = ["5.."] if "5.." in text else ["2..", "5.."]
        revisions = re.findall(r'penstock_dev_revision=~?"([^"]*)"', text)[0].split("|")
        until = at - NOW.timestamp()
        found = []
        for revision, code in itertools.product(revisions, codes):
            which = "new" if revision == self.candidate else "home"
            labels = {"namespace": "ml", "penstock_dev_revision": revision, "pod": which, "code": code}
            found.append({"metric": labels, "values": self.clients.samples(f"{which} {code}", until)})
        return "matrix", [each for each in found if each["values"]]


def replay(seed: int, late: float = 0.0) -> tuple[Tale, Chapter]:
    """One story up to weight 0; `late` seconds are lost between the decision and the write."""
    clients = Clients(random.Random(seed))
    seen = fresh_world()
    assert seen.status.candidate and seen.status.stable
    chapter = Chapter(STORY[2], [5, 25, 50], -BEFORE, FAST)
    tale = Tale(chapters=[chapter], versions={"home": "v2", "new": "v3"}, answers=clients.answers)
    tale.routes = [(-BEFORE, {"home": 100}), (-0.3, {"home": 95, "new": 5})]
    source = Recorded(
        "replayed",
        Http("", None),  # type: ignore[arg-type]
        clients=clients,
        candidate=seen.status.candidate.revision,
    )
    while True:
        due = evidence.next_look(seen)
        assert due
        seen = look(replace(seen, now=due), source)
        at = (seen.now - NOW).total_seconds() + WRITE
        why = verdict(seen)
        if why:
            tale.glances.append((at + late, Glance(stable="v2", rejected=(why,))))
            tale.routes.append((at + late, {"home": 100}))
            tale.answers = [each for each in tale.answers if each.sent < at + late]
            return tale, chapter
        assert seen.status.candidate
        counts = seen.status.candidate.evidence[0].candidate
        tale.glances.append((at, Glance(stable="v2", candidate="v3", evidence=(looked(counts.bad, counts.total),))))


def verdict(seen: World) -> Rejection | None:
    """Why the version is taken off, if a metric failed."""
    assert seen.status.candidate and seen.spec and seen.spec.analysis
    known = [(metric, evidence.known(seen.status.candidate, metric)) for metric in seen.spec.analysis.metrics]
    said = [needs.explain(*each) for each in known if each[1].verdict is VerdictName.FAIL]
    return Rejection("v3", "ErrorRateAboveLimit", said[0]) if said else None


def fresh_world() -> World:
    """The version got its first share just now."""
    wish = {"interval": FAST.interval, "minRequests": FAST.min_requests}
    metrics = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in FAST.metrics[:2]]
    seen = world(*metrics, **wish)
    assert seen.status.candidate
    now = {"exposed_at": spell(NOW), "shifted_at": spell(NOW), "step_started_at": spell(NOW)}
    candidate = seen.status.candidate.model_copy(update=now)
    return replace(seen, status=seen.status.model_copy(update={"candidate": candidate}))


def look(seen: World, source: Recorded) -> World:
    """A turn's asking and adding up."""

    async def ask(due: dict[int, Question]) -> dict[int, Reply]:
        return dict(zip(due, await source.ask(list(due.values())), strict=True))

    asked = replace(seen, answers=asyncio.run(ask(evidence.questions(seen))))
    assert asked.status.candidate
    candidate = evidence.look(asked, asked.status.candidate)
    return replace(seen, status=seen.status.model_copy(update={"candidate": candidate}))


def untrue(tale: Tale) -> list[str]:
    """What the verdict finds wrong with the rollback itself; the rest of the story is not told here."""
    about = ("sufficed", "weighed", "rejected on", "the last failed request")
    return [each.text for each in judge(tale, 1) if not each.true and any(words in each.text for words in about)]


@pytest.mark.parametrize("block", range(4))
def test_an_operator_on_time_is_never_found_late(block: int) -> None:
    for seed in range(25 * block, 25 * (block + 1)):
        tale, chapter = replay(seed)
        assert untrue(tale) == [], seed
        assert rollback(tale, chapter).unweighed <= SCRAPE + LAG.total_seconds() + seconds(FAST.interval) + WRITE, seed


def test_an_operator_that_loses_two_intervals_is_found_late() -> None:
    late = 2 * seconds(FAST.interval) + 1.0
    assert all("weighed" in " ".join(untrue(replay(seed, late)[0])) for seed in range(10))
