"""A HorizontalPodAutoscaler as Penstock sets it, pods that start late, a model that slows with load.

The autoscaler is that of the Kubernetes documentation ("algorithm details", "configurable scaling behavior"): every 15
seconds, a tolerance of a tenth, up by the default policies, down as `scaling.hpa.BEHAVIOR` says.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from bench.predictive.curves import STEP, Curve
from penstock.scaling.hpa import BEHAVIOR

START = 90  # seconds until a pod serves
TARGET = 40.0  # requests per second for each replica
KNEE = 50.0  # of which one percent is slow
MOST = 60
DOWN = BEHAVIOR["scaleDown"]
_STABLE = DOWN["stabilizationWindowSeconds"] // STEP
_PART, _PODS = (policy["value"] for policy in DOWN["policies"])
_MINUTE = 60 // STEP


def slow(load: float) -> float:
    """The share that is slow at a load for each ready replica: 1 % at the knee, ten times that a fifth above."""
    return float(min(1.0, 0.01 * (load / KNEE) ** 12.6))


@dataclass
class Totals:
    """Requests, slow ones, and replicas times seconds."""

    requests: float = 0.0
    slow: float = 0.0
    seconds: float = 0.0


@dataclass
class Autoscaler:
    """Replicas of one revision; `target` in requests per second for each."""

    target: float = TARGET
    count: int = 1
    starting: deque[tuple[int, int]] = field(default_factory=deque)  # (serves from this step on, how many)
    wishes: deque[tuple[int, int]] = field(default_factory=deque)  # falling; the first is the highest of five minutes
    counts: deque[int] = field(default_factory=lambda: deque([1], maxlen=_MINUTE))

    def look(self, at: int, seen: float, least: int) -> None:
        """One period: what the metric says, between the bounds."""
        ratio = seen / (self.target * self.count)
        wish = self.count if abs(ratio - 1.0) <= 0.1 else ceil(seen / self.target)
        while self.wishes and self.wishes[0][0] <= at - _STABLE:
            self.wishes.popleft()
        while self.wishes and self.wishes[-1][1] <= wish:
            self.wishes.pop()
        self.wishes.append((at, wish))
        if wish < self.count:
            wish = min(self.count, self.wishes[0][1])
        self._resize(at, min(MOST, max(least, self._limited(wish))))
        self.counts.append(self.count)

    def _limited(self, wish: int) -> int:
        """Up by four pods or twice as many; down by a tenth or one pod of what there was a minute ago."""
        if wish > self.count:
            return min(wish, max(self.count + 4, self.count * 2))
        before = self.counts[0]
        return max(wish, min(self.count, before - _PODS, int(before * (100 - _PART) / 100)))

    def _resize(self, at: int, count: int) -> None:
        more, self.count = count - self.count, count
        if more > 0:
            self.starting.append((at + START // STEP, more))
        while more < 0 and self.starting:  # those that do not serve yet go first
            when, some = self.starting.pop()
            if some + more > 0:
                self.starting.append((when, some + more))
            more = min(0, some + more)

    def ready(self, at: int) -> int:
        """How many serve; one at least."""
        while self.starting and self.starting[0][0] <= at:
            self.starting.popleft()
        return max(1, self.count - sum(some for _, some in self.starting))


def run(arrived: Curve, floors: Sequence[int], scored: int, target: float = TARGET) -> Totals:
    """What an autoscaler with these floors does with this load; counted from the step `scored` on."""
    scaler, totals = Autoscaler(target), Totals()
    load = arrived.tolist()
    for at, now in enumerate(load):
        if at >= 2:  # a number covers the last half minute
            scaler.look(at, (load[at - 1] + load[at - 2]) / 2, floors[at])
        if at >= scored:
            totals.requests += now * STEP
            totals.slow += now * STEP * slow(now / scaler.ready(at))
            totals.seconds += scaler.count * STEP
    return totals
