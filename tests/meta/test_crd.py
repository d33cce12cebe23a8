"""The CRDs are what the models say, small and bounded, and every field is explained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.api import crd

ROOT = Path(__file__).parents[2]
FILES = crd.render()
# Where Kubernetes itself defines the field, it refuses a description or supplies one.
UNDESCRIBED = {"metadata"}


def schema_of(name: str) -> dict[str, Any]:
    """The OpenAPI schema in one file."""
    found: dict[str, Any] = yaml.safe_load(FILES[name])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


ALL_NODES = [(name, path, node) for name in FILES for path, node in nodes(schema_of(name))]


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_the_generated_one(name: str) -> None:
    assert (ROOT / "crds" / name).read_text() == FILES[name], "run: make generate"


def test_there_are_no_other_files() -> None:
    assert {path.name for path in (ROOT / "crds").iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_plain_kubectl_apply_can_carry_it(name: str) -> None:
    assert len(FILES[name]) < 200_000  # kubectl stores a copy in an annotation, which may have 256 KiB


def test_every_property_is_described() -> None:
    bare = [
        f"{name}{path}.{key}"
        for name, path, node in ALL_NODES
        for key, child in node.get("properties", {}).items()
        if key not in UNDESCRIBED and not child.get("description", "").strip()
    ]
    assert bare == []


def test_descriptions_end_like_sentences() -> None:
    ragged = [
        f"{name}{path}" for name, path, node in ALL_NODES if not node.get("description", ".").endswith((".", "%", "]."))
    ]
    assert ragged == []


def unbounded(node: dict[str, Any]) -> bool:
    """True where a value could be of any length."""
    kind = node.get("type")
    if kind == "string":
        return not ("maxLength" in node or "enum" in node or node.get("format") == "date-time")
    if kind == "array":
        return "maxItems" not in node
    return kind == "object" and "additionalProperties" in node and "maxProperties" not in node


def test_every_string_list_and_map_is_bounded() -> None:
    outside = {".apiVersion", ".kind"}  # the API server's own
    assert [f"{n}{p}" for n, p, node in ALL_NODES if p not in outside and unbounded(node)] == []


def test_nothing_unknown_is_kept() -> None:
    assert [p for _, p, node in ALL_NODES if "x-kubernetes-preserve-unknown-fields" in node] == []


def test_numbers_are_whole() -> None:
    assert [p for _, p, node in ALL_NODES if node.get("type") == "number"] == []


def test_every_rule_tells_the_fix() -> None:
    given = [rule for _, _, node in ALL_NODES for rule in node.get("x-kubernetes-validations", [])]
    assert given and [rule["rule"] for rule in given if len(rule.get("message", "")) < 20] == []


def test_a_pattern_never_stands_without_words() -> None:
    mute = [f"{n}{p}" for n, p, node in ALL_NODES if "pattern" in node and "x-kubernetes-validations" not in node]
    assert mute == []
