"""What an autoscaler is told: the question that answers a live metric of one revision, and one number from the answer.

Pure. A number is never made up: where nothing was heard it is Silence, and the autoscaler holds what there is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.core.measures import filled, measure
from penstock.model.measure import Answer, Arm, Counts, Levels, Question, Silence
from penstock.model.schedule import LAG
from penstock.model.values import Problem, Snapshot, Workload

WINDOW = timedelta(seconds=30)  # long enough for two scrapes, short enough that a spike is not averaged away
SOURCE = "default"


@dataclass(frozen=True)
class Wanted:
    """A live metric of a revision, as the autoscaler names it."""

    namespace: str
    revision: str
    metric: str

    @property
    def owner(self) -> tuple[str, str]:
        """Key of the ModelDeployment, whose name the revision's begins with."""
        return self.namespace, self.revision.rpartition("-")[0]


def followed(scaling: Scaling, name: str) -> ScalingMetric | None:
    """The live metric of this name; None where the spec asks for none. Autoscalers ask in lower case."""
    return next((m for m in scaling.metrics if m.name.lower() == name.lower() and not m.is_resource), None)


def question(wanted: Wanted, metric: ScalingMetric, content: tuple[Snapshot, datetime]) -> Question | Problem:
    """What to ask about the last half minute, given the revision's snapshot and the time."""
    snapshot, now = content
    found = measure(metric, snapshot.profile)
    if isinstance(found, Problem):
        return found
    arm = Arm(wanted.revision, filled(found, wanted.owner, (wanted.revision, snapshot.version)))
    end = now - LAG
    return Question(metric.source or SOURCE, wanted.namespace, arm, None, end - WINDOW, end)


def total(metric: ScalingMetric, answer: Answer, home: Workload) -> float | Silence:
    """The number that the autoscaler divides by its target, or holds against it for a share of requests."""
    match answer:
        case Silence():
            return answer
        case Counts(candidate_bad=bad, candidate_total=seen):
            return bad / seen if seen else Silence(f"no request in the last {WINDOW.seconds} s")
        case Levels(values=values) if values:
            return _guarded(sum(values), metric.wanted, (answer.pods, home))
        case _:
            return Silence("no series says anything")


def _guarded(heard: float, target: float, pods: tuple[int, Workload]) -> float:
    """Pods that said nothing start and stop none: they count 0 where more are wanted, the target where fewer are.

    As a HorizontalPodAutoscaler treats pods without numbers (Kubernetes documentation, "algorithm details").
    """
    said, home = pods
    missing = max(0, home.ready - said) if said else 0
    now = target * home.desired
    if not missing or heard >= now:
        return heard
    return min(now, heard + missing * target)
