"""Stories of a fixed cohort and of copies: what the route says over time, and that nobody is refused in between."""

from itertools import groupby
from typing import Any

import pytest

from penstock.model.measure import Answer, Counts, Question
from penstock.routing import gateway
from tests.fake.clock import run
from tests.sim.machine import RPS, Nature, Object, Sim, model

MATCH = [{"header": "x-cohort", "value": "beta"}, {"cookie": "cohort", "value": "beta"}]
TEST: Object = {"abTest": {"match": MATCH, "duration": "10s"}}


def wish(version: str, **rollout: Any) -> Object:
    """v2 is tried in these steps, then by everybody."""
    return model(version, rollout={"deadline": "2m", "scaleDownDelay": "5s", **rollout})


def routes(sim: Sim) -> list[Object]:
    """The route as it was after each write of its spec."""
    seen = [live for change, live in sim.store.history if live["kind"] == "HTTPRoute" and change != "DELETED"]
    return [next(group) for _, group in groupby(seen, lambda live: live["metadata"]["generation"])]


def place(route: Object) -> str:
    """What stands in the route for a cohort: nothing, a place for nobody, or the version that it gets."""
    seen = gateway.read(route)
    return "nobody" if seen.parked else seen.cohort.rpartition("-")[0] and "cohort"


def steps(sim: Sim) -> list[str]:
    return [name for name, _ in groupby(map(place, routes(sim)))]


def marked(sim: Sim, question: Question) -> Answer:
    """One request in ten is marked, or copied, and so the candidate's."""
    total = round(RPS * (question.end - question.start).total_seconds())
    rate = sim.natures.get(sim.version_of(question.candidate.revision), Nature()).error_rate
    return Counts(round(rate * total / 10), total // 10, 0, total)


async def told(nature: Nature, **rollout: Any) -> Sim:
    """v1 serves, v2 is applied and has two minutes."""
    sim = Sim(natures={"v2": nature}, metrics=marked)
    sim.apply(wish("v1", **rollout))
    await sim.run(60)
    sim.apply(wish("v2", **rollout))
    await sim.run(180)
    return sim


GOOD, BAD = Nature(), Nature(error_rate=0.5)


@pytest.mark.parametrize(("nature", "ends"), [(GOOD, "v2"), (BAD, "v1")], ids=["good", "bad"])
def test_a_cohort_comes_into_a_place_that_is_there_and_leaves_it_before_it_goes(nature: Nature, ends: str) -> None:
    async def story() -> None:
        sim = await told(nature, **TEST)
        assert steps(sim) == ["", "nobody", "cohort", "nobody", ""]
        assert sim.weights() == {ends: 100}

    run(story())


def test_while_the_cohort_tests_all_others_get_the_stable_version() -> None:
    async def story() -> None:
        sim = await told(GOOD, **TEST)
        tested = [gateway.read(route) for route in routes(sim) if place(route) == "cohort"]
        assert tested and all(seen.weights[seen.cohort] == 0 for seen in tested)

    run(story())


def test_a_shadow_gets_copies_and_no_share() -> None:
    async def story() -> None:
        sim = await told(GOOD, shadow={"percent": 30, "duration": "10s"})
        copied = [seen for seen in map(gateway.read, routes(sim)) if seen.mirror]
        assert copied and {seen.mirror[1] for seen in copied if seen.mirror} == {30}
        assert all(seen.weights[seen.mirror[0]] == 0 for seen in copied if seen.mirror)
        assert steps(sim) == [""] and sim.weights() == {"v2": 100}

    run(story())
