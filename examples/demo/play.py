"""Tells the story on a cluster that is ready: applies a file, watches until the version has come to rest, goes on.

Everything it does to the cluster is `kubectl apply`; everything it knows comes from watches and the client's records.
"""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from examples.demo import ROOT, DemoError, narrate
from examples.demo.records import Tail, between
from examples.demo.screen import Screen, clock
from examples.demo.setup import Place
from examples.demo.sightings import decision, glance, route_weights
from examples.demo.story import Part, analysis, manifest, settled, steps
from examples.demo.tale import Chapter, Tale
from examples.demo.watch import EVENT, MODEL, ROUTE, Sighting, Watches

TICK = 0.25
FRAME = 0.5
TRAFFIC_EVERY = 10.0
PATIENCE = 300.0
"""Seconds after which a part that has not come to rest is given up."""
CALM = 5.0
"""Seconds of traffic after a part has come to rest, so that a late failure is still charged to it."""


@dataclass(frozen=True)
class Stage:
    """Where the story is told."""

    place: Place
    url: str
    rows: Path
    records: Path
    rate: float
    fast: bool


class Play:
    """One telling of the story."""

    def __init__(self, stage: Stage, watches: Watches, screen: Screen) -> None:
        self._stage = stage
        self._watches = watches
        self._screen = screen
        self._tail = Tail(stage.records)
        self._load: subprocess.Popen[bytes] | None = None
        self._told = 0.0
        self._drawn = 0.0
        self.tale = Tale()

    def tell(self, parts: tuple[Part, ...]) -> Tale:
        """All parts in turn; a part that does not come to rest is the last."""
        try:
            for part in parts:
                if not self._tell(part, len(parts)):
                    break
        finally:
            self._stop_load()
        return self.tale

    def _tell(self, part: Part, total: int) -> bool:
        wish = self._stage.place.spell(manifest(part, self._stage.fast))
        now = time.time()
        if self.tale.chapters:
            self.tale.chapters[-1].ended = now
        chapter = Chapter(part, steps(wish), now, analysis(wish))
        self.tale.chapters.append(chapter)
        self._say(now, narrate.opening(chapter, total))
        self._stage.place.kubectl.apply(wish)
        self._follow(chapter, chapter.started + PATIENCE)
        if chapter.settled:
            self._start_load()
            self._linger(time.time() + CALM)
        return chapter.settled is not None

    def _follow(self, chapter: Chapter, limit: float) -> None:
        while not chapter.settled and time.time() < limit:
            self._look()
            seen_since = self.tale.glances and self.tale.glances[-1][0] >= chapter.started
            if seen_since and settled(chapter.part, self.tale.now):
                chapter.settled = self.tale.glances[-1][0]

    def _linger(self, until: float) -> None:
        while time.time() < until:
            self._look()

    def _look(self) -> None:
        """Takes in what has happened, at most a tick's worth of waiting, and draws."""
        sighting = self._watches.next(TICK)
        if sighting:
            self._take(sighting)
        self.tale.answers.extend(self._tail.read())
        now = time.time()
        if self._load and self._load.poll() is not None:
            raise DemoError(f"the load client ended by itself with status {self._load.returncode}")
        if self._load and now - self._told >= TRAFFIC_EVERY:
            self._say(now, [narrate.traffic(between(self.tale.answers, self._told, now), now - self._told)])
            self._told = now
        if now - self._drawn >= FRAME:
            self._screen.draw(self.tale, now)
            self._drawn = now

    def _take(self, sighting: Sighting) -> None:
        tale, at, seen = self.tale, sighting.at, sighting.seen
        if sighting.kind == MODEL:
            before = tale.now
            tale.saw(at, glance(seen))
            self._say(at, narrate.object_changed(before, tale.now))
        elif sighting.kind == ROUTE:
            known = len(tale.weights())
            tale.routes.append((at, route_weights(seen)))
            self._say(at, [narrate.route_changed(weights) for _, weights in tale.weights()[known:]])
        elif sighting.kind == EVENT and (said := decision(seen)):
            tale.decisions.append((at, said))
            self._say(at, [narrate.decided(said)])

    def _say(self, at: float, texts: list[str]) -> None:
        self._screen.tell(f"{clock(at - self.tale.chapters[0].started)}  {text}" for text in texts)

    def _start_load(self) -> None:
        if self._load:
            return
        stage = self._stage
        wish = ["--url", stage.url, "--rate", str(stage.rate), "--rows", str(stage.rows), "--out", str(stage.records)]
        self._load = subprocess.Popen([sys.executable, "-m", "examples.demo.load", *wish], cwd=ROOT)
        self._told = time.time()

    def _stop_load(self) -> None:
        """Lets the last answers come in; whatever is still missing then is a failed request in the records."""
        if not self._load:
            return
        self._load.send_signal(signal.SIGTERM)
        self._load.wait()
        self.tale.answers.extend(self._tail.read())
