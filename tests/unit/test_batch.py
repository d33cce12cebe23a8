"""Many askers, one question to the source: when it is asked, who gets what, what a fault of one does to the others."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from penstock.metrics.batch import Batch
from penstock.metrics.credentials import TooLarge, Unusable
from penstock.metrics.http import Http, Request
from penstock.metrics.prometheus import MAX_TEXT, Prometheus
from penstock.metrics.samples import chunks, needs, query, split
from penstock.model.measure import (
    Answer,
    Arm,
    Counts,
    Gauge,
    Histogram,
    Levels,
    Measure,
    Query,
    Question,
    Rate,
    Ratio,
    Selector,
    Silence,
)
from tests.fake import clock
from tests.unit.prometheus_source import END, ERRORS, START, Store, counter, question

# who is asked when


@dataclass
class Noting:
    """A source that answers each question with its revision's number."""

    asked: list[tuple[float, list[str]]] = field(default_factory=list)
    takes: float = 0.0
    fault: BaseException | None = None

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked.append((clock.now(), [each.candidate.revision for each in questions]))
        await asyncio.sleep(self.takes)
        if self.fault:
            raise self.fault
        return [Levels((float(each.candidate.revision),)) for each in questions]


def about(number: int) -> Question:
    return replace(question(), candidate=Arm(str(number), ERRORS))


async def after(seconds: float, coming: Coroutine[Any, Any, list[Answer]]) -> list[Answer]:
    await asyncio.sleep(seconds)
    return await coming


def run(source: Noting, *askers: tuple[float, Sequence[int], float], busy: int = 0) -> list[Any]:
    """Each asker by when it comes, what it asks and how long it can wait; what each got."""

    async def story() -> list[Any]:
        batch = Batch("main", source, busy)
        coming = (after(at, batch.ask([about(n) for n in asks], within)) for at, asks, within in askers)
        return await asyncio.gather(*coming, return_exceptions=True)

    return clock.run(story())


def levels(*numbers: int) -> list[Levels]:
    return [Levels((float(number),)) for number in numbers]


def test_who_comes_within_the_window_is_asked_together_and_gets_its_own() -> None:
    source = Noting()
    assert run(source, (0.0, [1, 2], 0.5), (0.3, [3], 0.5), (0.6, [4], 0.5)) == [levels(1, 2), levels(3), levels(4)]
    assert source.asked == [(1000.5, ["1", "2", "3"]), (pytest.approx(1001.1), ["4"])]


def test_the_shortest_patience_counts() -> None:
    source = Noting()
    run(source, (0.0, [1], 0.5), (0.1, [2], 0.1), (0.15, [3], 0.5))
    assert source.asked == [(pytest.approx(1000.2), ["1", "2", "3"])]


def test_who_cannot_wait_takes_the_others_along() -> None:
    source = Noting()
    run(source, (0.0, [1], 0.5), (0.1, [2], 0.0))
    assert source.asked == [(pytest.approx(1000.1), ["1", "2"])]


def test_few_askers_do_not_wait() -> None:
    """Waiting pays where many ask: the third within a second waits here, the first after a quiet second does not."""
    source = Noting()
    run(source, (0.0, [1], 0.5), (0.1, [2], 0.5), (0.2, [3], 0.5), (0.3, [4], 0.5), (2.5, [5], 0.5), busy=3)
    asked = [(pytest.approx(at), who) for at, who in ((1000.0, ["1"]), (1000.1, ["2"]), (1000.7, ["3", "4"]))]
    assert source.asked == [*asked, (pytest.approx(1002.5), ["5"])]


def test_a_slow_answer_does_not_hold_the_next_batch() -> None:
    source = Noting(takes=10.0)
    run(source, (0.0, [1], 0.1), (1.0, [2], 0.1))
    assert [at for at, _ in source.asked] == [pytest.approx(1000.1), pytest.approx(1001.1)]


def test_a_bug_of_a_source_is_silence_for_all_who_asked() -> None:
    source = Noting(fault=ZeroDivisionError())
    silence = Silence("metric source main: a bug (ZeroDivisionError)")
    assert run(source, (0.0, [1, 2], 0.5), (0.1, [3], 0.5)) == [[silence, silence], [silence]]


def test_an_answer_too_few_is_given_to_nobody() -> None:
    class Forgetful(Noting):
        async def ask(self, questions: Sequence[Question]) -> list[Answer]:
            return (await super().ask(questions))[1:]

    ((silence, _), _) = run(Forgetful(), (0.0, [1, 2], 0.5), (0.1, [3], 0.5))
    assert silence == Silence("metric source main: a bug (ValueError)")


@pytest.mark.parametrize("when", ["while it waits", "while it is answered"])
def test_one_that_is_cancelled_takes_nothing_from_the_others(when: str) -> None:
    async def story() -> tuple[list[Answer], list[str]]:
        source = Noting(takes=1.0)
        batch = Batch("main", source, 0)
        gone = asyncio.create_task(batch.ask([about(1)], 0.5))
        stays = asyncio.create_task(batch.ask([about(2)], 0.5))
        await asyncio.sleep(0.2 if when == "while it waits" else 1.0)
        gone.cancel()
        return await stays, source.asked[0][1]

    got, asked = clock.run(story())
    assert got == levels(2) and asked == (["2"] if when == "while it waits" else ["1", "2"])


# what is asked: queries for many at once


def test_what_shares_a_metric_is_one_query() -> None:
    """One with an objective and one with a comparison of the same object share what they read, and so do others."""
    both = [question(), question(compared=True), replace(question(), namespace="other", end=END + timedelta(seconds=1))]
    found = needs(both)
    texts = {query(selector, part) for selector, wanted in found.items() for part in chunks(wanted, 100)}
    where = 'namespace=~"ml|other",penstock_dev_revision=~"churn-new|churn-old"'
    end = END.timestamp() + 1
    assert texts == {
        (f'requests_total{{{where},code=~"5.."}}[137s]', end),
        (f"requests_total{{{where}}}[137s]", end),
    }


def test_a_long_window_does_not_make_the_short_ones_dear() -> None:
    """After an outage one looks back two hours; the others' query stays as short as it was."""
    long = replace(question(), namespace="other", start=START - timedelta(hours=2))
    wanted = needs([question(), long, replace(question(), namespace="third")])[ERRORS.total]
    assert [[need.place[0] for need in part] for part in chunks(wanted, 100)] == [["ml", "third"], ["other"]]


def test_series_that_nobody_asked_for_are_no_answer() -> None:
    wanted = needs([question(compared=True), replace(question(), namespace="other")])[ERRORS.total]
    series = [counter("requests_total", (1, 1)), counter("requests_total", (1, 5), namespace="other")]
    nobodys = counter("requests_total", (1, 7), namespace="other", penstock_dev_revision="churn-old")
    found = split([*series, nobodys], wanted)
    sizes = {place: [samples[0][1] for samples in each.values()] for place, each in found.items()}
    assert sizes == {("ml", "churn-new"): [1.0], ("ml", "churn-old"): [], ("other", "churn-new"): [5.0]}
    for labels in ({"namespace": "third"}, {"penstock_dev_revision": "x"}, {"namespace": ""}):
        with pytest.raises(Unusable, match="another namespace or penstock_dev_revision"):
            split([counter("requests_total", (1, 1), **labels)], wanted)
    with pytest.raises(Unusable, match="the same series twice"):
        split([series[0], series[0]], wanted)


# what is answered: the same, however it was asked


@dataclass(frozen=True)
class Remote(Http):
    """The way to a store in memory, with a cap on what an answer may hold."""

    store: Store = field(default_factory=Store)
    most: int = 1_000_000

    async def fetch(self, request: Request) -> tuple[int, bytes]:
        assert request.form
        text, at = request.form["query"], float(request.form["time"])
        self.store.asked.append(dict(request.form))
        found = self.store.found(text, at)
        if len(found) > self.most:
            raise TooLarge("an answer of more than 4 MiB")
        body = {"status": "success", "data": {"resultType": "matrix", "result": found}}
        return 200, json.dumps(body).encode()


MEASURES: tuple[Measure, ...] = (
    ERRORS,
    Ratio(Selector("answered_total"), Selector("requests_total"), part_is_good=True),
    replace(ERRORS, by="age"),
    Histogram(Selector("seconds_bucket")),
    Rate(Selector("requests_total")),
    Gauge(Selector("queue_depth")),
)
PLACES = [(f"team-{n % 3}", f"model-{n}-{side}") for n in range(5) for side in ("new", "old")]


def grown(dice: Random, name: str, place: tuple[str, str], **labels: str) -> dict[str, Any]:
    """A series that was scraped at odd times, with restarts and gaps, some of it outside of every window."""
    value, samples = dice.randrange(100), []
    for at in sorted(dice.sample(range(-400, 60), dice.randrange(1, 40))):
        value = dice.randrange(5) if dice.random() < 0.05 else value + dice.randrange(20)
        samples.append((at + dice.random(), value))
    return counter(name, *samples, namespace=place[0], penstock_dev_revision=place[1], **labels)


def stocked(dice: Random) -> Store:
    store = Store()
    for place in PLACES:
        for pod in ("a", "b")[: dice.randrange(3)]:
            for code in ("200", "503"):
                for age in ("young", "old")[: dice.randrange(1, 3)]:
                    store.series.append(grown(dice, "requests_total", place, pod=pod, code=code, age=age))
            store.series.append(grown(dice, "answered_total", place, pod=pod))
            store.series.append(grown(dice, "queue_depth", place, pod=pod))
            store.series += [grown(dice, "seconds_bucket", place, pod=pod, le=le) for le in ("0.1", "0.5", "+Inf")]
    return store


def asked_of(dice: Random) -> Question:
    number, measure = dice.randrange(5), dice.choice(MEASURES)
    start = START + timedelta(seconds=dice.uniform(-250 if dice.random() < 0.2 else -20, 20))
    end = start + timedelta(seconds=dice.uniform(0.1, 30))
    new, old = (Arm(f"model-{number}-{side}", measure, dice.random() < 0.3) for side in ("new", "old"))
    return Question("main", f"team-{number % 3}", new, old if dice.random() < 0.5 else None, start, end)


@pytest.mark.parametrize("seed", range(10))
def test_answers_of_a_batch_are_those_of_each_question_alone(seed: int) -> None:
    dice = Random(seed)
    store, questions = stocked(dice), [asked_of(dice) for _ in range(20)]

    async def story(most: int) -> tuple[list[Answer], list[Answer]]:
        source = Prometheus("main", Remote("", None, store=store, most=most))  # type: ignore[arg-type]
        alone = Prometheus("main", Remote("", None, store=store))  # type: ignore[arg-type]
        one_by_one = [answer for each in questions for answer in await alone.ask([each])]
        store.asked.clear()
        return await source.ask(questions), one_by_one

    together, alone = asyncio.run(story(1_000_000))
    assert together == alone
    assert len(store.asked) <= 15, "five selectors, each at most for three lengths of time"
    halved, alone = asyncio.run(story(12))  # so little is allowed that queries are halved, down to one revision
    assert halved == alone
    assert sum(isinstance(each, Silence) for each in alone) < len(alone)


def test_one_revision_that_is_too_large_alone_is_silent_alone() -> None:
    many = [counter("requests_total", (-5, 1), (14, 2), code=str(n)) for n in range(9)]
    few = counter("requests_total", (-5, 10), (14, 30), code="200", namespace="other")
    both = [question(), replace(question(), namespace="other")]

    async def story() -> tuple[list[Answer], list[Answer]]:
        store = Store([*many, few])
        source = Prometheus("main", Remote("", None, store=store, most=4))  # type: ignore[arg-type]
        first = await source.ask(both)
        before = len(store.asked)
        second = await source.ask(both)
        assert len(store.asked) - before < before, "what was too large is asked in parts at once"
        return first, second

    first, second = asyncio.run(story())
    assert first == second == [Silence("metric source main: an answer of more than 4 MiB"), Counts(0, 20)]


def test_a_query_is_never_longer_than_sources_take() -> None:
    """Two hundred long names are asked for in parts, of which none is sent that would be refused."""
    store = Store()
    long = [replace(question(), candidate=Arm(f"{n}-" + "x" * 200, ERRORS)) for n in range(200)]

    async def story() -> list[Answer]:
        return await Prometheus("main", Remote("", None, store=store)).ask(long)  # type: ignore[arg-type]

    assert asyncio.run(story()) == [Counts(0, 0)] * 200
    assert max(len(each["query"]) for each in store.asked) <= MAX_TEXT


def test_slow_queries_of_users_do_not_keep_samples_waiting() -> None:
    @dataclass(frozen=True)
    class Stuck(Remote):
        async def fetch(self, request: Request) -> tuple[int, bytes]:
            if request.form and "slow" in request.form["query"]:
                await asyncio.sleep(60)
            return await super().fetch(request)

    async def story() -> list[Answer]:
        users = [replace(question(), candidate=Arm("churn-new", Query(f"slow_{n}", {}))) for n in range(20)]
        store = Store([counter("requests_total", (-5, 1), (14, 4), code="200")])
        source = Prometheus("main", Stuck("", None, store=store))  # type: ignore[arg-type]
        stuck = asyncio.create_task(source.ask(users))
        await asyncio.sleep(1.0)
        (sampled,) = await source.ask([question()])
        assert clock.now() == pytest.approx(1001.0), "at once"
        return [sampled, *await stuck]

    sampled, *stuck = clock.run(story())
    assert sampled == Counts(0, 3)
    assert set(stuck) == {Silence("metric source main: does not answer: not all within 5s")}
