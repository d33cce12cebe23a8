"""Plays a case on a real cluster and keeps what came of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.breach.clients import Witnesses
from bench.traffic.cases import CASES, Wish
from bench.traffic.facts import Case, Window
from examples.demo import setup
from tests.e2e.stories.play import open_house, play
from tests.e2e.stories.scene import House, Scene


@contextmanager
def open_bench(cluster: str) -> Iterator[House]:
    """The cluster of that name, brought up as far as it is not, with a namespace and a gateway of our own."""
    with open_house(setup.prepare(cluster)) as house:
        yield house


def measure(house: House, name: str, wish: Wish) -> Case:
    """One case, under a name that no run before had, since a gateway remembers names for a while."""
    windows: list[Window] = []
    scenes: list[Scene] = []

    async def told(scene: Scene) -> None:
        scenes.append(scene)
        windows.extend(await CASES[name](scene, wish))

    known = f"{name}-{int(time.time()) % 16**4:04x}"
    outcome = play(house, {known: told})[known]
    crowds = [crowd for scene in scenes for crowd in scene.crowds if isinstance(crowd, Witnesses)]
    return Case(windows, [each for crowd in crowds for each in crowd.told], outcome.notes, outcome.trouble)
