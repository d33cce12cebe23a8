"""What scaling.objective asks the metric source about, and what was seen at which load. Pure; nothing is decided here.

The metric source remembers the requests: each look asks about a few spans of time that end now and begin after the last
change, and after the last pod that became ready has warmed up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.api.objective import Objective
from penstock.api.scaling import Scaling, ScalingMetric
from penstock.core.load import SOURCE
from penstock.core.measures import measure
from penstock.model.measure import Answer, Arm, Counts, Levels, Measure, Question
from penstock.model.schedule import LAG, read
from penstock.model.values import Problem, World
from penstock.stats.interval import bounds

SPANS = (timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=10))
WARM = timedelta(minutes=1)  # the first answers of a new pod say nothing of load
ALPHA = 0.05  # chance that one span's interval misses the true share, at any look
UNBOUNDED = "1000000"  # a target that no replica reaches, while there is none
RATE = "requestsPerSecond"


@dataclass(frozen=True)
class Look:
    """Requests of one span of time, and how many there were each second for each replica."""

    span: timedelta
    load: float
    bad: int
    total: int

    @property
    def share(self) -> float:
        """The part of the requests that was slow; 0 of none."""
        return self.bad / self.total if self.total else 0.0

    @property
    def plausible(self) -> tuple[float, float]:
        """Smallest and largest share that these requests allow for."""
        return bounds(self.bad, self.total, ALPHA)


def with_target(scaling: Scaling, per_replica: str | None) -> Scaling:
    """The same with the objective as a metric; without a target there is none that any replica reaches."""
    if not scaling.objective:
        return scaling
    rate = ScalingMetric(name=RATE, target=per_replica or UNBOUNDED, source=scaling.objective.source)
    return scaling.model_copy(update={"metrics": [*scaling.metrics, rate]})


def questions(world: World) -> list[Question]:
    """Requests per second and slow requests of the stable revision in each span; none while there is nothing to ask."""
    found = measures_of(world)
    if not isinstance(found, tuple) or not world.status.stable or not can_look(world):
        return []
    wish, revision, end = wish_of(world), world.status.stable.revision, world.now - LAG
    begin = _begin(world)
    spans = [max(begin, end - span) for span in SPANS]
    arms = [Arm(revision, each) for each in found]
    source = wish.source if wish and wish.source else SOURCE
    return [Question(source, world.namespace, arm, None, start, end) for start in spans if start < end for arm in arms]


def can_look(world: World) -> bool:
    """Whether there is anything to ask: not about a model that sleeps, nor one that shows nothing."""
    home = world.workloads.get(world.status.stable.revision) if world.status.stable else None
    return home is not None and home.ready > 0 and isinstance(measures_of(world), tuple)


def wish_of(world: World) -> Objective | None:
    """The objective; None where there is none."""
    return world.spec.scaling.objective if world.spec else None


def measures_of(world: World) -> tuple[Measure, Measure] | Problem | None:
    """What answers for load and for slowness, or why nothing does; None without an objective or a snapshot."""
    wish, stable = wish_of(world), world.status.stable
    snapshot = world.snapshots.get(stable.revision) if stable else None
    if not wish or not snapshot:
        return None
    load = measure(ScalingMetric(name=RATE, target="1"), snapshot.profile)
    slow = ScalingMetric(name="slowRate", target=wish.slow_rate.max, threshold=wish.slow_rate.threshold)
    late = measure(slow, snapshot.profile)
    if isinstance(load, Problem):
        return load
    return late if isinstance(late, Problem) else (load, late)


def _begin(world: World) -> datetime:
    """From when requests count: the last change, and the last pod that became ready, have had their time to settle."""
    known, stable = world.status.objective, world.status.stable
    times = [pod.since + WARM for pod in world.pods if stable and pod.revision == stable.revision and pod.since]
    if known:
        times.append(read(known.since))
    return max(times, default=world.now - SPANS[-1])


def looks(world: World) -> list[Look]:
    """What was answered, shortest span first; a span that is not even a minute long, or without an answer, is none."""
    asked = questions(world)
    if len(world.weighed) != len(asked):
        return []
    pairs = zip(world.weighed[::2], world.weighed[1::2], strict=True)
    made = (_look(question, pair) for question, pair in zip(asked[::2], pairs, strict=True))
    return [look for look in made if look]


def _look(question: Question, said: tuple[Answer, Answer]) -> Look | None:
    load, slow = said
    span = question.end - question.start
    if span < SPANS[0] or not isinstance(load, Levels) or not load.average or not isinstance(slow, Counts):
        return None
    return Look(span, sum(load.values) / load.average, slow.candidate_bad, slow.candidate_total)
