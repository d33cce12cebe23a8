"""Metric + the runtime's metric profile -> what to measure, or the problem that a person must mend. Pure.

What a built-in name means is a row of a table here; what it means for a server is in that server's ModelRuntime.
"""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.api.analysis import Metric
from penstock.api.fields import seconds
from penstock.api.scaling import ScalingMetric
from penstock.model.measure import Gauge, Histogram, Measure, Query, Rate, Ratio, Selector
from penstock.model.reasons import Reason
from penstock.model.values import Problem

Profile = Mapping[str, Any]
Asked = Metric | ScalingMetric
TOLERANCE = 1.25
UNITS = {"Seconds": 1.0, "Milliseconds": 1e-3, "Microseconds": 1e-6}
# How far a bound may lie from the threshold, as a part of it. Bounds that grow by a factor (TensorFlow Serving:
# 393.464 ms) are no whole milliseconds, and a threshold cannot be anything else.
NEAR = 0.01


def title(metric: Metric) -> str:
    """The judgement in words; also what ties a metric to its evidence."""
    name = f"{metric.name} over {metric.threshold}" if metric.threshold else metric.name
    if metric.compare:
        return f"{name} vs stable, tolerance {metric.tolerance or TOLERANCE}"
    if metric.max_disparity:
        by = metric.ratio.by if metric.ratio else ""
        return f"{name} of each {by} vs the others, at most {metric.max_disparity} times"
    bounds = [f"at least {metric.min}"] if metric.min is not None else []
    bounds += [f"at most {metric.max}"] if metric.max is not None else []
    return f"{name} {' and '.join(bounds)}"


def measure(metric: Asked, profile: Profile) -> Measure | Problem:
    """What answers the metric for a runtime with this profile."""
    if metric.ratio:
        part = metric.ratio.good or metric.ratio.bad
        assert part
        total, by = metric.ratio.total, metric.ratio.by or ""
        return Ratio(_named(part.name, part.where), _named(total.name, total.where), bool(metric.ratio.good), by)
    if metric.shift:
        return _buckets({"name": metric.shift.histogram.name, "where": metric.shift.histogram.where})
    if metric.value:
        return Query(metric.value.query, {})
    return _BUILT_IN[metric.name](metric, profile)


def requests(profile: Profile) -> Ratio | None:
    """Counts all requests (each is a part of itself); None where the server shows no counter of them."""
    counter = profile.get("requests")
    if counter:
        return Ratio(_selector(counter), _selector(counter))
    latency = profile.get("latency")
    counted = latency and Selector(latency["histogram"]["name"] + "_count", latency["histogram"].get("where", ""))
    return Ratio(counted, counted) if counted else None


def filled(found: Measure, key: tuple[str, str], side: tuple[str, str]) -> Measure:
    """A query that knows whom it is about, given as (namespace, name) and (revision, version); else unchanged."""
    if not isinstance(found, Query):
        return found
    return Query(found.text, {"namespace": key[0], "name": key[1], "revision": side[0], "version": side[1]})


def _lacks(metric: Asked) -> Problem:
    text = f"the runtime's metric profile does not say what {metric.name} is"
    return Problem(Reason.RUNTIME_LACKS_METRIC, text)


def _errors(metric: Asked, profile: Profile) -> Measure | Problem:
    part = profile.get("errors") or profile.get("successes")
    if not (part and profile.get("requests")):
        return _lacks(metric)
    return Ratio(_selector(part), _selector(profile["requests"]), part_is_good="errors" not in profile)


def _slow(key: str) -> Callable[[Asked, Profile], Measure | Problem]:
    def found(metric: Asked, profile: Profile) -> Measure | Problem:
        latency = profile.get(key)
        if not latency:
            return _lacks(metric)
        bound = _bound(latency, metric)
        if isinstance(bound, Problem):
            return bound
        name, where = latency["histogram"]["name"], latency["histogram"].get("where", "")
        fast = Selector(name + "_bucket", _also(where, _le(bound)))
        return Ratio(fast, Selector(name + "_count", where), part_is_good=True)

    return found


def _bound(latency: Mapping[str, Any], metric: Asked) -> str | Problem:
    """The bucket bound that is the threshold."""
    assert metric.threshold
    wanted = seconds(metric.threshold)
    unit = latency.get("unit", "Seconds")

    def off(bound: str) -> float:
        return abs(float(bound) * UNITS[unit] - wanted)

    nearest: str = min(latency["bounds"], key=off)
    if off(nearest) <= NEAR * wanted:
        return nearest
    known = ", ".join(_written(bound, unit) for bound in latency["bounds"])
    message = (
        f"{metric.name} threshold {metric.threshold} is no bucket bound of the server's histogram;"
        f" choose one of {known}"
    )
    return Problem(Reason.RUNTIME_LACKS_METRIC, message)


def _written(bound: str, unit: str) -> str:
    return f"{bound}s" if unit == "Seconds" else f"{float(bound) * UNITS[unit] * 1000:.6g}ms"


def _le(bound: str) -> str:
    """Matches the bucket however its bound is spelt: Prometheus 3 keeps le="300" as le="300.0", others as it came."""
    spellings = sorted({bound, _kept(float(bound))})
    if len(spellings) == 1:
        return f'le="{bound}"'
    return 'le=~"' + "|".join(each.replace(".", "[.]").replace("+", "[+]") for each in spellings) + '"'


def _kept(bound: float) -> str:
    """As Prometheus 3 spells a bound: the fewest digits that are this number, an exponent from a million on."""
    if bound < 1e6:
        return repr(bound)
    digits, _, exponent = f"{bound:.15e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{exponent}"


def _shifted(metric: Asked, profile: Profile) -> Measure | Problem:
    latency = profile.get("latency")
    return _buckets(latency["histogram"]) if latency else _lacks(metric)


def _rate(metric: Asked, profile: Profile) -> Measure | Problem:
    counter = profile.get("requests")
    return Rate(_selector(counter)) if counter else _lacks(metric)


def _gauge(key: str) -> Callable[[Asked, Profile], Measure | Problem]:
    def found(metric: Asked, profile: Profile) -> Measure | Problem:
        series = profile.get(key)
        return Gauge(_selector(series)) if series else _lacks(metric)

    return found


_BUILT_IN: dict[str, Callable[[Asked, Profile], Measure | Problem]] = {
    "errorRate": _errors,
    "slowRate": _slow("latency"),
    "timeToFirstToken": _slow("timeToFirstToken"),
    "timePerOutputToken": _slow("timePerOutputToken"),
    "latencyShift": _shifted,
    "requestsPerSecond": _rate,
    "inFlight": _gauge("inFlight"),
    "queueDepth": _gauge("queueDepth"),
    "kvCacheUsage": _gauge("kvCacheUsage"),
}


def _selector(series: Mapping[str, Any]) -> Selector:
    return _named(series["name"], series.get("where", ""))


def _named(name: str, where: str) -> Selector:
    """Several names are one expression on the name, and each series keeps its own."""
    return Selector("", _also(f'__name__=~"{name}"', where)) if "|" in name else Selector(name, where)


def _also(*matchers: str) -> str:
    return ",".join(each.rstrip(", ") for each in matchers if each)


def _buckets(series: Mapping[str, Any]) -> Histogram:
    return Histogram(Selector(series["name"] + "_bucket", series.get("where", "")))
