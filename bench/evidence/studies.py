"""The three studies: does Penstock keep its alpha, how do the rules compare, what do they cost at each traffic."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from bench.evidence import ours, rivals
from bench.evidence.histories import Array, History, Traffic, errors, latencies
from bench.evidence.outcomes import outcome, upper_bound

REQUESTS = (2, 10, 50, 200, 1000)  # of the candidate, in each look
COMPARED = (10, 50, 200)
SHARES = (0.95, 0.9, 0.5)  # of all requests, the stable revision's
ALPHAS = ("5%", "1%")
CONFIDENCE = 0.99
BATCH = 1000
Row = dict[str, object]

# Six judgements on four kinds of events. A limit equals the true share: a candidate just as bad as is allowed.
SIX = (
    ("errorRate", 0.01, ("limited", 0.01)),
    ("errorRate", 0.01, ("compared", 1.0)),
    ("slowRate", 0.05, ("limited", 0.05)),
    ("slowRate", 0.05, ("compared", 1.0)),
    ("timeToFirstToken", 0.1, ("compared", 1.0)),
    ("refused", 0.002, ("compared", 1.0)),
)
SETS = {
    "one: compare Stable, tolerance 1.25": (("errorRate", 0.01, ("compared", 1.25)),),
    "one: compare Stable, tolerance 1.0": (("errorRate", 0.01, ("compared", 1.0)),),
    "one: max, at the limit": (("errorRate", 0.01, ("limited", 0.01)),),
    "six: max and compare, all at the limit": SIX,
}


def false_rollbacks(runs: int, draw: np.random.Generator) -> list[Row]:
    """Identical canaries at each traffic level and share, judged at every look, for each set of metrics and alpha."""
    rows: list[Row] = []
    for requests, share in product(REQUESTS, SHARES):
        traffic = Traffic(requests, share)
        rejected = dict.fromkeys(product(SETS, ALPHAS), 0)
        for size in _batches(runs):
            for key, hit in _ever(traffic, size, draw):
                rejected[key] += hit
        for (metrics, alpha), count in rejected.items():
            row: Row = {"requests": requests, "stable_share": share, "metrics": metrics, "alpha": alpha, "runs": runs}
            rows.append(row | {"rejected": count, "rate": count / runs, "bound": upper_bound(count, runs, CONFIDENCE)})
    return rows


def _batches(runs: int) -> Iterator[int]:
    for start in range(0, runs, BATCH):
        yield min(BATCH, runs - start)


def _ever(traffic: Traffic, runs: int, draw: np.random.Generator) -> Iterator[tuple[tuple[str, str], int]]:
    """How many runs each set of metrics ever rejects, at each alpha."""
    kinds = {name: rate for name, rate, _ in SIX}
    histories = {name: errors(traffic, (rate, rate), runs, draw) for name, rate in kinds.items()}
    for name, metrics in SETS.items():
        tops = [_log_odds(histories[kind], rule).max(axis=1) for kind, _, rule in metrics]
        for alpha in ALPHAS:
            limit = math.log(ours.odds_of(alpha, len(metrics)))
            yield (name, alpha), int((np.max(tops, axis=0) >= limit).sum())


def _log_odds(history: History, rule: tuple[str, float]) -> Array:
    name, setting = rule
    return ours.compared(history, setting) if name == "compared" else ours.limited(history, setting)


@dataclass(frozen=True)
class Scenario:
    """A fault. `settings` are what the rules are set to: the threshold of Argo and Flagger, and Penstock's limit."""

    name: str
    draw: Callable[[Traffic, tuple[float, float], int, np.random.Generator], History]
    good: float
    bad: float
    threshold: float
    limit: float
    largest: float | None = None


SCENARIOS = (
    Scenario("errors 1 % -> 5 %", errors, 0.01, 0.05, 0.03, 0.01),
    Scenario("errors 0.1 % -> 1 %", errors, 0.001, 0.01, 0.0055, 0.001),
    Scenario("errors 1 % -> 2 %", errors, 0.01, 0.02, 0.015, 0.01),
    Scenario("latency +20 %", latencies, 0.1, 0.12, 0.1246, 0.0335, largest=0.05),
)
OBJECTIVE = {
    "Argo Rollouts, at most 1 %, failureLimit 0": lambda h: rivals.argo(h, 0.01, 0),
    "Argo Rollouts, at most 1 %, failureLimit 3": lambda h: rivals.argo(h, 0.01, 3),
    "Flagger, at most 1 %, threshold 5": lambda h: rivals.flagger(h, 0.01, 5),
    "Flagger, at most 1 %, threshold 10": lambda h: rivals.flagger(h, 0.01, 10),
}


def rules(scenario: Scenario) -> dict[str, Callable[[History], Array]]:
    """All rules on one scenario, by name; each gives the look at which it rejects."""
    one, two = (math.log(ours.odds_of("5%", n)) for n in (1, 2))

    def both(history: History) -> Array:
        tops = (ours.compared(history, ours.TOLERANCE), ours.limited(history, scenario.limit))
        return ours.first(np.max(tops, axis=0) >= two)

    made: dict[str, Callable[[History], Array]] = {
        "Penstock, compare Stable": lambda h: ours.first(ours.compared(h, ours.TOLERANCE) >= one),
        "Penstock, max": lambda h: ours.first(ours.limited(h, scenario.limit) >= one),
        "Penstock, both": both,
        "Argo Rollouts, failureLimit 0": lambda h: rivals.argo(h, scenario.threshold, 0),
        "Argo Rollouts, failureLimit 3": lambda h: rivals.argo(h, scenario.threshold, 3),
        "Flagger, threshold 5": lambda h: rivals.flagger(h, scenario.threshold, 5),
        "Flagger, threshold 10": lambda h: rivals.flagger(h, scenario.threshold, 10),
        "PipeCD, failureLimit 0": lambda h: rivals.pipecd(h, 0),
        "PipeCD, failureLimit 3": lambda h: rivals.pipecd(h, 3),
        "Kayenta, every 10 minutes": lambda h: rivals.kayenta(h, 10),
        "Kayenta, once at the end": lambda h: rivals.kayenta(h, 60),
    }
    if scenario.largest is not None:
        largest = scenario.largest
        made = {"Penstock, latencyShift": lambda h: ours.shifted(h, largest, one)} | made
    return made


def comparison(runs: int, draw: np.random.Generator) -> list[Row]:
    """Each rule on each scenario at three traffic levels: how many bad and how many identical candidates it rejects."""
    rows: list[Row] = []
    for scenario, requests in product(SCENARIOS, COMPARED):
        traffic = Traffic(requests)
        bad = scenario.draw(traffic, (scenario.bad, scenario.good), runs, draw)
        same = scenario.draw(traffic, (scenario.good, scenario.good), runs, draw)
        for name, rule in rules(scenario).items():
            row: Row = {"scenario": scenario.name, "requests": requests, "rule": name}
            caught, false = outcome(rule(bad), requests), outcome(rule(same), requests)
            rows.append(row | caught | {"false_rollbacks": false["rejected"]})
    return rows


def by_traffic(runs: int, draw: np.random.Generator) -> list[Row]:
    """Identical canaries at 1 % errors: how many each rule rejects within 60 looks, by traffic."""
    rows: list[Row] = []
    for requests in REQUESTS:
        history = errors(Traffic(requests), (0.01, 0.01), runs, draw)
        for name, rule in (rules(SCENARIOS[0]) | OBJECTIVE).items():
            rows.append({"requests": requests, "rule": name} | outcome(rule(history), requests))
    return rows


def shifts_by_traffic(runs: int, draw: np.random.Generator) -> list[Row]:
    """Identical latencies: how often the odds on a shift reach the limit, whatever the index."""
    rows: list[Row] = []
    for requests, share in product((2, 10, 50, 200), (0.9, 0.5)):
        history = latencies(Traffic(requests, share), (0.1, 0.1), runs, draw)
        looks = ours.shifted(history, -math.inf, math.log(20))
        count = int(np.isfinite(looks).sum())
        row: Row = {"requests": requests, "stable_share": share, "runs": runs, "rejected": count, "rate": count / runs}
        rows.append(row | {"bound": upper_bound(count, runs, CONFIDENCE)})
    return rows


def agreement(runs: int, draw: np.random.Generator) -> dict[str, int]:
    """On so many runs, walked with the operator's own functions: in how many any verdict or its look differs."""
    differ = compared = 0
    for requests, ratio in ((2, 1.0), (50, 1.2), (50, 1.0)):
        history = latencies(Traffic(requests), (0.1 * ratio, 0.1), runs, draw)
        limit = math.log(ours.odds_of("5%", 1))
        fast = {
            ("compared", 1.25): ours.first(ours.compared(history, 1.25) >= limit),
            ("limited", 0.0335): ours.first(ours.limited(history, 0.0335) >= limit),
            ("shifted", 0.05): ours.shifted(history, 0.05, limit),
        }
        for rule, looks in fast.items():
            compared += runs
            differ += int(sum(ours.walked(history, run, rule, limit) != looks[run] for run in range(runs)))
    return {"compared": compared, "differ": differ}
