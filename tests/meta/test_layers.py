"""The layers, sizes and names that the architecture promises, checked on every file."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "penstock"
FOLDERS = ("operator", "cluster", "examples", "helm", "docs", "tests", "bench")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
LINES, FUNCTION_LINES = 350, 50
# Longer than they should be, and may only shrink: one list of fields, one list of contract tests.
TOO_LONG = {"tests/contract/test_kube.py": 463}
PURE = ("core", "checks", "routing", "scaling", "stats", "model", "api")
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def trees(paths: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield name_of(path), ast.parse(path.read_text())


def test_an_arrow_only_points_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": "operator"}
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_part_of_the_package_has_a_layer() -> None:
    layers = (ROOT / "pyproject.toml").read_text()
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert [part for part in parts - {"__init__"} if f"penstock.{part}" not in layers] == []


def test_the_source_root_is_no_package() -> None:
    """It would shadow the standard library's `operator` for whoever runs from the repository's root."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_modules_are_short() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > TOO_LONG.get(name, LINES)} == {}
    assert [name for name in TOO_LONG if sizes.get(name, 0) <= LINES] == [], "no longer an exception: take it off"


def test_functions_are_short() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees(SOURCES)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert long == []


def test_every_module_says_why_it_exists() -> None:
    mute = [name for name, tree in trees(SOURCES) if tree.body and not ast.get_docstring(tree)]
    assert mute == []


@pytest.mark.parametrize("part", PURE)
def test_what_thinks_reads_no_clock_and_no_file(part: str) -> None:
    """import-linter holds the imports; this holds what builtins and `datetime` would still allow."""
    if part == "api":  # crd.py is also the command that writes the CRDs
        paths = [path for path in (PACKAGE / part).rglob("*.py") if path.name != "crd.py"]
    else:
        paths = list((PACKAGE / part).rglob("*.py"))
    assert paths
    assert [f"{name}:{line} {what}" for name, tree in trees(paths) for line, what in _impure(tree)] == []


def _impure(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield node.lineno, node.func.attr
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "input")
        ):
            yield node.lineno, node.func.id


def test_one_module_tells_the_time() -> None:
    """What decides goes by the API server's clock; the others tell people, or a server that has named a date."""
    asks = re.compile(r"datetime\.now\(|utcnow\(|\btime\.time\b")
    found = {path.name for path in PACKAGE.rglob("*.py") if asks.search(path.read_text())}
    assert found == {"clock.py", "lease.py", "http.py"}


def test_names_say_something() -> None:
    empty = {"process", "handle", "data", "utils", "helper", "helpers", "manager", "base"}
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees([path for path in SOURCES if PACKAGE in path.parents])
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.name.lower() in empty or node.name.endswith(("Manager", "Helper", "Utils", "Base")))
    ]
    assert found == []
    assert [name_of(path) for path in SOURCES if path.stem in empty] == []
