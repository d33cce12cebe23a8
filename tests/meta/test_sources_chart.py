"""The chart takes every type of metric source, hands it to the operator as it is, and refuses half ones."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.metrics import SOURCES
from penstock.shell.settings import Settings
from tests.conftest import helm

SECRETS = "/etc/penstock/secrets/main"
GIVEN: dict[str, dict[str, Any]] = {
    "prometheus": {"type": "prometheus", "url": "https://mimir.corp/prometheus", "timeout": "5s"},
    "datadog": {
        "type": "datadog",
        "site": "datadoghq.eu",
        "apiKeyFile": f"{SECRETS}/api-key",
        "applicationKeyFile": f"{SECRETS}/application-key",
        "delay": "30s",
        "queries": {"accuracy": {"query": "avg:accuracy{revision:{{revision}}}", "aggregator": "min"}},
    },
    "cloudwatch": {
        "type": "cloudwatch",
        "region": "eu-central-1",
        "accessKeyIdFile": f"{SECRETS}/id",
        "secretAccessKeyFile": f"{SECRETS}/key",
        "sessionTokenFile": f"{SECRETS}/token",
        "queries": {"accuracy": {"namespace": "M", "metric": "A", "dimensions": {"Revision": "{{revision}}"}}},
    },
    "json": {
        "type": "json",
        "url": "https://scores.ml.svc",
        "queries": {"drift": {"method": "POST", "body": {"r": ["{{revision}}", 1]}, "value": "/a/0"}},
    },
}


def rendered(folder: Path, source: dict[str, Any]) -> Any:
    """The outcome of a rendering with one more source, called main."""
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump({"metricSources": {"main": source}}))
    return helm("template", "penstock", "helm/penstock", "-f", str(values), check=False)


def test_every_type_is_tried() -> None:
    assert set(GIVEN) == set(SOURCES)


@pytest.mark.parametrize("kind", GIVEN)
def test_the_operator_is_told_what_the_values_say(kind: str, tmp_path: Path) -> None:
    """Placeholders and all: Helm must not take them for its own."""
    done = rendered(tmp_path, GIVEN[kind])
    assert done.returncode == 0, done.stderr
    (found,) = (
        each
        for each in yaml.safe_load_all(done.stdout)
        if each and each["kind"] == "ConfigMap" and "config.yaml" in each["data"]
    )
    config = yaml.safe_load(found["data"]["config.yaml"])
    assert config["metricSources"]["main"] == GIVEN[kind]
    assert Settings.model_validate(config).metric_sources["main"].type == kind


MISSING = [
    (kind, name)
    for kind, names in {
        "prometheus": ["url"],
        "datadog": ["apiKeyFile", "applicationKeyFile", "queries"],
        "cloudwatch": ["region", "queries"],
        "json": ["url", "queries"],
    }.items()
    for name in names
]


@pytest.mark.parametrize(("kind", "name"), MISSING)
def test_half_a_source_stops_the_installation(kind: str, name: str, tmp_path: Path) -> None:
    half = copy.deepcopy(GIVEN[kind])
    del half[name]
    done = rendered(tmp_path, half)
    assert done.returncode != 0 and name in done.stderr, done.stderr


@pytest.mark.parametrize(
    "change", [{"apiKey": "abc"}, {"site": "evil.org"}, {"apiKeyFile": "relative"}, {"queries": {}}]
)
def test_a_mistake_stops_the_installation(change: dict[str, Any], tmp_path: Path) -> None:
    done = rendered(tmp_path, GIVEN["datadog"] | change)
    assert done.returncode != 0 and next(iter(change)) in done.stderr, done.stderr
