"""Whatever a ModelDeployment may say: what comes of it stays in its namespace, under its name, in restricted pods."""

import re
from functools import cache
from typing import Any

import pytest

from tests.fake.clock import run
from tests.golden.test_laws import breaches
from tests.walk.grounds import GROUNDS
from tests.walk.meadow import OURS, WEATHERS, Meadow

Object = dict[str, Any]
NAME = re.compile(r"churn(-[0-9a-f]{10}(-[0-9]+|-[0-9a-f]+)?|-(preview|revisions|door|lock|payload))?")
THEIRS = {("HTTPRoute", "churn-route"), ("ConfigMap", "limits"), ("ConfigMap", "other")}


@cache
def told(name: str) -> list[Object]:
    """Every object that was there at any time, while one version followed another; one that may sleep does."""
    return run(_told(GROUNDS[name], "empty" if name == "sleeper" else "fine"))


async def _told(spec: Object, weather: str) -> list[Object]:
    sim = Meadow(weather=WEATHERS[weather])
    for version in ("v1", "v2"):
        sim.want(spec | {"model": spec["model"] | {"version": version}})
        await sim.settle(600)
        await sim.run(300)
    assert sim.ear.bugs == []
    return [live for _, live in sim.store.history if live["kind"] in OURS]


@pytest.mark.parametrize("name", GROUNDS)
def test_no_field_leads_a_write_out_of_the_namespace_or_to_another_name(name: str) -> None:
    for live in told(name):
        meta = live["metadata"]
        assert meta["namespace"] == "ml", live
        assert (live["kind"], meta["name"]) in THEIRS or NAME.fullmatch(meta["name"]), (live["kind"], meta["name"])


@pytest.mark.parametrize("name", GROUNDS)
def test_every_pod_is_restricted_reads_only_and_has_no_token(name: str) -> None:
    found = [live for live in told(name) if live["kind"] == "Deployment"]
    assert found and (name != "sleeper" or any(live["metadata"]["name"] == "churn-door" for live in found))
    for live in found:
        template = live["spec"]["template"]
        assert breaches(template) == []
        assert template["spec"]["automountServiceAccountToken"] is False
        containers = [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]
        assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in containers)
