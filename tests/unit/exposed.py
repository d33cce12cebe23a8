"""What servers showed of themselves, and what a Prometheus would select of it and keep as labels.

A file `NAME.prom` was captured from a running server (or made by its own code, as its first line says); in
`NAME.documented.prom` only names, labels and bounds are the server's, from its documentation or source.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from penstock.api.analysis import Metric
from penstock.api.runtime import RuntimeSpec
from penstock.core.measures import measure
from penstock.model.measure import Ratio, Selector

ROOT = Path(__file__).parents[2]
RUNTIMES = ROOT / "examples/runtimes"
EXPOSITIONS = ROOT / "tests/unit/expositions"
NAMES = tuple(sorted(path.stem for path in RUNTIMES.glob("*.yaml")))
ERROR_RATE = {"name": "errorRate", "max": "1%"}

Labels = dict[str, str]
Sample = tuple[str, Labels, float]
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
}


def file_of(name: str) -> Path:
    """The exposition of a runtime; a captured one goes before one of documented names."""
    found = [
        path for path in (EXPOSITIONS / f"{name}{kind}" for kind in (".prom", ".documented.prom")) if path.exists()
    ]
    assert len(found) == 1, f"{name} has {len(found)} expositions"
    return found[0]


def parsed(path: Path) -> list[Sample]:
    """Samples under the names that stand there: told the types, this parser gives counters the ending _total."""
    families = text_string_to_metric_families(re.sub(r"(?m)^# TYPE .*\n", "", path.read_text()))
    return [(s.name, dict(s.labels), s.value) for family in families for s in family.samples]


@cache
def exposition(name: str) -> list[Sample]:
    return parsed(file_of(name))


def chosen(samples: Iterable[Sample], selector: Selector) -> list[Sample]:
    """What a Prometheus would select, by its own rules: anchored expressions, an absent label is the empty one."""
    wanted = MATCHER.findall(selector.where)
    return [
        (name, labels, value)
        for name, labels, value in samples
        if selector.name in ("", name)
        and all(OPERATORS[op](({"__name__": name} | labels).get(key, ""), text) for key, op, text in wanted)
    ]


def select(name: str, selector: Selector) -> list[Sample]:
    return chosen(exposition(name), selector)


def total(name: str, selector: Selector) -> int:
    return round(sum(value for _, _, value in select(name, selector)))


def bad_and_all(name: str, found: Ratio) -> tuple[int, int]:
    part, everything = total(name, found.part), total(name, found.total)
    return (everything - part if found.part_is_good else part), everything


def relabelled(samples: Iterable[Sample], rules: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """What is kept under metric_relabel_configs with the actions replace and keep."""
    kept = []
    for name, labels, value in samples:
        made = relabel({"__name__": name} | labels, rules)
        if made is not None:
            kept.append((made.pop("__name__"), made, value))
    return kept


def relabel(labels: Labels, rules: Iterable[Mapping[str, Any]]) -> Labels | None:
    made = dict(labels)
    for rule in rules:
        source = ";".join(made.get(label, "") for label in rule["source_labels"])
        hit = re.fullmatch(rule.get("regex", "(.*)"), source)
        if rule.get("action") == "keep" and not hit:
            return None
        if "target_label" in rule and hit:
            made[rule["target_label"]] = hit.expand(re.sub(r"\$\{?(\d)\}?", r"\\\1", rule.get("replacement", "$1")))
    return made


@cache
def scrape_rules(job: str) -> list[dict[str, Any]]:
    """The metric_relabel_configs that docs/profiles.md gives for the job."""
    page = (ROOT / "docs/profiles.md").read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"(?ms)^```yaml\n(.*?)^```", page)]
    jobs = [each for block in blocks if isinstance(block, list) for each in block]
    rules: list[dict[str, Any]] = next(each["metric_relabel_configs"] for each in jobs if each["job_name"] == job)
    return rules


@cache
def shipped(name: str) -> RuntimeSpec:
    return RuntimeSpec.model_validate(yaml.safe_load((RUNTIMES / f"{name}.yaml").read_text())["spec"])


def profile(name: str) -> dict[str, Any]:
    """As a snapshot stores it."""
    return shipped(name).metrics.model_dump(by_alias=True, exclude_none=True)


def asked(name: str, metric: Mapping[str, str]) -> Ratio:
    found = measure(Metric.model_validate(metric), profile(name))
    assert isinstance(found, Ratio), found
    return found
