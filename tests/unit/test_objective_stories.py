"""What is learned for an objective on a model that slows with load: pods start late and cold, an autoscaler follows."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from penstock.api.objective import Learned, Obstacle
from penstock.core import objective
from penstock.core.load_looks import UNBOUNDED, questions
from penstock.model.measure import Answer, Counts, Levels
from penstock.model.schedule import spell
from penstock.model.values import Following, Pod, Workload
from tests.unit.test_objective import learned, world
from tests.unit.worlds import NOW, V1

STEP = 10.0  # seconds
START = 90.0  # until a new pod is ready
COLD = 50.0  # for which it then answers slowly


@dataclass
class Story:
    """A model of which more requests are slow the more there are; pods start and are cold; an autoscaler follows."""

    load: Callable[[float], float]  # requests per second of all, at a time
    slow: Callable[[float], float]  # share that is slow at a load for each replica
    most: int = 40
    luck: random.Random = field(default_factory=lambda: random.Random(7))
    ready: list[float] = field(default_factory=lambda: [-3600.0])  # since when each pod is ready, or will be
    past: list[tuple[float, int, int, int]] = field(default_factory=list)  # at, bad, total, pods
    known: Learned | None = None
    writes: int = 0
    sizes: list[int] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    wants: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base = world(most=self.most)

    def run(self, seconds: float) -> "Story":
        for step in range(int(seconds / STEP)):
            at = step * STEP
            self._serve(at)
            if step % 3 == 2:
                self._look(at)
            if step % 2:
                self._scale(at)
        return self

    def _serve(self, at: float) -> None:
        there = [since for since in self.ready if since <= at]
        total, bad = round(self.load(at) * STEP), 0
        each = self.load(at) / len(there)
        for since in there:
            share = 0.5 if at - since < COLD and since > 0 else self.slow(each)
            mine = total / len(there)
            bad += round(max(0.0, min(mine, self.luck.gauss(mine * share, (mine * share * (1 - share)) ** 0.5))))
        self.past.append((at, bad, total, len(there)))

    def _look(self, at: float) -> None:
        now = NOW + timedelta(seconds=at)
        pods = tuple(
            Pod(f"{i}", f"{i}", V1, ready=True, since=NOW + timedelta(seconds=since))
            for i, since in enumerate(self.ready)
            if since <= at
        )
        status = self.base.status.model_copy(update={"objective": self.known})
        told = Following(active=True, wanted=len(self.ready), bounds=(1, self.most))
        seen = {"status": status, "workloads": {V1: Workload(len(self.ready), len(pods))}, "scalers": {V1: told}}
        found = replace(self.base, now=now, pods=pods, **seen)
        answers: list[Answer] = []
        for question in questions(found)[::2]:
            answers += self._answers(question.start, question.end)
        before, self.known = self.known, objective.learn(replace(found, weighed=tuple(answers)))
        self.writes += self.known != before
        self.targets += [float(self.known.per_replica)] if self.known else []

    def _answers(self, start: datetime, end: datetime) -> list[Answer]:
        begin, last = (start - NOW).total_seconds(), (end - NOW).total_seconds()
        inside = [p for p in self.past[-65:] if begin <= p[0] <= last]
        if not inside:
            return [Levels(()), Counts(0, 0)]
        pods = inside[-1][3]
        rate = sum(p[2] / p[3] for p in inside) / STEP / len(inside)
        return [Levels((rate * pods,), average=pods), Counts(sum(p[1] for p in inside), sum(p[2] for p in inside))]

    def _scale(self, at: float) -> None:
        """As a HorizontalPodAutoscaler: a tolerance of a tenth, up at once, down when five minutes agree."""
        target = float(self.known.per_replica) if self.known else float(UNBOUNDED)
        now = len(self.ready)
        ratio = self.load(at) / (target * now)
        wish = now if abs(ratio - 1) <= 0.1 else min(self.most, max(1, ceil(self.load(at) / target)))
        self.wants = [(when, want) for when, want in self.wants if when > at - 300] + [(at, wish)]
        wish = wish if wish > now else min(now, max(want for _, want in self.wants))
        self.ready = self.ready[:wish] + [at + START] * max(0, wish - now)
        self.sizes.append(wish)

    def share(self, since: float) -> float:
        """The part of all requests since then that was slow."""
        late = [p for p in self.past if p[0] >= since]
        return sum(p[1] for p in late) / sum(p[2] for p in late)


def knee(at: float) -> Callable[[float], float]:
    """1 % is slow at this load, and ten times as many at a fifth more."""
    return lambda load: min(0.9, 0.01 * (load / at) ** 12.6)


def test_a_steady_load_ends_just_below_the_load_that_is_too_much() -> None:
    story = Story(load=lambda _: 400.0, slow=knee(50)).run(3 * 3600)
    assert story.known and 35 <= float(story.known.per_replica) <= 50
    assert story.share(3600) <= 0.01
    assert 8 <= story.sizes[-1] <= 12, "fifty each would be eight"
    assert story.writes <= 15


def test_a_day_with_a_peak_is_carried_with_few_writes() -> None:
    def day(at: float) -> float:
        hour = at / 3600 % 24
        return 40 + 360 * max(0.0, 1 - abs(hour - 12) / 6)

    story = Story(load=day, slow=knee(50)).run(2 * 86_400)
    assert story.share(86_400) <= 0.01
    assert max(story.sizes[len(story.sizes) // 2 :]) <= 12
    assert story.writes <= 40


def test_cold_pods_never_lower_it() -> None:
    story = Story(load=lambda at: 40 + at / 10, slow=knee(1000))
    story.known = learned("40").model_copy(update={"since": spell(NOW - timedelta(hours=2))})
    story.run(2 * 3600)
    assert max(story.sizes) >= 5 and story.targets == sorted(story.targets)


def test_a_model_that_is_slow_at_any_load_does_not_get_all_replicas_for_ever() -> None:
    story = Story(load=lambda _: 100.0, slow=lambda _: 0.03).run(5 * 3600)
    assert story.known and story.known.obstacle is Obstacle.MORE_DO_NOT_HELP
    assert max(story.sizes) <= 4 and story.sizes[-1] <= 2
    assert story.writes <= 6
