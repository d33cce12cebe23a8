"""Proofs that take long: ten thousand requests through one promotion, and five minutes in which nothing happens.

They print what they measured; the last figures are in docs/reports.
"""

import re
import time
from collections.abc import Iterator

import pytest

from examples.demo import setup, story
from examples.demo.play import Play
from examples.demo.play import Stage as Scene
from examples.demo.records import add_up
from examples.demo.screen import Screen
from examples.demo.tale import Tale
from examples.demo.watch import NAMESPACE, Watches
from tests.e2e.conftest import Stage, stage

__all__ = ["stage"]

COUNTED = re.compile(r'^penstock_api_requests_total\{code="(\d+)",kind="(\w+)",verb="(\w+)"\} (\S+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[Tale]:
    """v1, then v2 with a minute and more in each step; v2 stays."""
    place = setup.prepare(stage.name)
    url = setup.open_gateway(place.kubectl)
    records = setup.scratch() / "nightly.jsonl"
    records.unlink(missing_ok=True)
    screen = Screen()
    with pytest.MonkeyPatch.context() as patch, Watches(place.kubectl) as watches:
        patch.setattr(story, "FAST", {"duration": "66s"})
        patch.setattr("examples.demo.play.PATIENCE", 600.0)
        tale = Play(Scene(place, url, setup.rows(), records, 50.0, True), watches, screen).tell(story.STORY[:2])
    screen.close([])
    yield tale
    setup.clear(place.kubectl)


def test_a_healthy_promotion_loses_none_of_ten_thousand_requests(told: Tale) -> None:
    total = add_up(told.asked(told.chapters[1]))
    print(f"promotion: {total.requests} requests, {total.failed} failed")
    assert told.chapters[1].settled
    assert total.requests >= 10000
    assert total.failed == 0


@pytest.mark.usefixtures("told")
def test_a_settled_object_costs_nothing_for_five_minutes(stage: Stage) -> None:
    assert '"Settled"' in stage.kubectl("get", "mdep", "digits", f"--namespace={NAMESPACE}", "--output=json")
    before = requests(stage)
    time.sleep(300)  # the subject: nothing may happen in this time
    after = requests(stage)
    print(f"five minutes: {sum(after.values()) - sum(before.values())} requests besides watches and lease")
    assert after == before


def requests(stage: Stage) -> dict[str, int]:
    """The operator's own count of its requests; watches are kopf's and the lease has a client of its own."""
    pod = stage.kubectl("get", "pods", "--namespace=penstock-system", "--output=jsonpath={.items[0].metadata.name}")
    path = f"/api/v1/namespaces/penstock-system/pods/{pod}:8080/proxy/metrics"
    found = COUNTED.findall(stage.kubectl("get", "--raw", path))
    return {" ".join(one[:3]): int(float(one[3])) for one in found}
