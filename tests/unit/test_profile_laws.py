"""What holds for every metric profile that is shipped, each against what its server shows."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from penstock.api.analysis import Metric
from penstock.api.runtime import RuntimeSpec
from penstock.api.series import Latency
from penstock.core.measures import UNITS, measure
from penstock.model.measure import Gauge, Histogram, Rate, Ratio, Selector
from penstock.model.values import Problem
from tests.unit.exposed import (
    ERROR_RATE,
    NAMES,
    RUNTIMES,
    asked,
    bad_and_all,
    chosen,
    exposition,
    file_of,
    profile,
    select,
    shipped,
    total,
)

LEVELS = ("requestsPerSecond", "inFlight", "queueDepth", "kvCacheUsage")
SHARED_FORMATS = {"sklearn": 2, "http": 2}  # a ModelDeployment of these has to name its runtime


def latencies(name: str) -> dict[str, Latency]:
    """The profile's histograms by the built-in name that asks for them."""
    metrics = shipped(name).metrics
    found = {
        "slowRate": metrics.latency,
        "timeToFirstToken": metrics.time_to_first_token,
        "timePerOutputToken": metrics.time_per_output_token,
    }
    return {key: latency for key, latency in found.items() if latency}


HISTOGRAMS = [(name, key) for name in NAMES for key in latencies(name)]
COUNTED = [name for name in NAMES if shipped(name).metrics.requests]


def judged(name: str) -> Iterator[tuple[str, Any]]:
    """Everything that a profile can be asked, by built-in name, with what is measured."""
    metrics: list[dict[str, str]] = [
        ERROR_RATE,
        {"name": "latencyShift", "max": "0.2"},
        *({"name": level, "max": "9"} for level in LEVELS),
    ]
    for key, latency in latencies(name).items():
        metrics.append({"name": key, "max": "5%", "threshold": whole(latency)[-1]})
    for metric in metrics:
        yield metric["name"], measure(Metric.model_validate(metric), profile(name))


def whole(latency: Latency) -> list[str]:
    """The bounds that a threshold can be: those near whole milliseconds."""
    lengths = [float(bound) * UNITS[latency.unit or "Seconds"] * 1000 for bound in latency.bounds]
    near = [round(each) for each in lengths if abs(round(each) - each) < 0.005 * each and each < 9e7]
    return [f"{each}ms" if each < 100000 else f"{each // 1000}s" for each in near]


def selectors(found: Any) -> tuple[Selector, ...]:
    match found:
        case Ratio(part, everything):
            return part, everything
        case Rate(series) | Gauge(series) | Histogram(series):
            return (series,)
        case _:
            return ()


def test_there_are_runtimes_and_no_exposition_of_none() -> None:
    assert len(NAMES) >= 10
    known = {file_of(name).name for name in NAMES} | {"http-envoy.unmerged.prom", "mlserver.grpc.prom"}
    assert {path.name for path in file_of("mlserver").parent.iterdir()} == known


@pytest.mark.parametrize("name", NAMES)
def test_every_series_of_a_profile_is_one_that_the_server_shows(name: str) -> None:
    found = dict(judged(name))
    assert any(not isinstance(each, Problem) for each in found.values())
    for key, each in found.items():
        for selector in selectors(each):
            assert select(name, selector), f"{key} of {name}: nothing at {selector}"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_profile_leaves_out_is_refused_and_never_asked(name: str) -> None:
    for key, found in judged(name):
        assert not isinstance(found, Problem) or f"does not say what {key} is" in found.message


@pytest.mark.parametrize(("name", "key"), HISTOGRAMS)
def test_the_bounds_are_those_of_the_server_as_it_spells_them(name: str, key: str) -> None:
    latency = latencies(name)[key]
    buckets = Selector(latency.histogram.name + "_bucket", latency.histogram.where)
    spelt = {labels["le"] for _, labels, _ in select(name, buckets)}
    assert set(latency.bounds) == spelt - {"+Inf"}


@pytest.mark.parametrize(("name", "key"), HISTOGRAMS)
def test_every_bound_of_whole_milliseconds_can_be_a_threshold(name: str, key: str) -> None:
    thresholds = whole(latencies(name)[key])
    assert thresholds
    shares = [bad_and_all(name, asked(name, {"name": key, "max": "5%", "threshold": each})) for each in thresholds]
    assert all(0 <= bad <= everything for bad, everything in shares)
    assert [bad for bad, _ in shares] == sorted((bad for bad, _ in shares), reverse=True)


@pytest.mark.parametrize(("name", "key"), HISTOGRAMS)
def test_the_unit_is_the_servers(name: str, key: str) -> None:
    """Every traffic was answered within 100 microseconds to 10 seconds on average."""
    latency = latencies(name)[key]
    where = latency.histogram.where
    sums, counts = (total(name, Selector(f"{latency.histogram.name}_{part}", where)) for part in ("sum", "count"))
    every = sum(value for _, _, value in select(name, Selector(f"{latency.histogram.name}_sum", where)))
    assert counts and sums <= every + 1
    assert 1e-4 < every / counts * UNITS[latency.unit or "Seconds"] < 10


@pytest.mark.parametrize("name", COUNTED)
def test_errors_are_some_of_the_requests(name: str) -> None:
    found = asked(name, ERROR_RATE)
    bad, everything = bad_and_all(name, found)
    assert 0 < bad < everything, "the traffic had both"
    names = {sample[0] for sample in select(name, found.total)}
    part = [sample for sample in select(name, found.part) if sample[0] in names]
    assert all(sample in select(name, found.total) for sample in part)


@pytest.mark.parametrize("name", NAMES)
def test_the_gauge_next_to_each_counter_is_never_taken_for_it(name: str) -> None:
    """Some clients give each series a twin `_created` whose value is a time of some 1.8e9."""
    for _, found in judged(name):
        for selector in selectors(found):
            assert max(value for _, _, value in select(name, selector)) < 1000


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_read_the_same_from_the_server_and_from_a_snapshot(name: str) -> None:
    again = RuntimeSpec.model_validate(shipped(name).model_dump(by_alias=True, mode="json"))
    assert again.metrics.model_dump(by_alias=True, exclude_none=True) == profile(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_a_selected_series_hides_those_of_the_scrape(name: str) -> None:
    """A series with a label `namespace` or `pod` of its own would lose the target's, or keep it under another name."""
    for _, found in judged(name):
        for selector in selectors(found):
            own = {key for _, labels, _ in select(name, selector) for key in labels}
            assert not own & {"namespace", "pod", "penstock_dev_revision"}


def test_formats_are_of_one_runtime_each_but_where_nobody_could_choose() -> None:
    counted = Counter(each for name in NAMES for each in shipped(name).formats)
    assert {each: count for each, count in counted.items() if count > 1} == SHARED_FORMATS


@pytest.mark.parametrize("name", NAMES)
def test_a_runtime_is_one_document_whose_name_is_the_files_and_says_what_it_is(name: str) -> None:
    text = (RUNTIMES / f"{name}.yaml").read_text()
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(text)] == [name]
    assert re.match(r"# .+[.:]?\n#\n# ", text)


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        ("1", "1.0"),
        ("1.0", "1.0"),
        ("121.44", "121.44"),
        ("300", "300.0"),
        ("600000", "600000.0"),
        ("1000000", "1e+06"),
        ("1800000", "1.8e+06"),
        ("1.27482e+06", "1.27482e+06"),
    ],
)
def test_a_bucket_is_found_as_the_server_spells_it_and_as_prometheus_3_keeps_it(bound: str, kept: str) -> None:
    found = asked_of({"latency": {"histogram": {"name": "took"}, "bounds": [bound], "unit": "Milliseconds"}}, bound)
    other = ("took_bucket", {"le": "0.75"}, 1.0)
    for spelling in (bound, kept):
        seen = ("took_bucket", {"le": spelling}, 1.0)
        assert chosen([seen, other], found.part) == [seen]


def asked_of(metrics: dict[str, Any], milliseconds: str) -> Ratio:
    length = float(milliseconds)
    threshold = f"{length:.0f}ms" if length < 1e5 else f"{length / 1000:.0f}s"
    found = measure(Metric.model_validate({"name": "slowRate", "threshold": threshold, "max": "5%"}), metrics)
    assert isinstance(found, Ratio)
    return found


@pytest.mark.parametrize(
    ("unit", "bounds", "message"),
    [
        (None, ["0.25", "0.5"], "choose one of 0.25s, 0.5s"),
        ("Milliseconds", ["250", "500"], "choose one of 250ms, 500ms"),
        ("Microseconds", ["218591", "393464", "1.27482e+06"], "choose one of 218.591ms, 393.464ms, 1274.82ms"),
    ],
)
def test_a_threshold_between_bounds_is_refused_with_the_bounds(
    unit: str | None, bounds: list[str], message: str
) -> None:
    latency = {"histogram": {"name": "took"}, "bounds": bounds} | ({"unit": unit} if unit else {})
    found = measure(
        Metric.model_validate({"name": "slowRate", "threshold": "300ms", "max": "5%"}), {"latency": latency}
    )
    assert isinstance(found, Problem) and message in found.message


def test_counters_of_several_names_are_one_selector_on_the_name() -> None:
    found = measure(
        Metric.model_validate(
            {
                "name": "refusals",
                "max": "5%",
                "ratio": {
                    "bad": {"name": "refused_total"},
                    "total": {"name": "served_total|refused_total", "where": 'a="1"'},
                },
            }
        ),
        {},
    )
    assert isinstance(found, Ratio) and found.part == Selector("refused_total")
    shown = [(each, {"a": "1"}, 1.0) for each in ("served_total", "refused_total", "refused_total_created", "other")]
    assert chosen(shown, found.total) == shown[:2]


def test_a_captured_exposition_says_where_it_is_from() -> None:
    for name in NAMES:
        if name not in ("mlserver", "kserve"):  # named in test_profiles.py
            assert re.match(r"# (Captured from|Made with|Composed: ).+", file_of(name).read_text())
    assert exposition("mlserver")
