"""Plays stories side by side on one cluster, and keeps what came of each."""

import asyncio
import os
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import joblib

from examples.demo import EXAMPLES, models, setup
from examples.demo.load import questions
from examples.demo.setup import PATIENCE, Place
from tests.e2e.stories.scene import NAMESPACE, House, Scene

Story = Callable[[Scene], Awaitable[None]]
TOGETHER = 3  # stories at a time, where the cores have room for them: more begin to starve each other
WANTING = 2.0  # processes that want a core, for each of the cores: with more, pods that start starve those that serve
GLANCE = 5.0  # seconds for which they are counted


@dataclass(frozen=True)
class Outcome:
    """What came of a story."""

    seconds: float
    requests: int
    failed: int
    trouble: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def open_house(place: Place) -> Iterator[House]:
    """A namespace with its gateway and watches; gone in the end."""
    kubectl = place.kubectl
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={PATIENCE}")
    for file in ("namespace.yaml", "gateway.yaml"):
        text = (EXAMPLES / "digits" / file).read_text()
        kubectl.apply(
            text.replace("namespace: digits", f"namespace: {NAMESPACE}").replace("name: digits", f"name: {NAMESPACE}")
        )
    kubectl.run("apply", "-n", NAMESPACE, "-f", str(EXAMPLES / "lock.yaml"))
    kubectl.run("wait", "--for=condition=Programmed", "gateway/models", "-n", NAMESPACE, f"--timeout={PATIENCE}")
    address = kubectl.get("gateway", "models", "-n", NAMESPACE)["status"]["addresses"][0]["value"]
    rows = questions(setup.rows())
    house = House(kubectl, address, place.spell, rows, [rows[n] for n in sane_rows()])
    house.watch()
    try:
        yield house
    finally:
        house.close()
        kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")


def sane_rows() -> list[int]:
    """Numbers of the rows that v3 can handle."""
    model = joblib.load(setup.scratch() / "models" / "v3" / "model.joblib")
    _, ask = models.split()
    found = []
    for number, row in enumerate(ask.pixels):
        try:
            model.predict([row])
        except ValueError:
            continue
        found.append(number)
    return found


def play(house: House, stories: Mapping[str, Story], together: int = TOGETHER) -> dict[str, Outcome]:
    """All stories, some at a time; one that fails does not end the others."""
    return asyncio.run(_play(house, stories, together))


async def _play(house: House, stories: Mapping[str, Story], together: int) -> dict[str, Outcome]:
    seats, door = asyncio.Semaphore(together), asyncio.Lock()
    playing: set[str] = set()

    async def one(name: str, story: Story) -> Outcome:
        async with seats:
            async with door:  # one after the other: the next one counts what this one has begun
                while playing and await _wanting() > WANTING:
                    pass
                playing.add(name)
            try:
                return await tell(Scene(house, name), story)
            finally:
                playing.remove(name)

    told = await asyncio.gather(*(one(name, story) for name, story in stories.items()))
    return dict(zip(stories, told, strict=True))


async def _wanting() -> float:
    """How many processes of this machine run or wait for a core, for each core, on the average of a glance."""
    found: list[int] = []
    for _ in range(round(GLANCE / 0.1)):
        await asyncio.sleep(0.1)
        found.append(_running())
    return sum(found) / len(found) / (os.cpu_count() or 1)


def _running() -> int:
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])


async def tell(scene: Scene, story: Story) -> Outcome:
    """One story; its clients go home and its objects are removed whatever happens."""
    began, trouble = time.time(), ""
    try:
        await story(scene)
    except Exception:  # kept for the test that is named after the story
        trouble = f"{traceback.format_exc()}\nEvents: {scene.reasons()}\nstatus: {scene.status}"
    await scene.quiet()
    await scene.kubectl("delete", "modeldeployment", scene.name, "--ignore-not-found", "--wait=false")
    if scene.gateway == scene.name:
        await scene.kubectl("delete", "gateway", scene.name, "--wait=false")
    answers = scene.answers()
    return Outcome(time.time() - began, len(answers), sum(a.failed for a in answers), trouble, scene.notes)
