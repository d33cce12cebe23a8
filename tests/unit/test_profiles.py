"""The metric profiles of MLServer and KServe's server, held against what the real servers said of a known traffic.

The numbers below are what was sent to them. What holds for every profile is in test_profile_laws.py.
"""

import re

import pytest
import yaml

from penstock.api.analysis import Metric
from penstock.core.measures import measure
from penstock.model.measure import Gauge, Ratio
from penstock.model.reasons import Reason
from penstock.model.values import Problem
from tests.unit.exposed import ERROR_RATE, EXPOSITIONS, ROOT, asked, bad_and_all, chosen, parsed, profile, select, total

NAMES = ("mlserver", "kserve")
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


def test_what_the_page_says_of_mlserver_over_grpc_counts_what_was_answered_well() -> None:
    """52 were, 8 failed in the model, 5 were malformed and failed there too, 4 named a model that is not there."""
    page = (ROOT / "docs/traffic.md").read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"(?ms)^```yaml\n(.*?)^```", page)]
    (metrics,) = [each["spec"]["metrics"] for each in blocks if each.get("metadata", {}).get("name") == "mlserver-grpc"]
    found = measure(Metric.model_validate(ERROR_RATE), metrics)
    assert isinstance(found, Ratio) and found.part_is_good
    seen = parsed(EXPOSITIONS / "mlserver.grpc.prom")
    assert [sum(value for _, _, value in chosen(seen, each)) for each in (found.part, found.total)] == [52, 69]


def test_mlserver_has_a_gauge_of_what_is_in_flight_and_kserve_has_none() -> None:
    metric = Metric.model_validate({"name": "inFlight", "max": "20"})
    found = measure(metric, profile("mlserver"))
    assert isinstance(found, Gauge)
    assert [labels["method"] for _, labels, _ in select("mlserver", found.series)] == ["POST"]
    assert isinstance(measure(metric, profile("kserve")), Problem)


def test_kserve_fails_what_entered_the_model_and_never_left_it() -> None:
    """No series of this server has a status code: 14 answers were a 500, one a 400 that the model raised."""
    found = asked("kserve", ERROR_RATE)
    assert found.part_is_good
    assert bad_and_all("kserve", found) == (KSERVE["entered"] - KSERVE["answered"], KSERVE["entered"]) == (15, 60)


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


def test_a_runtime_without_a_profile_says_what_it_lacks() -> None:
    for metric, word in ((ERROR_RATE, "errorRate"), ({"name": "slowRate", "threshold": "1s", "max": "1%"}, "slowRate")):
        found = measure(Metric.model_validate(metric), {})
        assert isinstance(found, Problem) and word in found.message
