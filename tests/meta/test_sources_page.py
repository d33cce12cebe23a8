"""The page on metric sources: every configuration on it is taken, every message on it is one that is said."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.api.analysis import Analysis
from penstock.metrics import SOURCES
from penstock.shell.settings import Settings
from tests.conftest import helm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sources.md").read_text()
CODE = "".join(path.read_text() for path in (ROOT / "operator/penstock/metrics").glob("*.py"))


def blocks(key: str) -> Iterator[Any]:
    for body in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        found = yaml.safe_load(body)
        if key in found:
            yield found


def test_every_configuration_is_taken_and_every_type_has_one() -> None:
    sources = [
        each for found in blocks("metricSources") for each in Settings.model_validate(found).metric_sources.values()
    ]
    assert sorted(each.type for each in sources) == sorted(SOURCES)


def test_the_chart_takes_every_configuration(tmp_path: Path) -> None:
    """All at once, as values: what the operator is then told is what the page says."""
    everything = {
        f"s{n}-{name}": source
        for n, block in enumerate(blocks("metricSources"))
        for name, source in block["metricSources"].items()
    }
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"metricSources": everything}))
    rendered = helm("template", "penstock", "helm/penstock", "-f", str(values)).stdout
    maps = (each for each in yaml.safe_load_all(rendered) if each and each["kind"] == "ConfigMap")
    (config,) = (yaml.safe_load(each["data"]["config.yaml"]) for each in maps if "config.yaml" in each["data"])
    assert everything.items() <= config["metricSources"].items()


def test_every_type_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| (?:numbers|everything)", PAGE, re.MULTILINE)) == set(SOURCES)


def test_what_the_user_writes_is_taken_and_names_a_query() -> None:
    (found,) = blocks("analysis")
    metrics = Analysis.model_validate(found["analysis"]).metrics
    named = {(metric.source, metric.value.query) for metric in metrics if metric.value}
    kept = {
        (name, query)
        for block in blocks("metricSources")
        for name, source in block["metricSources"].items()
        for query in source.get("queries", {})
    }
    assert named and named <= kept


ROWS = re.findall(r"^\| (`.*?`) \| [^|]*\|$", PAGE.partition("## When a source")[2], re.MULTILINE)


@pytest.mark.parametrize("message", [each for row in ROWS for each in re.findall(r"`([^`]+)`", row)])
def test_every_message_is_one_that_is_said(message: str) -> None:
    """Piece by piece: three dots stand for what differs."""
    spoken = re.sub(r"\{\{|\}\}", lambda found: found[0][0], CODE)  # as f-strings spell braces
    pieces = [piece.strip(" :;") for piece in message.split("…")]
    assert [piece for piece in pieces if piece and piece not in spoken and not re.fullmatch(r"HTTP \d*", piece)] == []


def test_the_table_has_rows() -> None:
    assert len(ROWS) > 10
