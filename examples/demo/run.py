"""One run of the demonstration, for the command line and for the e2e test alike: prepare, tell, judge, clear up."""

import time
from dataclasses import dataclass
from pathlib import Path

from examples.demo import picture, setup
from examples.demo.play import Play, Stage
from examples.demo.report import report
from examples.demo.screen import Screen
from examples.demo.setup import Place
from examples.demo.story import STORY, Ending
from examples.demo.tale import Tale
from examples.demo.verdict import Finding, judge
from examples.demo.watch import Watches


@dataclass(frozen=True)
class Wish:
    """What a person asked for."""

    cluster: str
    fast: bool = False
    rate: float = 50.0
    record: Path | None = None
    picture: Path | None = None
    keep: bool = False


@dataclass(frozen=True)
class Run:
    """What came of it."""

    tale: Tale
    findings: list[Finding]
    prepared: float
    told: float


def run(wish: Wish) -> Run:
    """The whole demonstration; raises DemoError where a person has to mend something."""
    began = time.monotonic()
    place = setup.prepare(wish.cluster)
    url = setup.open_gateway(place.kubectl)
    ready = time.monotonic()
    screen = Screen(copy=wish.record)
    end: list[str] = []
    try:
        tale = _tell(wish, place, url, screen)
        done = Run(tale, judge(tale, len(STORY)), ready - began, time.monotonic() - ready)
        end = [*report(tale, done.findings), "", f"{done.prepared:.0f} s to prepare, {done.told:.0f} s to tell"]
    finally:
        screen.close(end)
    _draw(wish, tale)
    if not wish.keep:
        setup.clear(place.kubectl)
    return done


def _tell(wish: Wish, place: Place, url: str, screen: Screen) -> Tale:
    records = setup.scratch() / "records.jsonl"
    records.unlink(missing_ok=True)
    stage = Stage(place, url, setup.rows(), records, wish.rate, wish.fast)
    with Watches(place.kubectl) as watches:
        return Play(stage, watches, screen).tell(STORY)


def _draw(wish: Wish, tale: Tale) -> None:
    bad = [each for each in tale.chapters if each.part.ending is Ending.REJECTED and each.part.takes_traffic]
    if wish.picture and bad:
        wish.picture.write_text(picture.draw(tale, bad[0]))
