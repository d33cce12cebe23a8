"""The threat model is true: each row names one test, which exists; and no field of the API is an address."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.walk.leaves import leaves

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<threat>[^|*]+) \| (?P<stop>[^|]+) \| `(?P<path>tests/[^:`]+)::(?P<test>test_\w+)` \|$", re.MULTILINE
)
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = [found.groupdict() for found in ROW.finditer(PAGE)]
ADDRESSES = ("http://169.254.169.254/latest", "https://evil.corp", "file:///etc/passwd", "169.254.169.254:80")
# Where an address could stand: texts that are compared, shown, or handed to the user's own pods, and called by nobody.
TEXTS = {
    *("model.version", "server.args[]", "server.env[].value", "server.warmup.custom.body", "server.image"),
    *("pod.nodeSelector{}", "pod.tolerations[].key", "pod.tolerations[].value"),
    *("scaling.metrics[].value.query", "analysis.metrics[].value.query"),
    *("traffic.policy.jwt.issuer", "traffic.policy.jwt.audiences[]", "traffic.policy.clients[].podLabels{}"),
    *(f"rollout.{one}.approval.groups[]" for one in ("shadow", "abTest", "canary.steps[]", "blueGreen")),
    "model.uri",  # of which a rule of its own takes oci:// and pvc:// only
}


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text()


def test_every_row_has_its_test() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| **")]
    assert len(ROWS) == len(lines) - 1, "a row that names no test, or more than one"
    assert len(ROWS) >= 35 and len({row["threat"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["test"])
def test_the_named_test_exists(row: dict[str, str]) -> None:
    assert re.search(rf"^(async )?def {row['test']}\(", source(row["path"]), re.MULTILINE), row


def test_no_field_is_an_address_but_those_that_nobody_calls() -> None:
    free = set()
    for leaf in leaves():
        schema = leaf.schema
        if schema.get("type") == "string" and "enum" not in schema:
            fits = re.compile(schema.get("pattern", ""))
            free |= {leaf.name for each in ADDRESSES if fits.search(each)}
    assert free == TEXTS


def test_the_demonstration_runs_in_a_restricted_namespace() -> None:
    live = yaml.safe_load(source("examples/digits/namespace.yaml"))
    assert live["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert live["metadata"]["name"] == "digits" and "digits" in source("examples/demo/watch.py")
