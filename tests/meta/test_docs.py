"""What the pages say is so: generated ones are up to date, links lead somewhere, commands and manifests are real."""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from penstock import cli
from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.model.reasons import Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MODELS = {"ModelDeployment": Spec, "ModelRuntime": RuntimeSpec}


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", generate.render())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (generate.FOLDER / name).read_text() == generate.render()[name], "run: make generate"


def test_there_is_no_other_page_among_the_generated() -> None:
    assert {path.name for path in generate.FOLDER.iterdir()} == set(generate.render())


@cache
def anchors(path: Path) -> frozenset[str]:
    """Of each heading, as Markdown viewers spell them; of a repeated one the first only."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return frozenset(heading.replace(" ", "-") for heading in plain)


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        found = (path.parent / target).resolve() if target else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(link)
    assert broken == []


def spoken(path: Path) -> str:
    """All that is set as code in a page."""
    text = path.read_text()
    return "\n".join([*(body for _, body in FENCE.findall(text)), *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_make_command_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*make ([a-z0-9-]+)", spoken(path), re.MULTILINE)
    assert [target for target in named if target not in targets] == []


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_path_of_the_repository_exists(path: Path) -> None:
    tops = "|".join(sorted(p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")))
    named = re.findall(rf"(?<![\w./-])(?:{tops})/[\w./*{{}},-]*", spoken(path))
    assert [each for each in named if not any(ROOT.glob(each.rstrip("/."))) and "{" not in each] == []


@cache
def all_tests() -> frozenset[str]:
    """Every test function of the repository."""
    found = (ast.walk(ast.parse(path.read_text())) for path in (ROOT / "tests").rglob("test_*.py"))
    functions = (node for tree in found for node in tree if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_test_that_is_named_exists(path: Path) -> None:
    named = re.findall(r"`(test_\w+)`", path.read_text())
    assert [name for name in named if name not in all_tests()] == []


SHOWN = re.compile(r"^```console\n\$ penstock ([^\n]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_a_penstock_command_prints_what_the_page_shows(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    for words, shown in SHOWN.findall(path.read_text()):
        assert cli.main(shlex.split(words)) == 0
        assert capsys.readouterr().out == shown, f"penstock {words}"


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_penstock_command_is_one_that_it_takes(path: Path) -> None:
    for words in re.findall(r"\bpenstock ((?:plan|replay) [^\n|]+)", spoken(path)):
        cli.make_parser().parse_args(shlex.split(words))


def manifests(path: Path) -> Iterator[dict[str, Any]]:
    """Penstock's own objects among the YAML of a page."""
    for language, body in FENCE.findall(path.read_text()):
        if language in ("yaml", "yml"):
            yield from (
                each for each in yaml.safe_load_all(body) if isinstance(each, dict) and each.get("kind") in MODELS
            )


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_manifest_is_one_that_the_operator_takes(path: Path) -> None:
    for each in manifests(path):
        assert each["apiVersion"] == "penstock.dev/v1alpha1"
        MODELS[each["kind"]].model_validate(each["spec"])


def test_every_reason_has_its_section_for_the_person_on_call() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    sections = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted(reason.value for reason in Reason)


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_no_page_names_a_reason_that_does_not_exist(path: Path) -> None:
    """In code spans that say `reason X` or `reason: X`."""
    named = re.findall(r"reason:? `?([A-Z]\w+)`?", path.read_text())
    known = {reason.value for reason in Reason}
    assert [name for name in named if name not in known] == []


# Spelt in halves, so that this file does not hold what it looks for.
HOSTS = [
    "|".join(
        ("py" + r"pi\.org", "python" + r"hosted\.org", r"(proxy|sum)\.gol" + r"ang\.org", "deb\\.deb" + r"ian\.org")
    ),
    "|".join(("docker" + r"\.io", "docker" + r"\.com", "quay" + r"\.io", "gh" + r"cr\.io", "gc" + r"r\.io")),
    "|".join(("registry\\.k8s" + r"\.io", "npm" + r"js\.org", "crates" + r"\.io/", "pkg" + r"\.dev/", "mcr\\.micro")),
]
PLACES = ["/wo" + "rk/", r"(?<![\w}])/ro" + "ot/", "/tmp/ba" + "sh_jobs", r"\.\./sha" + "red"]
HIDDEN = re.compile("|".join([*HOSTS, *PLACES]))


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the repository; not what tools leave behind."""
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [name for name in inner if name == ".ci" or not name.startswith((".", "__pycache__", "dist"))]
        for name in files:
            path = Path(folder, name)
            content = path.read_bytes()
            if b"\0" not in content:
                yield page_id(path), content.decode(errors="replace")


def test_nothing_names_a_registry_or_a_place_on_one_machine() -> None:
    found = {
        f"{name}:{number}": hit[0]
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (hit := HIDDEN.search(line))
    }
    assert found == {}
