"""What an administrator may say of a metric source, and what each mistake is met with."""

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from penstock.api.fields import seconds
from penstock.metrics import SOURCES
from penstock.metrics.named import Named
from penstock.model.measure import Levels
from penstock.shell.settings import Settings
from tests.unit.named_source import ask, cloudwatch, datadog, json_source, says

DATADOG = {
    "type": "datadog",
    "apiKeyFile": "/etc/penstock/secrets/datadog/api",
    "applicationKeyFile": "/etc/penstock/secrets/datadog/application",
    "queries": {"accuracy": {"query": "avg:accuracy{revision:{{revision}}}"}},
}
CLOUDWATCH = {
    "type": "cloudwatch",
    "region": "eu-central-1",
    "queries": {"accuracy": {"namespace": "Models", "metric": "Accuracy", "dimensions": {"R": "{{revision}}"}}},
}
JSON = {
    "type": "json",
    "url": "https://scores.ml.svc/v1",
    "queries": {"accuracy": {"path": "/{{namespace}}/{{name}}", "value": "/accuracy"}},
}


def settings(source: dict[str, Any]) -> Any:
    return Settings.model_validate({"metricSources": {"main": source}}).metric_sources["main"]


def query(source: dict[str, Any], **change: object) -> dict[str, Any]:
    """The source with its one query changed."""
    return source | {"queries": {"accuracy": source["queries"]["accuracy"] | change}}


def test_what_is_left_out_has_a_value() -> None:
    first, second, found = settings(DATADOG), settings(CLOUDWATCH), settings(JSON)
    assert (first.site, first.url, seconds(first.delay), seconds(first.timeout)) == ("datadoghq.com", "", 30, 5)
    assert first.queries["accuracy"].aggregator == "avg"
    assert (seconds(second.delay), second.access_key_id_file) == (120, None)
    assert (second.queries["accuracy"].stat, second.queries["accuracy"].period) == ("Average", "60s")
    assert (found.queries["accuracy"].method, found.queries["accuracy"].body) == ("GET", None)


@pytest.mark.parametrize(
    "source",
    [
        DATADOG | {"site": "us3.datadoghq.com"},
        DATADOG | {"site": "ddog-gov.com"},
        DATADOG | {"url": "https://proxy.corp/datadog", "tls": {"caFile": "/etc/ca.pem"}},
        CLOUDWATCH | {"region": "us-gov-west-1"},
        CLOUDWATCH | {"url": "https://vpce-1.monitoring.eu-central-1.vpce.amazonaws.com/"},
        CLOUDWATCH | {"accessKeyIdFile": "/a", "secretAccessKeyFile": "/b", "sessionTokenFile": "/c"},
        query(CLOUDWATCH, period="5m", stat="p99.9"),
        query(CLOUDWATCH, period="10s", stat="TM(2%:98%)"),
        query(JSON, method="POST", body={"a": ["{{start}}", 1, None]}),
        query(JSON, params={"q": "{{version}}", "to": "{{end}}"}, path="", value=""),
        JSON | {"url": "http://scores.ml.svc:8080", "auth": {"bearer": {"tokenFile": "/t"}}},
    ],
)
def test_these_are_sources(source: dict[str, Any]) -> None:
    settings(source)


MISTAKES = [
    (DATADOG | {"type": "dogdata"}, "type|tag"),
    (DATADOG | {"site": "datadoghq.com.evil.org"}, "site"),
    (DATADOG | {"site": "evil.org/datadoghq.com"}, "site"),
    (DATADOG | {"url": "http://proxy.corp"}, "url"),
    (DATADOG | {"url": "https://{{name}}.corp"}, "url"),
    (DATADOG | {"url": "https://user:secret@proxy.corp"}, "url"),
    (DATADOG | {"apiKeyFile": "relative"}, "apiKeyFile"),
    (DATADOG | {"apiKey": "abc"}, "apiKey"),
    (DATADOG | {"queries": {}}, "queries"),
    (DATADOG | {"queries": {"a b": {"query": "x"}}}, "queries"),
    (DATADOG | {"timeout": "0s"}, "timeout must be more"),
    (query(DATADOG, aggregator="median"), "aggregator"),
    (query(DATADOG, query="avg:x{pod:{{pod}}}"), "{{pod}} is no placeholder"),
    (query(DATADOG, query="avg:x{a:{{start}}}"), "{{start}} is no placeholder"),
    (CLOUDWATCH | {"region": "evil.org/"}, "region"),
    (CLOUDWATCH | {"region": "eu-central-1.evil"}, "region"),
    (CLOUDWATCH | {"url": "https://proxy.corp/cloudwatch"}, "must have no path"),
    (CLOUDWATCH | {"accessKeyIdFile": "/a"}, "belong together"),
    (CLOUDWATCH | {"sessionTokenFile": "/a"}, "sessionTokenFile needs"),
    (query(CLOUDWATCH, period="90s"), "period must be"),
    (query(CLOUDWATCH, period="15s"), "period must be"),
    (query(CLOUDWATCH, metric="{{name}}"), "metric"),
    (query(CLOUDWATCH, namespace="{{name}}"), "namespace"),
    (query(CLOUDWATCH, dimensions={"{{name}}": "a"}), "dimensions"),
    (query(CLOUDWATCH, dimensions={"a": "{{pod}}"}), "{{pod}} is no placeholder"),
    (JSON | {"url": "https://{{namespace}}.svc"}, "url holds no placeholders"),
    (JSON | {"url": "https://scores.svc/{{namespace}}"}, "url holds no placeholders"),
    (JSON | {"url": "ftp://scores.svc"}, "url"),
    (query(JSON, path="scores"), "path"),
    (query(JSON, path="/scores?x=1"), "path"),
    (query(JSON, path="/{{ name }}"), "path"),
    (query(JSON, params={"a": "{{Name}}"}), "{{Name}} is no placeholder"),
    (query(JSON, method="POST", body=[{"a": "{{pod}}"}]), "{{pod}} is no placeholder"),
    (query(JSON, body={}), "a body needs method: POST"),
    (query(JSON, method="PUT"), "method"),
    (query(JSON, value="accuracy"), "value"),
    (query(JSON, value=None), "value"),
]


@pytest.mark.parametrize(("source", "words"), MISTAKES, ids=[words + str(n) for n, (_, words) in enumerate(MISTAKES)])
def test_a_mistake_is_named(source: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as told:
        settings(source)
    assert any(word in str(told.value) for word in words.split("|")), str(told.value)


OPTIONS = {
    "datadog": (DATADOG, datadog),
    "cloudwatch": (CLOUDWATCH, cloudwatch),
    "json": (JSON, json_source),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_factories_read_what_the_settings_dump(kind: str, tmp_path: Path) -> None:
    """The other tests hand factories options of their own making: those are spelt like this."""
    written, options = OPTIONS[kind]
    dumped, made = settings(written).model_dump(), options(tmp_path)
    assert set(made) <= set(dumped)
    assert set(made["queries"]["accuracy"]) == set(dumped["queries"]["accuracy"])
    assert isinstance(SOURCES[kind]("main", dumped, None, time.time), Named)  # type: ignore[arg-type]


def test_a_source_answers_as_it_was_written_in_the_settings(tmp_path: Path) -> None:
    heard = says({"result": [0.93]})
    text = {"type": "json", "queries": {"accuracy": {"path": "/{{name}}", "value": "/result"}}}
    answers = ask("json", heard, lambda url: settings({**text, "url": url}).model_dump())
    assert answers == [Levels((0.93,))] and heard.requests[0][:2] == ("GET", "/churn")
