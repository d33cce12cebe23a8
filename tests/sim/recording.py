"""Rollouts of the simulator with the log that the operator would have written, and metrics of each kind."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.core.record import LOGGER
from penstock.model.measure import Answer, Counts, Groups, Histogram, Levels, Query, Question, Ratio, Shapes, Silence
from penstock.shell.logs import JsonLines
from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim, model, settled

KINDS: list[Object] = [
    {"name": "errorRate", "max": "2%"},
    {"name": "errorRate", "compare": "Stable"},
    {"name": "refused", "ratio": {"bad": {"name": "refused"}, "total": {"name": "all"}}, "max": "5%"},
    {
        "name": "fairness",
        "ratio": {"bad": {"name": "refused"}, "total": {"name": "all"}, "by": "age"},
        "maxDisparity": "1.5",
    },
    {"name": "scores", "shift": {"histogram": {"name": "score"}}, "max": "0.2"},
    {"name": "accuracy", "value": {"query": 'min(accuracy{token="hunter2"})'}, "min": "0.92", "failureBudget": 1},
    {"name": "requestsPerSecond", "min": "0.1", "dryRun": True},
]


@contextmanager
def recorded() -> Iterator[io.StringIO]:
    """What the loggers of the operator write meanwhile."""
    stream, log = io.StringIO(), logging.getLogger("penstock")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    before = (log.level, logging.getLogger(LOGGER).level)
    log.addHandler(handler)
    log.setLevel("INFO")
    yield stream
    log.removeHandler(handler)
    log.setLevel(before[0])


def record(nature: Nature, seconds: float = 300, **story: Any) -> str:
    """The log of v2's rollout, which takes this long; `metrics` answers, `analysis` judges, `edit` comes after 45 s."""

    async def told() -> None:
        sim = await settled({"v2": nature})
        sim.metrics = story.get("metrics")
        spec = {"analysis": story["analysis"]} if "analysis" in story else {}
        sim.apply(model("v2", **spec))
        await sim.run(45)
        if "edit" in story:
            sim.apply(model("v2", analysis=story["edit"]))
        await sim.run(seconds - 45)

    with recorded() as stream:
        run(told())
    return stream.getvalue()


def each_kind(sim: Sim, question: Question) -> Answer:
    """An answer of the right kind, by the requests that really come."""
    measure = question.candidate.measure
    counts = sim.count(question)
    assert isinstance(counts, Counts)
    total, home = counts.candidate_total, counts.stable_total
    if isinstance(measure, Ratio):
        third = total // 3
        return Groups({"young": (0, third), "old": (counts.candidate_bad, total - third)}) if measure.by else counts
    if isinstance(measure, Histogram):
        return Shapes(("0.5", "+Inf"), (total // 2, total - total // 2), (home // 2, home - home // 2))
    return Levels((0.95, 0.97)) if isinstance(measure, Query) else Levels((total / 10,))


def silent_at(first: int, last: int) -> Any:
    """A source that is silent from one question to another, and counts before and after."""
    asked: list[Question] = []

    def answer(sim: Sim, question: Question) -> Answer:
        asked.append(question)
        return Silence("metric source default timed out") if first <= len(asked) <= last else sim.count(question)

    return answer


def analysis(*metrics: Object, **more: Any) -> Object:
    """Judged by these."""
    return {"interval": "10s", "minRequests": 30, "metrics": list(metrics)} | more
