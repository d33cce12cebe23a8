"""The metric profiles that are shipped, held against what the real servers said of a known traffic.

The expositions were captured from running servers; the numbers below are what was sent to them.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from penstock.api.analysis import Metric
from penstock.api.runtime import RuntimeSpec
from penstock.core.measures import measure
from penstock.model.measure import Ratio, Selector
from penstock.model.reasons import Reason
from penstock.model.values import Problem

ROOT = Path(__file__).parents[2]
NAMES = ("mlserver", "kserve")
Sample = tuple[str, dict[str, str], float]
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
}


def shipped(name: str) -> RuntimeSpec:
    return RuntimeSpec.model_validate(yaml.safe_load((ROOT / f"examples/runtimes/{name}.yaml").read_text())["spec"])


def exposition(name: str) -> list[Sample]:
    text = (ROOT / f"tests/unit/expositions/{name}.prom").read_text()
    return [
        (s.name, dict(s.labels), s.value) for family in text_string_to_metric_families(text) for s in family.samples
    ]


SAMPLES = {name: exposition(name) for name in NAMES}


def select(name: str, selector: Selector) -> list[Sample]:
    """What a Prometheus would select, by its own rules: anchored expressions, an absent label is the empty one."""
    wanted = MATCHER.findall(selector.where)
    return [
        sample
        for sample in SAMPLES[name]
        if sample[0] == selector.name and all(OPERATORS[op](sample[1].get(key, ""), text) for key, op, text in wanted)
    ]


def total(name: str, selector: Selector) -> int:
    return round(sum(value for _, _, value in select(name, selector)))


def bad_and_all(name: str, found: Ratio) -> tuple[int, int]:
    part, everything = total(name, found.part), total(name, found.total)
    return (everything - part if found.part_is_good else part), everything


def profile(name: str) -> dict[str, object]:
    """As a snapshot stores it."""
    return shipped(name).metrics.model_dump(by_alias=True, exclude_none=True)


def asked(name: str, metric: dict[str, str]) -> Ratio:
    found = measure(Metric.model_validate(metric), profile(name))
    assert isinstance(found, Ratio), found
    return found


ERROR_RATE = {"name": "errorRate", "max": "1%"}
# 41 + 2 answered, 11 failed in the model, 5 malformed, 1 + 1 for an unknown model or version, 1 for an unknown output
MLSERVER = {"200": 43, "500": 11, "422": 5, "404": 2, "400": 1}
KSERVE = {"entered": 60, "answered": 45}


def test_mlserver_counts_every_inference_request_and_nothing_else() -> None:
    found = asked("mlserver", ERROR_RATE)
    assert total("mlserver", found.total) == sum(MLSERVER.values()) == 62
    seen = select("mlserver", found.total)
    assert {labels["path"] for _, labels, _ in seen} == {
        "/v2/models/{model_name}/infer",
        "/v2/models/{model_name}/versions/{model_version}/infer",
    }
    assert {
        code: round(sum(v for _, labels, v in seen if labels["status_code"] == code)) for code in MLSERVER
    } == MLSERVER


def test_mlserver_fails_what_the_model_failed_and_not_what_callers_got_wrong() -> None:
    assert bad_and_all("mlserver", asked("mlserver", ERROR_RATE)) == (11, 62)


def test_kserve_fails_what_entered_the_model_and_never_left_it() -> None:
    """No series of this server has a status code: 14 answers were a 500, one a 400 that the model raised."""
    found = asked("kserve", ERROR_RATE)
    assert found.part_is_good
    assert bad_and_all("kserve", found) == (KSERVE["entered"] - KSERVE["answered"], KSERVE["entered"]) == (15, 60)


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_are_those_of_the_server_as_it_spells_them(name: str) -> None:
    latency = shipped(name).metrics.latency
    assert latency
    buckets = Selector(latency.histogram.name + "_bucket", latency.histogram.where)
    spelt = {labels["le"] for _, labels, _ in select(name, buckets)}
    assert set(latency.bounds) == spelt - {"+Inf"}


@pytest.mark.parametrize(
    ("name", "threshold", "expected"),
    [
        ("mlserver", "5ms", (1, 62)),
        ("mlserver", "10ms", (1, 62)),
        ("mlserver", "25ms", (0, 62)),
        ("mlserver", "1s", (0, 62)),
        ("kserve", "5ms", (4, 60)),
        ("kserve", "0h0m10ms", (1, 60)),
        ("kserve", "10s", (0, 60)),
    ],
)
def test_slow_is_what_took_longer_than_the_threshold(name: str, threshold: str, expected: tuple[int, int]) -> None:
    found = asked(name, {"name": "slowRate", "threshold": threshold, "compare": "Stable"})
    assert bad_and_all(name, found) == expected


@pytest.mark.parametrize(
    ("threshold", "bound"), [("1s", "1.0"), ("500ms", "0.5"), ("5s", "5.0"), ("2s500ms", "2.5"), ("75ms", "0.075")]
)
def test_a_threshold_finds_the_bound_in_the_spelling_of_the_server(threshold: str, bound: str) -> None:
    for name in NAMES:
        found = asked(name, {"name": "slowRate", "threshold": threshold, "max": "5%"})
        assert f'le="{bound}"' in found.part.where and select(name, found.part)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threshold", ["300ms", "1h", "1ms", "11s"])
def test_a_threshold_between_bounds_is_refused_with_the_bounds(name: str, threshold: str) -> None:
    found = measure(Metric.model_validate({"name": "slowRate", "threshold": threshold, "max": "5%"}), profile(name))
    assert isinstance(found, Problem) and found.reason is Reason.RUNTIME_LACKS_METRIC
    assert "0.25s, 0.5s" in found.message and threshold in found.message


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_read_the_same_from_the_server_and_from_a_snapshot(name: str) -> None:
    again = RuntimeSpec.model_validate(shipped(name).model_dump(by_alias=True, mode="json"))
    assert again.metrics.model_dump(by_alias=True, exclude_none=True) == profile(name)


def test_a_runtime_without_a_profile_says_what_it_lacks() -> None:
    for metric, word in ((ERROR_RATE, "errorRate"), ({"name": "slowRate", "threshold": "1s", "max": "1%"}, "slowRate")):
        found = measure(Metric.model_validate(metric), {})
        assert isinstance(found, Problem) and word in found.message


@pytest.mark.parametrize("name", NAMES)
def test_the_gauge_next_to_each_counter_is_never_taken_for_it(name: str) -> None:
    """Each series has a twin `_created` whose value is a time of some 1.8e9."""
    latency = shipped(name).metrics.latency
    assert latency
    every = [latency.histogram.name + "_count", latency.histogram.name + "_bucket"]
    profiled = shipped(name).metrics
    every += [s.name for s in (profiled.requests, profiled.errors, profiled.successes) if s]
    for metric in every:
        values = [value for _, _, value in select(name, Selector(metric))]
        assert values and max(values) < 1000
