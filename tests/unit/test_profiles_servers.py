"""The metric profiles of the other servers, held against a known traffic.

BentoML, Ray Serve and TorchServe were run and their expositions captured; vLLM's was made with its own definitions;
those of TensorFlow Serving and Triton are composed from documented names, so only names and arithmetic are tried there.
"""

import pytest

from penstock.api.analysis import Metric
from penstock.core.measures import measure
from penstock.model.measure import Gauge, Rate, Selector
from penstock.model.values import Problem
from tests.unit.exposed import ERROR_RATE, asked, bad_and_all, profile, select, total

# What was sent to each, by the HTTP status that the client saw.
BENTOML = {"200": 43, "500": 11, "400": 8, "405": 1}  # 404 for an unknown path: a series of its own, counted below
UNKNOWN = 2
RAY = {"200": 42, "500": 11, "400": 5}
TORCHSERVE = {"200": 44, "503": 16}  # 11 failed in the handler, 5 were malformed and made it raise
VLLM = {"2xx": 42, "5xx": 5, "4xx": 6}


def by_label(name: str, label: str) -> dict[str, int]:
    """All requests that the profile counts, by a label."""
    seen = select(name, asked(name, ERROR_RATE).total)
    values = {labels[label] for _, labels, _ in seen}
    return {value: round(sum(v for _, labels, v in seen if labels[label] == value)) for value in values}


def test_bentoml_counts_what_callers_sent_and_no_probe() -> None:
    assert by_label("bentoml", "http_response_code") == BENTOML | {"404": UNKNOWN}
    assert set(by_label("bentoml", "endpoint")) == {"/predict", "/nope"}


def test_ray_serve_counts_the_application_and_neither_health_checks_nor_unknown_routes() -> None:
    assert by_label("ray-serve", "status_code") == RAY
    assert set(by_label("ray-serve", "route")) == {"/churn"}


def test_ray_serve_has_a_counter_of_the_deployment_that_leaves_out_what_failed() -> None:
    """Why the profile does not use it, although it is the one that carries the deployment's name."""
    both = Selector("", '__name__=~"ray_serve_deployment_(request|error)_counter_total"')
    counted = {name: round(value) for name, _, value in select("ray-serve", both)}
    assert counted["ray_serve_deployment_request_counter_total"] == RAY["200"] + RAY["400"]
    assert counted["ray_serve_deployment_error_counter_total"] == RAY["500"]


def test_torchserve_counts_every_inference_of_a_known_model() -> None:
    assert by_label("torchserve", "model_version") == {"default": 58, "1.0": 2}
    assert total("torchserve", asked("torchserve", ERROR_RATE).total) == sum(TORCHSERVE.values())


def test_vllm_counts_its_api_by_the_class_of_the_status() -> None:
    assert by_label("vllm", "status") == VLLM
    assert set(by_label("vllm", "handler")) == {"/v1/chat/completions"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bentoml", (11, 65)),
        ("ray-serve", (11, 58)),
        ("torchserve", (16, 60)),
        ("vllm", (5, 53)),
        ("tensorflow-serving", (11, 57)),
        ("triton", (11, 51)),
    ],
)
def test_errors_are_what_the_server_failed_and_not_what_callers_got_wrong(name: str, expected: tuple[int, int]) -> None:
    assert bad_and_all(name, asked(name, ERROR_RATE)) == expected


@pytest.mark.parametrize(
    ("name", "key", "threshold", "expected"),
    [
        ("bentoml", "slowRate", "250ms", (3, 65)),  # three took 0.3 s
        ("bentoml", "slowRate", "500ms", (0, 65)),
        ("ray-serve", "slowRate", "300ms", (2, 58)),  # in milliseconds; two took 0.3 s
        ("ray-serve", "slowRate", "400ms", (0, 58)),
        ("vllm", "slowRate", "800ms", (10, 45)),
        ("vllm", "slowRate", "1s500ms", (0, 45)),
        ("vllm", "timeToFirstToken", "100ms", (10, 42)),
        ("vllm", "timePerOutputToken", "50ms", (10, 45)),
        ("triton", "timeToFirstToken", "500ms", (2, 40)),
        ("tensorflow-serving", "slowRate", "393ms", (4, 40)),  # in microseconds, 393464; answered requests only
        ("tensorflow-serving", "slowRate", "708ms", (2, 40)),
        ("tensorflow-serving", "slowRate", "1s275ms", (0, 40)),
    ],
)
def test_slow_is_what_took_longer(name: str, key: str, threshold: str, expected: tuple[int, int]) -> None:
    assert bad_and_all(name, asked(name, {"name": key, "threshold": threshold, "max": "5%"})) == expected


@pytest.mark.parametrize(
    ("threshold", "taken"),
    [("389ms", False), ("390ms", True), ("393ms", True), ("397ms", True), ("398ms", False), ("300ms", False)],
)
def test_a_threshold_may_be_a_hundredth_off_its_bound(threshold: str, taken: bool) -> None:
    """The bound is 393.464 ms."""
    metric = Metric.model_validate({"name": "slowRate", "threshold": threshold, "max": "5%"})
    assert isinstance(measure(metric, profile("tensorflow-serving")), Problem) is not taken


LEVELS = ("inFlight", "queueDepth", "kvCacheUsage", "requestsPerSecond")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bentoml", {"inFlight", "requestsPerSecond"}),
        ("ray-serve", {"inFlight", "queueDepth", "requestsPerSecond"}),
        ("torchserve", {"requestsPerSecond"}),
        ("vllm", set(LEVELS)),
        ("tensorflow-serving", {"requestsPerSecond"}),
        ("triton", {"queueDepth", "requestsPerSecond"}),
    ],
)
def test_levels_are_there_where_the_server_has_them(name: str, known: set[str]) -> None:
    for level in LEVELS:
        found = measure(Metric.model_validate({"name": level, "max": "9"}), profile(name))
        assert isinstance(found, Gauge | Rate if level in known else Problem)


def test_vllm_shows_what_runs_what_waits_and_the_cache_in_use() -> None:
    expected = {"inFlight": [4.0], "queueDepth": [3.0], "kvCacheUsage": [0.25]}
    for level, values in expected.items():
        found = measure(Metric.model_validate({"name": level, "max": "9"}), profile("vllm"))
        assert isinstance(found, Gauge)
        assert [value for _, _, value in select("vllm", found.series)] == values
