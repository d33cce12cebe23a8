"""Each curve under each way of scaling. The forecasts are made by `penstock.core.forecast` itself."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

import numpy as np

from bench.predictive.autoscaler import KNEE, START, TARGET, Totals, run
from bench.predictive.curves import DAY, STEP, Curve
from penstock.api.fields import seconds
from penstock.api.predictive import Forecast
from penstock.api.scaling import Scaling
from penstock.api.spec import Spec
from penstock.api.status import Serving, Status
from penstock.core import forecast
from penstock.model.measure import Answer, Levels
from penstock.model.values import Snapshot, World

HISTORY = 28 * DAY  # steps that nothing is counted of: the past of the first forecasts
EVERY = int(forecast.EVERY.total_seconds()) // STEP
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
Row = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A way of scaling: with a forecast, or with a target that leaves room."""

    name: str
    predictive: dict[str, Any] | None = None
    target: float = TARGET


REACTS = "reacts only"
KNOWS = "knows the future"
WAYS = (
    Way(REACTS),
    Way("`predictive: {}`", {}),
    Way("`{quantile: 50%}`", {"quantile": "50%"}),
    Way("`{quantile: 100%}`", {"quantile": "100%"}),
    Way("`{lead: 2m}`", {"lead": "2m"}),
    Way("`{season: Day, history: 7}`", {"season": "Day", "history": 7}),
    Way("reacts only, target 36", target=36.0),
    Way("reacts only, target 32", target=32.0),
    Way("reacts only, target 25", target=25.0),
)


def judge(name: str, curve: Curve, luck: np.random.Generator) -> list[Row]:
    """Requests over the objective and replica-hours of each way, and of one who knows the future."""
    arrived = luck.poisson(curve * STEP) / STEP
    rows = []
    for way in WAYS:
        floors = floors_of(arrived, way.predictive) if way.predictive is not None else [1] * len(arrived)
        rows.append(_row(name, way.name, run(arrived, floors, HISTORY, way.target)))
    return [*rows, _row(name, KNOWS, run(arrived, _known(arrived), HISTORY))]


def _row(curve: str, way: str, totals: Totals) -> Row:
    share = totals.slow / totals.requests
    return {"curve": curve, "way": way, "slow": round(share, 7), "hours": round(totals.seconds / 3600)}


def floors_of(arrived: Curve, wish: dict[str, Any]) -> list[int]:
    """The fewest replicas at each step that `scaling.predictive` asks for, looked at every five minutes."""
    world = _world(wish)
    assert world.spec and world.spec.scaling.predictive
    past = world.spec.scaling.predictive
    season = int(forecast.LENGTH[past.season].total_seconds()) // STEP
    soon = _highest(arrived, int(seconds(past.lead)) // STEP + EVERY)
    known: Forecast | None = None
    floors = []
    for at in range(0, len(arrived), EVERY):
        before = [at - season * number for number in range(1, past.history + 1)]
        answers: tuple[Answer, ...] = tuple(Levels((float(soon[b]),) if b >= 0 else ()) for b in before)
        status = world.status.model_copy(update={"forecast": known})
        known = forecast.expect(replace(world, recalled=answers, status=status))
        floors += [max(1, known.replicas if known else 0)] * EVERY
    return floors[: len(arrived)]


def _highest(arrived: Curve, ahead: int) -> Curve:
    """As the query says: the mean of the next five minutes, its highest value each minute until `ahead` steps later."""
    sums = np.concatenate([[0.0], np.cumsum(arrived)])
    begins = np.arange(len(arrived))
    ends = np.minimum(len(arrived), begins + int(forecast.SMOOTH.total_seconds()) // STEP)
    means = (sums[ends] - sums[begins]) / np.maximum(1, ends - begins)
    highest: Curve = np.max([_later(means, by) for by in range(0, ahead + 1, 60 // STEP)], axis=0)
    return highest


def _later(values: Curve, by: int) -> Curve:
    return np.concatenate([values[by:], np.full(by, values[-1])])


def _known(arrived: Curve) -> list[int]:
    """What the load of the next two minutes needs, at a load that is just good enough."""
    highest = np.max([_later(arrived, by) for by in range(START // STEP + 2)], axis=0)
    return [max(1, ceil(load / (KNEE * 0.9))) for load in highest]


def _world(wish: dict[str, Any]) -> World:
    metric = {"name": "requestsPerSecond", "target": int(TARGET)}
    scaling = Scaling.model_validate({"maxReplicas": 60, "metrics": [metric], "predictive": wish})
    spec = Spec.model_validate({"model": {"version": "1", "format": "sklearn"}}).model_copy(update={"scaling": scaling})
    snapshot = Snapshot("1", 8080, {}, {"requests": {"name": "requests_total"}})
    status = Status(stable=Serving(revision="churn-1", version="1", weight=100))
    return World(BEGIN, "ml", "churn", "uid", 1, spec, status, snapshots={"churn-1": snapshot})
