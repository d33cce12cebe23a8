"""The operator's own metrics, named as controllers name them, with bounded labels; series go when their object goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.model.values import Plan, World
from penstock.shell.course import Course
from penstock.shell.texts import Key

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Weights(Collector):
    """The shares as they are, in a tuple for each object: as series they would be most of what it takes in memory."""

    def __init__(self) -> None:
        self.of: dict[Key, tuple[int, ...]] = {}  # of the stable revision and of the candidate

    def describe(self) -> list[GaugeMetricFamily]:
        """The family, without series."""
        labels = ("namespace", "name", "role")
        return [GaugeMetricFamily("penstock_weight_percent", "Share that the route gives.", labels=labels)]

    def collect(self) -> Iterator[Metric]:
        """The series, made when somebody asks."""
        (made,) = self.describe()
        for key, weights in self.of.items():
            for role, weight in zip(("stable", "candidate"), weights, strict=True):
                made.add_metric((*key, role), weight)
        yield made


class Telemetry:
    """All metrics of one operator process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.turns = Histogram("penstock_reconcile_seconds", "Seconds that a turn took.", buckets=BUCKETS, registry=r)
        self.bugs = Counter("penstock_reconcile_bugs_total", "Turns that ended in an unexpected error.", registry=r)
        self.depth = Gauge("penstock_queue_depth", "Objects that wait for a turn.", registry=r)
        self.age = Gauge("penstock_queue_oldest_seconds", "Age of the object that waits longest.", registry=r)
        self.requests = Counter(
            "penstock_api_requests_total", "Requests to the Kubernetes API.", ("verb", "kind", "code"), registry=r
        )
        self.routed = Histogram(
            "penstock_decision_to_route_seconds",
            "Seconds from the answers of the metrics to the end of the writes, of turns that changed a route.",
            buckets=BUCKETS,
            registry=r,
        )
        self.queries = Histogram(
            "penstock_metric_query_seconds",
            "Seconds that a metric source took.",
            ("source",),
            buckets=BUCKETS,
            registry=r,
        )
        self.silences = Counter(
            "penstock_metric_silences_total", "Questions that a source did not answer.", ("source",), registry=r
        )
        self.transitions = Counter(
            "penstock_transitions_total", "Transitions of rollouts, by reason.", ("reason",), registry=r
        )
        self.events = Counter(
            "penstock_events_total",
            "Transitions by their Event: new, repeat (one more in a series), dropped (too many), failed.",
            ("outcome",),
            registry=r,
        )
        self.cut = Counter(
            "penstock_pods_cut_total", "Pods that were killed before they had ended their requests.", registry=r
        )
        self.weights = Weights()
        r.register(self.weights)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Time one turn."""
        with self.turns.time():
            yield

    @contextmanager
    def query(self, source: str) -> Iterator[None]:
        """Time one question."""
        begin = time.monotonic()
        yield
        self.queries.labels(source).observe(time.monotonic() - begin)

    def request(self, verb: str, kind: str, code: int, seconds: float) -> None:
        """Count one request to the Kubernetes API."""
        self.requests.labels(verb, kind, str(code)).inc()

    def acted(self, moved: bool, course: Course) -> None:
        """Time a turn that has written a route."""
        if moved:
            self.routed.observe(course.seconds("answered_at", "acted_at"))

    def saw(self, world: World, plan: Plan) -> None:
        """Count what a recorded turn moved."""
        for notice in plan.notices:
            self.transitions.labels(notice.reason.value).inc()
        sides = (plan.status.stable, plan.status.candidate)
        self.weights.of[world.namespace, world.name] = tuple(side.weight if side else 0 for side in sides)

    def forget(self, key: Key) -> None:
        """Drop the series of an object that is gone."""
        self.weights.of.pop(key, None)
