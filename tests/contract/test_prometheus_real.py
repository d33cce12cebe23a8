"""The adapter's counts against a real Prometheus that scrapes a real exposition: exact to the request."""

from datetime import timedelta

from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Arm, Counts, Question
from tests.contract.prometheus_scene import ERRORS, FAST, Scene, Tell


def test_adjoining_windows_count_every_request_once(play: Tell) -> None:
    """Through births of series, an idle window and a restart; nothing is extrapolated and nothing is lost."""

    async def story(scene: Scene) -> None:
        new, old, other = scene.pods.values()
        old.answers(200, 1000)
        other.answers(200, 500)
        begin = await scene.stored()
        new.answers(200, 17)
        old.answers(200, 301)
        first = await scene.stored()
        assert await scene.ask(ERRORS, (begin, first), born=True) == Counts(0, 17, 0, 301)
        new.answers(500, 3)  # the first failures: their series begins at 3
        new.answers(200, 40)
        other.answers(503, 1)
        second = await scene.stored()
        assert await scene.ask(ERRORS, (first, second)) == Counts(3, 43, 1, 1)
        idle = second + timedelta(milliseconds=50)
        assert await scene.ask(ERRORS, (second, idle)) == Counts(0, 0, 0, 0)
        new.restarts()
        new.answers(200, 8)
        new.answers(500, 2)
        third = await scene.stored()
        assert await scene.ask(ERRORS, (idle, third)) == Counts(2, 10, 0, 0)
        assert await scene.ask(ERRORS, (begin, third), born=True) == Counts(5, 70, 1, 302)

    play("windows", story)


def test_slow_requests_are_those_outside_the_bucket(play: Tell) -> None:
    async def story(scene: Scene) -> None:
        new, old, _ = scene.pods.values()
        new.takes(fast=1, slow=0)
        old.takes(fast=100, slow=5)
        begin = await scene.stored()
        new.takes(fast=12, slow=4)
        old.takes(fast=90, slow=1)
        assert await scene.ask(FAST, (begin, await scene.stored())) == Counts(4, 16, 1, 91)

    play("slow", story)


def test_increase_would_not_have_seen_the_first_failures(play: Tell) -> None:
    """Why raw samples are added up here, and increase() is not asked."""

    async def story(scene: Scene) -> None:
        new = scene.pods["new-1"]
        new.answers(200, 10)
        begin = await scene.stored()
        new.answers(500, 3)
        end = await scene.stored()
        seen = await scene.query('sum(increase(requests_total{namespace="born",code="500"}[1m]))')
        assert not seen or float(seen[0]["value"][1]) == 0.0
        assert await scene.ask(ERRORS, (begin, end)) == Counts(3, 3, 0, 0)

    play("born", story)


def test_nothing_of_another_namespace_or_revision_is_counted(play: Tell) -> None:
    async def story(scene: Scene) -> None:
        begin = await scene.stored()
        for pod in scene.pods.values():
            pod.answers(500, 5)
        end = await scene.stored()
        for namespace, revision in (("windows", "churn-new"), ("others", "churn-ne"), ("others", "churn-.*")):
            new = namespace == "others"  # a new one's count begins some seconds before, when another test was at work
            about = Question("real", namespace, Arm(revision, ERRORS, born=new), None, begin, end)
            assert await Prometheus("real", Http(scene.url, scene.session)).ask([about]) == [Counts(0, 0)]

    play("others", story)
