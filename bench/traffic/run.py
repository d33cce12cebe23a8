"""Plays a case on a real cluster and keeps what came of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.breach.clients import Told, Witnesses
from bench.breach.facts import Record
from bench.breach.failures import failures
from bench.breach.witnesses import GATEWAY, Tape
from bench.traffic.cases import CASES, Wish
from bench.traffic.facts import Case, Window
from examples.demo import setup
from examples.demo.records import OK
from tests.e2e.stories.play import open_house, play
from tests.e2e.stories.scene import House, Scene

FLUSHED = 11.0  # seconds; a proxy keeps lines of its log back for up to ten
SHOWN = 50


@dataclass(frozen=True)
class Bench:
    """A namespace with a gateway of its own, and what that gateway writes down."""

    house: House
    gateway: Tape


@contextmanager
def open_bench(cluster: str) -> Iterator[Bench]:
    """The cluster of that name, brought up as far as it is not, with a namespace and a gateway of our own."""
    place = setup.prepare(cluster)
    log = setup.scratch() / "traffic-gateway.log"
    with open_house(place) as house, Tape(place.kubectl, GATEWAY, log) as gateway:
        yield Bench(house, gateway)


def measure(bench: Bench, name: str, wish: Wish) -> Case:
    """One case, under a name that no run before had, since a gateway remembers names for a while."""
    windows: list[Window] = []
    scenes: list[Scene] = []

    async def told(scene: Scene) -> None:
        scenes.append(scene)
        windows.extend(await CASES[name](scene, wish))

    known = f"{name}-{int(time.time()) % 16**4:04x}"
    outcome = play(bench.house, {known: told})[known]
    crowds = [crowd for scene in scenes for crowd in scene.crowds if isinstance(crowd, Witnesses)]
    asked = [each for crowd in crowds for each in crowd.told]
    return Case(windows, asked, outcome.notes, outcome.trouble, _explained(bench, known, asked))


def _explained(bench: Bench, name: str, asked: list[Told]) -> list[dict[str, object]]:
    """What the gateway wrote of the requests that failed."""
    if all(each.status == OK for each in asked) or all(each.status != OK for each in asked):
        return []
    time.sleep(FLUSHED)
    path = f"/v2/models/{name}/infer"
    lines = [each for each in bench.gateway.lines() if each.get("x-envoy-origin-path") == path]
    logged = tuple(each for each in lines if each.get("response_code") != OK)
    return failures(Record({}, {name: asked}, {}, logged, (), {}))[:SHOWN]
