"""What is done to a model under load, one function for each case. Each answers with the windows that it went through.

A window reaches from the middle between two happenings to the middle of the next two, so that every request lies in
one. How long it lasts is counted in requests: clients on a busy machine may be slower than was asked for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any

from bench.breach.clients import Witnesses
from bench.traffic import acts
from bench.traffic.facts import ODDS, Window
from examples.demo.records import OK
from tests.e2e.stories import payloads, small
from tests.e2e.stories.scene import Scene

WEIGHTS = (1, 5, 20, 50)
POINT = 0.01
SETTLE = 1.0  # seconds after a share was seen in the route
PATIENCE = 900.0
PATIENT = 30.0  # seconds: late is not lost; a gateway whose upstream is silent gives up sooner, and says so
LOOK = 0.5  # seconds between two looks at pods
IDLE: dict[str, Any] = {"scaleDownDelay": "5s", "deadline": "300s"}
TWO: dict[str, Any] = {"minReplicas": 2}
SLOW = 0.45


@dataclass(frozen=True)
class Wish:
    """How much is asked for."""

    requests: int
    rate: float

    def seconds(self, requests: float) -> float:
        """How long so many requests take."""
        return requests / self.rate


Play = Callable[[Scene, Wish], Awaitable[list[Window]]]


def clients(scene: Scene, wish: Wish, url: str = "", lasting: bool = True) -> Witnesses:
    """They begin to ask, through the gateway or elsewhere, and never ask again what has failed."""
    url = url or f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    crowd = Witnesses(url, scene.house.rows, wish.rate, {"Host": scene.host}, lasting, patience=PATIENT)
    scene.send(crowd)
    return crowd


async def asked(scene: Scene, crowd: Witnesses, requests: float) -> None:
    """Wait until so many more have been answered."""
    until = len(crowd.told) + requests
    await scene.until(lambda s: len(crowd.told) >= until, PATIENCE)


async def around(scene: Scene, wish: Wish, act: Awaitable[Any], crowd: Witnesses) -> tuple[float, float]:
    """Half of the requests before something is done, and half after it."""
    begin = time.time()
    await asked(scene, crowd, wish.requests / 2)
    await act
    await asked(scene, crowd, wish.requests / 2)
    return begin, time.time()


def enough(weight: int, requests: int) -> int:
    """Requests after which a fair split is within a point but once in a thousand times; no fewer than asked for."""
    share = weight / 100
    return max(requests, ceil(requests / 10_000 * share * (1 - share) * (ODDS / POINT) ** 2))


async def rollout(scene: Scene, wish: Wish) -> list[Window]:
    """A good version from its first pod to the old one's last: start, each share, promotion, delete."""
    steps = [{"weight": weight, "duration": "1s", "approval": {"minApprovals": 1}} for weight in WEIGHTS]
    held = {"canary": {"steps": steps}, **IDLE}
    await small.first(scene, held, scaling=TWO)
    old = scene.status["stable"]["revision"]
    crowd, edges = clients(scene, wish), [time.time()]
    await asked(scene, crowd, wish.requests / 2)
    await small.apply(scene, "v2", held, scaling=TWO)
    shares = []
    for number, weight in enumerate(WEIGHTS):
        shares.append(await _held(scene, wish, crowd, number))
        edges.append((shares[-1].begin + shares[-1].end) / 2)
        await scene.annotate(approve=f"{scene.candidate['revision']}/{number + 1}")
        print(f"    {weight} % is over", flush=True)
    await scene.until(lambda s: s.status["stable"]["version"] == "v2", PATIENCE)
    await asked(scene, crowd, wish.requests / 2)
    edges.append(time.time())
    await scene.until(lambda s: s.sights("Deployment", old)[-1].change == "DELETED", PATIENCE)
    await asked(scene, crowd, wish.requests)
    edges.append(time.time())
    names = ["start of a candidate, step to 1 %", *(f"step to {weight} %" for weight in WEIGHTS[1:])]
    names += ["promotion", "delete of the old revision"]
    return shares + [Window(name, a, b) for name, (a, b) in zip(names, pairwise(edges), strict=True)]


async def _held(scene: Scene, wish: Wish, crowd: Witnesses, number: int) -> Window:
    """A step, for as many requests as its share asks for."""
    begin = await _shifted(scene, number) + SETTLE
    await asked(scene, crowd, enough(WEIGHTS[number], wish.requests) + SETTLE * wish.rate)
    return Window(f"share of {WEIGHTS[number]} %", begin, time.time(), "v2", WEIGHTS[number])


async def _shifted(scene: Scene, number: int) -> float:
    def is_there(seen: Scene) -> bool:
        return seen.candidate.get("step", -1) >= number and bool(seen.candidate.get("shiftedAt"))

    return await scene.until(is_there, PATIENCE)


async def no_keep_alive(scene: Scene, wish: Wish) -> list[Window]:
    """A whole rollout, with clients that open a connection for each request."""
    steps = {"canary": {"steps": [{"weight": weight, "duration": "3s"} for weight in (5, 50)]}, **IDLE}
    await small.first(scene, steps, scaling=TWO)
    crowd = clients(scene, wish, lasting=False)

    async def roll() -> None:
        await small.apply(scene, "v2", steps, scaling=TWO)
        await scene.settled("v2")

    return [Window("a rollout, a connection for each request", *await around(scene, wish, roll(), crowd))]


async def slow(scene: Scene, wish: Wish) -> list[Window]:
    """A version that answers late is taken off; late answers are answers."""
    judged = {
        "interval": "2s",
        "minRequests": 15,
        "metrics": [{"name": "errorRate", "max": "2%"}, {"name": "slowRate", "threshold": "300ms", "max": "5%"}],
    }
    steps = {"canary": {"steps": [{"weight": 30, "duration": "60s"}]}, **IDLE}
    await small.first(scene, steps, scaling=TWO, analysis=judged)
    crowd = clients(scene, wish)

    async def roll() -> None:
        await small.apply(scene, "v2", steps, slow=SLOW, scaling=TWO, analysis=judged)
        await scene.rejected("SlowRateAbove")
        name = scene.status["rejected"][-1]["revision"]
        await scene.until(lambda s: s.sights("Deployment", name)[-1].change == "DELETED")

    return [Window("rollback of a slow version", *await around(scene, wish, roll(), crowd))]


async def scale_down(scene: Scene, wish: Wish) -> list[Window]:
    """From four pods to two."""
    await small.first(scene, scaling={"minReplicas": 4})
    crowd = clients(scene, wish)
    name = scene.status["stable"]["revision"]

    async def shrink() -> None:
        await small.apply(scene, "v1", scaling=TWO)
        await _pods(scene, name, 2)

    return [Window("scale down from 4 to 2", *await around(scene, wish, shrink(), crowd))]


async def _pods(scene: Scene, revision: str, number: int) -> None:
    """Wait until there are so many, those that are about to end among them."""
    while len((await _names(scene, revision)).split()) != number:  # noqa: ASYNC110 - nothing here could tell us
        await asyncio.sleep(LOOK)


async def _names(scene: Scene, revision: str) -> str:
    return await scene.kubectl("get", "pods", "-l", f"penstock.dev/revision={revision}", "-o", "name")


async def gateway(scene: Scene, wish: Wish) -> list[Window]:
    """The gateway's proxies are replaced one after the other, as an upgrade does."""
    await small.first(scene, scaling=TWO)
    crowd = clients(scene, wish)
    restart = asyncio.to_thread(acts.restart_gateway, scene.house.kubectl)
    return [Window("rolling restart of the gateway's proxies", *await around(scene, wish, restart, crowd))]


async def operator_killed(scene: Scene, wish: Wish) -> list[Window]:
    """SIGKILL in the first step and again at the second; the rollout goes on to its end."""
    steps = {"canary": {"steps": [{"weight": weight, "duration": "6s"} for weight in (20, 60)]}, **IDLE}
    await small.first(scene, steps, scaling=TWO)
    crowd = clients(scene, wish)

    async def roll() -> None:
        await small.apply(scene, "v2", steps, scaling=TWO)
        for number in range(2):
            await _shifted(scene, number)
            await asyncio.to_thread(acts.kill_operator, scene.house.kubectl)
        await scene.settled("v2")

    return [Window("operator killed in two steps", *await around(scene, wish, roll(), crowd))]


async def adoption(scene: Scene, wish: Wish) -> list[Window]:
    """A plain Deployment and its Service are taken over; clients know only the Service, a connection each."""
    return [await _adopted(scene, wish, lasting=False)]


async def adoption_keep_alive(scene: Scene, wish: Wish) -> list[Window]:
    """The same with connections that last: through a plain Service they end with their pod."""
    return [await _adopted(scene, wish, lasting=True)]


async def _adopted(scene: Scene, wish: Wish, lasting: bool) -> Window:
    url = await acts.plain(scene)
    crowd = clients(scene, wish, url, lasting)

    async def take_over() -> None:
        await acts.hand_over(scene)
        await small.apply(scene, "v1", traffic=None)
        await scene.settled("v1")
        await scene.until(lambda s: s.sights("Deployment", f"{s.name}-server")[-1].change == "DELETED")
        await _gone(scene)

    begin, end = await around(scene, wish, take_over(), crowd)
    excuse = "a server that ends closes connections that it cannot tell from idle ones" if lasting else ""
    how = "connections that last" if lasting else "a connection for each request"
    return Window(f"adoption through a plain Service, {how}", begin, end, excuse=excuse)


async def _gone(scene: Scene) -> None:
    while await scene.kubectl("get", "pods", "-l", f"app={scene.name}", "-o", "name"):  # noqa: ASYNC110 - nor here
        await asyncio.sleep(LOOK)


async def pod_deleted(scene: Scene, wish: Wish) -> list[Window]:
    """One of three pods is deleted, as a drained node does."""
    await small.first(scene, scaling={"minReplicas": 3})
    crowd = clients(scene, wish)
    victim = (await _names(scene, scene.status["stable"]["revision"])).split()[0]
    gone = scene.kubectl("delete", victim)
    return [Window("one of three pods deleted", *await around(scene, wish, gone, crowd))]


async def pod_death(scene: Scene, wish: Wish) -> list[Window]:
    """The server of one of three pods dies, twice: with a gateway that retries nothing, and with one that does."""
    await small.first(scene, scaling={"minReplicas": 3})
    crowd = clients(scene, wish)
    name = scene.status["stable"]["revision"]
    excuse = "in flight, or sent before the gateway could know"
    plain = Window("a server dies", *await around(scene, wish, acts.kill_server(scene, name), crowd), excuse=excuse)
    failed = [each.sent for each in crowd.told if each.status != OK]
    scene.note(seconds_of_failures=round(max(failed, default=0) - min(failed, default=0), 1))
    await acts.retry(scene)
    retried = await around(scene, wish, acts.kill_server(scene, name), crowd)
    return [plain, Window("a server dies, the gateway retries", *retried)]


async def orphan(scene: Scene, wish: Wish) -> list[Window]:
    """The object is deleted with deletionPolicy Orphan, and made again later."""
    await small.first(scene, deletionPolicy="Orphan")
    crowd = clients(scene, wish)

    async def away() -> None:
        await scene.kubectl("delete", "modeldeployment", scene.name)

    begin, end = await around(scene, wish, away(), crowd)

    async def back() -> None:
        await small.apply(scene, "v1", deletionPolicy="Orphan")
        await scene.settled("v1")

    again = await around(scene, wish, back(), crowd)
    return [Window("deleted with deletionPolicy Orphan", begin, end), Window("the object made again", *again)]


async def mirror(scene: Scene, wish: Wish) -> list[Window]:
    """Without copies, with, with, without: what they add to the time that users wait."""
    shadowed = {"shadow": {"percent": 100, "duration": f"{ceil(3 * wish.seconds(wish.requests)) + 60}s"}, **IDLE}
    await small.first(scene, shadowed, scaling=TWO)
    crowd = clients(scene, wish)
    await asked(scene, crowd, wish.rate)
    windows = [await _stretch(scene, wish, crowd, "A")]
    await small.apply(scene, "v2", shadowed, scaling=TWO)
    await _shifted(scene, 0)
    name = scene.candidate["revision"]
    await asked(scene, crowd, wish.rate)
    windows += [await _stretch(scene, wish, crowd, "B"), await _stretch(scene, wish, crowd, "B")]
    scene.note(copies=await _counted(scene, name))
    await small.apply(scene, "v1", shadowed, scaling=TWO)
    await scene.settled("v1")
    await scene.until(lambda s: s.sights("Deployment", name)[-1].change == "DELETED")
    return [*windows, await _stretch(scene, wish, crowd, "A")]


async def _stretch(scene: Scene, wish: Wish, crowd: Witnesses, side: str) -> Window:
    """A quarter of the requests. No client may get a copy's answer: of v2 there must be none."""
    begin = time.time()
    await asked(scene, crowd, wish.requests / 4)
    words = {"A": "without copies", "B": "every request copied"}[side]
    return Window(f"mirror {side}: {words}", begin, time.time(), "v1", 100)


async def _counted(scene: Scene, revision: str) -> int:
    """Requests that the pods of a revision have counted themselves."""
    total = 0.0
    for pod in (await _names(scene, revision)).split():
        text = await scene.kubectl("exec", pod, "--", "python3", "-c", _READ)
        total += sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("small_requests_total{"))
    return round(total)


async def payload_log(scene: Scene, wish: Wish) -> list[Window]:
    """Every request told to a sink: none, then a sink that is well, one that is slow, one that is dead, then none."""
    plain: dict[str, Any] = {"gateway": {"name": "models"}, "hostnames": [scene.host]}
    told = plain | payloads.LOGGED
    await payloads.open_sink(scene)
    await small.first(scene, traffic=plain, scaling=TWO)
    crowd = clients(scene, wish)
    windows = [await _part(wish, scene, crowd, "payload log off")]
    await small.apply(scene, "v1", traffic=told, scaling=TWO)
    await payloads.hears(scene)
    windows.append(await _part(wish, scene, crowd, "payload log of every request"))
    for name, words in payloads.TROUBLES.items():
        await payloads.trouble(scene, words)
        windows.append(await _part(wish, scene, crowd, f"payload log, the sink is {name}"))
    await small.apply(scene, "v1", traffic=plain, scaling=TWO)
    excuse = "the gateway names a route's clusters anew when its backends lose a filter, and forgets the old ones first"
    return [*windows, replace(await _part(wish, scene, crowd, "payload log off again"), excuse=excuse)]


async def _part(wish: Wish, scene: Scene, crowd: Witnesses, name: str) -> Window:
    begin = time.time()
    await asked(scene, crowd, wish.requests / 4)
    return Window(name, begin, time.time())


_READ = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"

CASES: dict[str, Play] = {
    "rollout": rollout,
    "no-keep-alive": no_keep_alive,
    "slow": slow,
    "scale-down": scale_down,
    "operator-killed": operator_killed,
    "adoption": adoption,
    "adoption-keep-alive": adoption_keep_alive,
    "pod-deleted": pod_deleted,
    "pod-death": pod_death,
    "orphan": orphan,
    "mirror": mirror,
    "payload-log": payload_log,
    "gateway": gateway,  # last: whoever follows the log of its proxies follows the old ones
}
