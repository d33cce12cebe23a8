"""Every strategy and every turn of fate, on the real cluster, under real load. Told side by side; one test for each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import providers
from examples.demo import setup
from tests.e2e.conftest import Stage
from tests.e2e.stories import (
    access,
    canaries,
    grpc,
    lazy,
    others,
    payloads,
    pods,
    routes,
    shares,
    sizes,
    sleepers,
    streams,
    users,
)
from tests.e2e.stories.play import Outcome, Story, open_house, play

STORIES: dict[str, Story] = {
    # Those that take longest first, so that none is left alone in the end.
    "share-seen": shares.seen,
    "share-stolen": shares.stolen,
    "streams-promoted": streams.promoted,
    "streams-rolled-back": streams.rolled_back,
    "streams-scaled-down": streams.scaled_down,
    "sticky": users.sticky,
    "sticky-abort": users.sticky_abort,
    "asleep-woken": sleepers.woken,
    "asleep-rollout": sleepers.rolled_out,
    "objective": sizes.objective,
    "objective-in-vain": sizes.in_vain,
    "budget": sizes.budget,
    "cold": lazy.cold,
    "scaled": others.scaled,
    "canary-good": canaries.good,
    "canary-bad": canaries.bad,
    "supersede": canaries.supersede,
    "revert": canaries.revert,
    "abort-and-retry": canaries.abort_and_retry,
    "undo": canaries.undo,
    "pause": canaries.pause,
    "approval": canaries.approval,
    "bake-good": canaries.bake_good,
    "bake-breach": canaries.bake_breach,
    "never-ready-then-fixed": canaries.never_ready_then_fixed,
    "every-kind-of-metric": canaries.every_kind,
    "value-below": canaries.value_below,
    "blue-green": others.blue_green,
    "blue-green-by-service": others.blue_green_by_service,
    "canary-by-pods": pods.good,
    "canary-by-pods-bad": pods.bad,
    "shadow": others.shadow,
    "shadow-bad": others.shadow_bad,
    "ab-by-header": others.ab_by_header,
    "ab-by-cookie": others.ab_by_cookie,
    "ab-bad": others.ab_bad,
    "ab-by-query": users.ab_by_query,
    "named": users.named,
    "rolling": others.rolling,
    "deleted": others.deleted,
    "orphaned": others.orphaned,
    "adopted": others.adopted,
    "configured": others.configured,
    "api-key": access.api_key,
    "limits": access.limits,
    "tokens": access.tokens,
    "https": access.https,
    "payloads-told": payloads.told,
    "own-route": routes.own_route,
    "grpc": grpc.grpc,
}


# What takes minutes by its subject, and is told at night: STORIES=all tells everything.
NIGHTLY = (
    "share-seen",
    "share-stolen",
    "streams-scaled-down",
    "sticky-abort",
    "grpc",
    "asleep-rollout",
    "objective",
    "objective-in-vain",
    "budget",
)
ASKED = os.environ.get("STORIES", "")
NAMES = list(STORIES) if ASKED == "all" else ASKED.split() or [name for name in STORIES if name not in NIGHTLY]


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[dict[str, Outcome]]:
    place = setup.prepare(stage.name)
    providers.get(stage.name).load([lazy.image()])
    with open_house(place) as house:
        found = play(house, {name: STORIES[name] for name in NAMES})
    if report := os.environ.get("STORIES_REPORT"):
        Path(report).write_text(table(found))
    yield found


@pytest.mark.parametrize("name", NAMES)
def test_on_the_real_cluster(told: dict[str, Outcome], name: str) -> None:
    outcome = told[name]
    print(
        f"{name}: {outcome.seconds:.0f} s, {outcome.requests} requests, {outcome.failed} failed, {dict(outcome.notes)}"
    )
    assert not outcome.trouble, outcome.trouble


def table(found: dict[str, Outcome]) -> str:
    """The report: what was told, with its figures."""
    lines = [
        "# Stories on the real cluster",
        "",
        "Written by `STORIES_REPORT=docs/reports/stories.md make e2e`: real pods, gateway, Prometheus, models;",
        "clients that never retry. Failed requests are allowed only where a bad version answered them.",
        "",
        "| story | what it shows | seconds | requests | failed | measured | result |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, o in found.items():
        notes = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in o.notes.items())
        shown = (STORIES[name].__doc__ or "").split("\n")[0]
        result = "failed" if o.trouble else "passed"
        lines.append(f"| {name} | {shown} | {o.seconds:.0f} | {o.requests:,} | {o.failed} | {notes} | {result} |")
    return "\n".join(lines) + "\n"
