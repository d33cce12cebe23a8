"""Stories of users: who keeps what they were given, and who picks for themselves. Each user has a browser's cookies."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
from scipy.stats import binom

from examples.demo.load import Question, read_answer
from examples.demo.records import NO_ANSWER, OK, Answer
from tests.e2e.stories.crowd import Crowd, versions
from tests.e2e.stories.scene import Scene

USERS = 500
RATE = 40.0
WEIGHTS = (10, 30, 60)
RARE = 1e-5  # how often an honest draw may look dishonest to one of these stories


@dataclass
class Users(Crowd):
    """Users who ask one after another, each with the cookies that they were given, never a retry."""

    jars: dict[int, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    seen: dict[int, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    asked: int = 0

    async def _ask(self, session: aiohttp.ClientSession, question: Question, due: float) -> None:
        user, sent = self.asked % USERS, time.time()
        self.asked += 1
        jar = self.jars[user]
        headers = {"Content-Type": "application/json", **self.headers}
        headers |= {"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items())} if jar else {}
        try:
            async with session.post(self.url, data=question.body, headers=headers) as response:
                found = await response.json(content_type=None) if response.status == OK else {}
                status = response.status
                for text in response.headers.getall("Set-Cookie", []):
                    jar |= {k: v.value for k, v in SimpleCookie(text).items()}
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            found, status = {}, NO_ANSWER
        version, right = read_answer(status, found, question.label)
        self.answers.append(Answer(sent, time.time() - due, status, version, right))
        self.seen[user].append(self.answers[-1])

    def last(self) -> dict[int, str]:
        """What each user got last."""
        return {user: answers[-1].version for user, answers in self.seen.items() if answers}


def within(count: int, percent: int) -> bool:
    """Whether so many of the users may have been drawn with this chance."""
    low, high = binom.ppf([RARE / 2, 1 - RARE / 2], USERS, percent / 100)
    return bool(low <= count <= high)


# Each step lasts until the story has seen everybody in it, however slow the machine is.
ASKED = {"duration": "1s", "approval": {"minApprovals": 1}}
STEPS: dict[str, Any] = {"canary": {"steps": [{"weight": w, **ASKED} for w in WEIGHTS]}}


async def come(scene: Scene, rollout: dict[str, Any]) -> Users:
    """v1 serves users who keep what they get; v2 is tried."""
    traffic = {"gateway": {"name": "models"}, "hostnames": [scene.host], "sticky": {"maxAge": "1h"}}
    await scene.apply("v1", rollout, traffic=traffic)
    await scene.settled("v1")
    url = f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    users = Users(url, scene.house.rows, RATE, {"Host": scene.host})
    scene.send(users)
    await scene.until(lambda _: len(users.seen) == USERS)
    assert not any(users.jars.values()), "nobody is marked before there is anything to keep"
    await scene.apply("v2", rollout, traffic=traffic)
    return users


async def everybody_asks(scene: Scene, users: Users) -> dict[int, str]:
    """What each got, once all have asked since now."""
    asked = users.asked
    await scene.until(lambda _: users.asked >= asked + USERS)
    await asyncio.sleep(0.5)  # the answers of the last
    return users.last()


def moves(answers: Iterable[Answer]) -> str:
    """The versions that somebody got, each run of one as one word."""
    told: list[str] = []
    for answer in answers:
        if not answer.failed and told[-1:] != [answer.version]:
            told.append(answer.version)
    return " ".join(told)


async def sticky(scene: Scene) -> None:
    """500 users: their share is the weight at each step, who is on the new version stays, nobody moves twice."""
    users = await come(scene, STEPS)
    shares, before = [], set[int]()
    for number, weight in enumerate(WEIGHTS):
        await scene.step(number)
        at = await everybody_asks(scene, users)
        on = {user for user, version in at.items() if version == "v2"}
        shares.append(len(on))
        assert before <= on, f"left the candidate: {before - on}"
        assert within(len(on), weight), f"{len(on)} of {USERS} users at {weight}%"
        before = on
        await scene.until(lambda s: s.ready.get("reason") == "WaitingForApproval")
        await scene.annotate(f"judge-{number}", approve=f"{scene.candidate['revision']}/{number + 1}")
    await scene.settled("v2")
    await scene.known()
    assert set((await everybody_asks(scene, users)).values()) == {"v2"}
    told = {user: moves(answers) for user, answers in users.seen.items()}
    assert set(told.values()) == {"v1 v2"}, [(u, m) for u, m in told.items() if m != "v1 v2"]
    await scene.until(lambda s: len(rules(s)) == 1)
    scene.note(users_on_v2=shares, of=USERS, at=WEIGHTS)
    scene.no_failure()


async def sticky_abort(scene: Scene) -> None:
    """An abort at 60 %: every user is back at once, no cookie holds anybody, and a retry draws anew."""
    users = await come(scene, {"canary": {"steps": [{"weight": 60, "duration": "10m"}]}})
    await scene.step(0)
    at = await everybody_asks(scene, users)
    on = {user for user, version in at.items() if version == "v2"}
    assert within(len(on), 60), len(on)
    name, asked = scene.candidate["revision"], time.time()
    await scene.annotate("eve", abort=name)
    await scene.rejected("Aborted")
    await scene.until(lambda s: s.sights("HTTPRoute")[-1].at > asked)  # kinds are watched apart: it may come later
    off = next(s.at for s in scene.sights("HTTPRoute") if s.at > asked)
    back = await everybody_asks(scene, users)
    assert set(back.values()) == {"v1"}
    late = [a for a in users.answers if a.sent > off + 1.0 and a.version == "v2"]
    assert not late, f"{len(late)} were still on v2 a second after the route was written"
    await scene.until(lambda s: len(rules(s)) == 1)
    await scene.annotate("eve", abort="", retry=name)
    await scene.step(0)
    again = {user for user, version in (await everybody_asks(scene, users)).items() if version == "v2"}
    assert within(len(again), 60) and again != on, "the second draw is the first one"
    scene.note(users_on_v2=len(on), again=len(again), both=len(on & again), of=USERS)
    scene.no_failure()


def rules(scene: Scene) -> list[dict[str, Any]]:
    """Of the route as it was last seen."""
    return list(scene.sights("HTTPRoute")[-1].seen["spec"]["rules"])


async def named(scene: Scene) -> None:
    """A request that names its revision reaches it at weight 0 too, and nobody else does."""
    traffic = {"gateway": {"name": "models"}, "hostnames": [scene.host], "previewHeader": "x-revision"}
    rollout = {"blueGreen": {"approval": {"minApprovals": 1}}}
    await scene.apply("v1", rollout, traffic=traffic, analysis=None)
    await scene.settled("v1")
    main = scene.crowd(rate=10.0)
    await scene.apply("v2", rollout, traffic=traffic, analysis=None)
    await scene.until(lambda s: s.ready.get("reason") == "WaitingForApproval")
    name, home = scene.candidate["revision"], scene.status["stable"]["revision"]
    assert scene.candidate["url"] == f"http://{name}.stories.svc"
    await scene.until(lambda s: name in str(s.sights("HTTPRoute", f"{s.name}-revisions")[-1].seen["spec"]))
    await scene.known()
    asking = {
        word: scene.crowd(headers={"x-revision": word, "Cookie": "a=1"}, rate=4.0)
        for word in ("candidate", name, "stable", home)
    }
    await scene.until(lambda _: all(len(crowd.answers) > 12 for crowd in asking.values()))
    got = {word: dict(versions(crowd.answers)) for word, crowd in asking.items()}
    assert {word: set(each) for word, each in got.items()} == {
        "candidate": {"v2"},
        name: {"v2"},
        "stable": {"v1"},
        home: {"v1"},
    }, got
    assert set(versions(main.answers)) == {"v1"}
    await scene.annotate("alice", approve=name)
    await scene.settled("v2")
    seen = len(asking["stable"].answers)
    await scene.until(lambda _: len(asking["stable"].answers) > seen + 8)
    assert asking["stable"].answers[-1].version == "v2", "stable is who is stable now"
    scene.no_failure()


async def ab_by_query(scene: Scene) -> None:
    """An A/B test by a parameter of the address."""
    wished = {"abTest": {"match": [{"query": "variant", "value": "b"}], "duration": "5s"}}
    await scene.apply("v1", wished)
    await scene.settled("v1")
    url = f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    queries = ("", "?variant=b", "?variant=bb")
    crowds = {q: scene.send(Crowd(url + q, scene.house.rows, 10.0, {"Host": scene.host})) for q in queries}
    await scene.apply("v2", wished)
    await scene.step(0)
    begin = time.time()
    await scene.until(lambda s: s.candidate.get("step") == 1 or s.status["stable"]["version"] == "v2")
    end = time.time() - 0.7
    got = {q: set(versions(a for a in c.answers if begin + 0.5 < a.sent < end)) for q, c in crowds.items()}
    assert got == {"": {"v1"}, "?variant=b": {"v2"}, "?variant=bb": {"v1"}}, got
    await scene.settled("v2")
    scene.no_failure()
