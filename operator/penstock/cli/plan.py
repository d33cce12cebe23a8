"""`penstock plan`: what a rollout's evidence will cost, from a manifest, before anything is applied.

Text in and text out; the figures are `core.budget`. A manifest is read as the operator reads it; cross-field rules are
the API server's and are not checked here.
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict

import yaml
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from penstock.api.spec import Spec
from penstock.cli import table
from penstock.cli.wrong import Wrong, read
from penstock.core.budget import Budget, Detection, End, MetricCost, StepCost, Traffic, make_budget, spelled


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its options."""
    parser = commands.add_parser("plan", help="what the evidence of a rollout will cost, before it starts")
    parser.add_argument("file", help="YAML with a ModelDeployment, or - for standard input")
    parser.add_argument("--name", help="which ModelDeployment, where there are several")
    parser.add_argument("--rate", type=_rate, help="requests per second of all clients; without it there are no times")
    parser.add_argument(
        "--error-rate", type=_share, default=0.01, help="share of bad answers of the stable revision (default: 1%%)"
    )
    parser.add_argument(
        "--cohort-share", type=_share, help="share of all requests that the cohort of an A/B test sends"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.set_defaults(run=run)


def _rate(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests per second, such as 50")
    return float(text)


def _share(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?%", text) or not 0 < float(text[:-1]) < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0% and 100%, such as 0.5%")
    return float(text[:-1]) / 100


def run(args: argparse.Namespace) -> int:
    """Print the budget; 0."""
    name, found = _choose(_deployments(args.file), args)
    spec = _spec(found, f"{args.file}: {name}")
    budget = make_budget(name, spec, Traffic(args.rate, args.error_rate, args.cohort_share))
    if args.format == "json":
        print(json.dumps(_plain(name, spec, budget), indent=2))
    else:
        print("\n".join(_told(name, spec, budget)))
    return 0


def _deployments(name: str) -> dict[str, object]:
    """The spec of every ModelDeployment in the file, by name; those in a List too."""
    try:
        documents = [each for each in yaml.safe_load_all(read(name)) if isinstance(each, dict)]
    except yaml.YAMLError as error:
        raise Wrong(f"{name}: no YAML: {' '.join(str(error).split())}") from error
    flat = [item for each in documents for item in (each.get("items") or [] if each.get("kind") == "List" else [each])]
    found = [each for each in flat if isinstance(each, dict) and each.get("kind") == "ModelDeployment"]
    return {str((each.get("metadata") or {}).get("name", "")): each.get("spec") for each in found}


def _choose(found: dict[str, object], args: argparse.Namespace) -> tuple[str, object]:
    if not found:
        raise Wrong(f"{args.file}: no ModelDeployment in it")
    if args.name is None and len(found) > 1:
        raise Wrong(
            f"{args.file}: {len(found)} ModelDeployments in it; choose one by --name: {', '.join(sorted(found))}"
        )
    name = args.name if args.name is not None else next(iter(found))
    if name not in found:
        raise Wrong(f"{args.file}: no ModelDeployment {name} in it; there is {', '.join(sorted(found))}")
    return name, found[name]


def _spec(written: object, where: str) -> Spec:
    try:
        return Spec.model_validate(written)
    except ValidationError as error:
        first, *others = error.errors()
        more = f" (and {len(others)} more)" if others else ""
        raise Wrong(f"{where}: {'.'.join(map(str, ('spec', *first['loc'])))}: {first['msg']}{more}") from error


def _plain(name: str, spec: Spec, budget: Budget) -> dict[str, object]:
    """For programs: the same figures, seconds and requests, null for what is not known."""
    metrics = [
        {"metric": each.title, "note": each.note}
        | {
            "steps": [
                {"number": n + 1, "worse": [_keyed(asdict(one)) for one in found]} for n, found in each.found.items()
            ]
        }
        for each in budget.metrics
    ]
    return {
        "name": name,
        "version": spec.model.version,
        "requestsPerSecond": budget.traffic.rate,
        "stableErrorRate": budget.traffic.bad,
        "cohortShare": budget.traffic.cohort,
        "odds": budget.odds,
        "steps": [_keyed(asdict(step)) | {"number": step.number + 1} for step in budget.steps],
        "metrics": metrics,
        "advice": list(budget.advice),
        "best": budget.best,
    }


def _keyed(made: dict[str, object]) -> dict[str, object]:
    """With keys as manifests spell them."""
    return {to_camel(key): value for key, value in made.items()}


def _told(name: str, spec: Spec, budget: Budget) -> Iterator[str]:
    rate = budget.traffic.rate
    at = f", at {rate:,g} requests a second" if rate else ""
    yield f"{name}, version {spec.model.version}{at}"
    yield ""
    yield from table.lines([_head(budget), *(_step(step, budget) for step in budget.steps)], frozenset({1, 2, 3, 4, 5}))
    yield ""
    yield from _sum(budget)
    for line in budget.advice:
        yield f"NOTE: {line}"
    for metric in budget.metrics:
        yield ""
        yield from _metric(metric, budget)


def _head(budget: Budget) -> tuple[str, ...]:
    need = f"{budget.analysis.min_requests:,} after" if budget.analysis else "evidence after"
    return "step", "at least", "share", "requests/s", "in that time", need, "takes"


def _step(step: StepCost, budget: Budget) -> tuple[str, ...]:
    rate, unknown = step.rate, "?" if step.share is None or budget.traffic.rate is None else "-"
    return (
        f"{step.number + 1}  {step.words}" + (", approval" if step.approved else ""),
        spelled(step.duration) if step.duration else "-",
        "?" if step.share is None else f"{100 * step.share:g}%",
        f"{rate:,.4g}" if rate is not None else "?",
        f"{rate * step.duration:,.0f}" if rate is not None and step.duration else unknown,
        spelled(step.evidence) if step.evidence is not None else ("?" if step.judged else "-"),
        (spelled(step.takes) if step.takes else "-") if step.takes is not None else "?",
    )


def _sum(budget: Budget) -> Iterator[str]:
    people = ", and the time that people take to approve" if any(step.approved for step in budget.steps) else ""
    best = spelled(budget.best) if budget.best is not None else "not known without the requests per second"
    if budget.best is None and budget.traffic.rate is not None:
        best = "not known, since nobody knows how many requests come to a step whose share is ?"
    yield f"The whole rollout at best: {best}; besides, pods have to start{people}."
    if not budget.analysis:
        yield "Nothing judges it: there is no analysis, and only pods that are not ready hold it."
        return
    tested = f"at odds of {budget.odds:g} to 1 (alpha {budget.analysis.alpha}, shared by all that test)"
    yield f"A metric takes the candidate off {tested}, looked at every {budget.analysis.interval}."


def _metric(metric: MetricCost, budget: Budget) -> Iterator[str]:
    compared = " vs stable" in metric.title
    stable = f" (stable: {100 * budget.traffic.bad:g}% bad, see --error-rate)" if compared and not metric.note else ""
    yield f"{metric.title}{stable}"
    if metric.note:
        yield f"  {metric.note}"
        return
    steps = {step.number: step for step in budget.steps}
    known = next((found for found in metric.found.values() if found), ())
    if not known:
        yield "  no figures: a candidate that is twice as bad would fail more than all of its requests"
        return
    of = "stable" if compared else "the limit"
    rows = [("until it is taken off", *(f"{100 * one.bad:g}% bad ({one.worse:g}x {of})" for one in known))]
    for number, found in metric.found.items():
        step = steps[number]
        rows.append((f"  {number + 1}  {step.words}", *(_cell(one, step) for one in found)))
    yield from ("  " + line for line in table.lines(rows))


def _cell(one: Detection, step: StepCost) -> str:
    """Requests of the candidate, how many of them fail, the time; and what else comes first."""
    if one.requests is None:
        if step.home is None:
            return "not known"
        return f"never{_ENDS[one.end]}" if step.home else "never: stable has no requests"
    time = f", {spelled(one.time)}" if one.time is not None else ""
    return f"{one.requests:,} requests, {one.failed:,} fail{time}{_ENDS[one.end]}"


_ENDS = {End.REJECTED: "", End.UNKNOWN: "", End.DEADLINE: ": deadline first", End.PASSES: ": passes first"}
