"""What a real Prometheus says to the other measures, to users' own PromQL, and to one query for two namespaces."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.promql import confined, fill
from penstock.model.measure import Counts, Gauge, Histogram, Levels, Query, Rate, Selector, Shapes
from tests.contract.prometheus_scene import ERRORS, NAMESPACES, Scene, Tell
from tests.unit.test_promql import FILLS, HELD


async def steepness(scene: Scene, end: datetime) -> float:
    """Growth a second of the candidate's counter from its first sample to its last, without the adapter."""
    text = f'seconds_count{{namespace="{scene.namespace}",penstock_dev_revision="churn-new"}}[2m] @ {end.timestamp()}'
    (series,) = await scene.query(text)
    (first, low), (last, high) = series["values"][0], series["values"][-1]
    return (float(high) - float(low)) / (last - first)


def test_a_histogram_a_rate_and_values_are_read(play: Tell) -> None:
    """All of one batch: their needs share queries, and each gets its own."""

    async def story(scene: Scene) -> None:
        new, old, other = scene.pods.values()
        new.takes(fast=1, slow=1)
        begin = await scene.stored()
        new.takes(fast=12, slow=4)
        old.takes(fast=90, slow=1)
        other.takes(fast=5, slow=0)
        end = await scene.stored()
        asked = [
            scene.about(Histogram(Selector("seconds_bucket")), (begin, end)),
            scene.about(Rate(Selector("seconds_count")), (begin, end)),
            scene.about(Gauge(Selector("seconds_count")), (begin, end)),
            scene.about(Gauge(Selector("nowhere")), (begin, end)),
        ]
        shapes, rate, gauge, nothing = await scene.source().ask(asked)
        assert isinstance(shapes, Shapes) and shapes.bounds == ("0.25", "+Inf"), shapes
        assert shapes.candidate == (12, 4)
        assert isinstance(rate, Levels) and rate.values == pytest.approx([await steepness(scene, end)])
        assert (gauge, nothing) == (Levels((18.0,)), Levels(()))

    play("shapes", story)


def test_a_users_query_sees_its_own_namespace_only(play: Tell) -> None:
    async def story(scene: Scene) -> None:
        for pod in scene.pods.values():
            pod.answers(200, 7)
        end = await scene.stored()
        source, fills = scene.source(), {"namespace": "written", "revision": "churn-new"}
        everything = "sum(requests_total{path='/infer'}) or sum({__name__=~'requests_.+',path='/infer'})"
        own = "requests_total{penstock_dev_revision='{{revision}}',path='/infer',namespace=~'.+'}"
        asked = [scene.about(Query(text, fills), (end - timedelta(seconds=5), end)) for text in (everything, own, "up")]
        assert await source.ask(asked) == [Levels((21.0,)), Levels((7.0,)), Levels((1.0, 1.0, 1.0))]
        (wide,) = await Prometheus("real", Http(scene.url, scene.session), raw=True).ask(asked[2:])
        assert isinstance(wide, Levels) and len(wide.values) == 3 * len(NAMESPACES)

    play("written", story)


def test_what_the_parser_makes_of_queries_is_understood(play: Tell) -> None:
    """Two parsers must read the same in it: what is sent is what was held to the namespace."""

    async def story(scene: Scene) -> None:
        for written, _ in HELD.values():
            text = confined(fill(written, FILLS), scene.namespace)
            async with scene.session.get(f"{scene.url}/api/v1/query", params={"query": text}) as answer:
                assert answer.status == 200, (text, await answer.text())

    play("written", story)


def test_one_query_for_two_namespaces_leaks_nothing(play: Tell) -> None:
    """Two namespaces have revisions of the same names."""

    async def story(scene: Scene) -> None:
        begin = await scene.stored()
        scene.pods["new-1"].answers(500, 9)
        end = await scene.stored()
        mine = scene.about(ERRORS, (begin, end))
        theirs = replace(mine, namespace="neighbour", candidate=replace(mine.candidate, revision="churn-old"))
        answers = await scene.source().ask([theirs, mine])
        assert answers == [Counts(0, 0, 0, 0), Counts(9, 9, 0, 0)]

    play("written", story)
