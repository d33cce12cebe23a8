"""People without a key or a token: they try all the time, over connections of every age, and never get an answer."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp

from tests.e2e.stories.crowd import Fixed
from tests.e2e.stories.scene import Scene

WAITING = 20  # connections that are held
PATIENT = aiohttp.ClientTimeout(total=60)
QUICK = aiohttp.ClientTimeout(total=60, sock_connect=1)  # to a port that nobody has yet nothing is answered at all
TURNED_AWAY = {401, 403, 404, 500, 503}


def _session(
    scene: Scene, timeout: aiohttp.ClientTimeout, trust: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    names = Fixed(scene.house.address)
    pool = aiohttp.TCPConnector(ssl=trust or True, resolver=names, keepalive_timeout=600)
    return aiohttp.ClientSession(trust_env=False, connector=pool, timeout=timeout)


async def asked(scene: Scene, headers: Mapping[str, str] | None = None, body: bytes = b"") -> int:
    """The status of one request with the first row, or with this body."""
    async with _session(scene, PATIENT) as session:
        return await _asked(session, scene, "http", headers or {}, body)


async def _asked(
    session: aiohttp.ClientSession, scene: Scene, scheme: str, headers: Mapping[str, str], body: bytes = b""
) -> int:
    url = f"{scheme}://{scene.host}/v2/models/{scene.name}/infer"
    sent = {"Content-Type": "application/json", **headers}
    async with session.post(url, data=body or scene.house.rows[0].body, headers=sent) as response:
        await response.read()
        return response.status


@dataclass(frozen=True)
class Knock:
    """One try: when it was sent and answered (epoch seconds), with what status, and over what connection."""

    sent: float
    got: float
    status: int
    manner: str


@dataclass
class Strangers:
    """Some come anew each time, some keep their connection, some hold one and wait."""

    scene: Scene
    trust: ssl.SSLContext | None
    waiting: list[aiohttp.ClientSession] = field(default_factory=list)
    tried: list[Knock] = field(default_factory=list)

    def session(self) -> aiohttp.ClientSession:
        """One that keeps its connection for as long as the other side does."""
        return _session(self.scene, QUICK, self.trust)

    async def knock(self, session: aiohttp.ClientSession, manner: str) -> None:
        """Once; a connection that is closed under it, or is not to be had, is no answer."""
        sent = time.time()
        with suppress(aiohttp.ClientError):
            status = await _asked(session, self.scene, "https" if self.trust else "http", {})
            self.tried.append(Knock(sent, time.time(), status, manner))

    async def come_anew(self) -> None:
        """All the time, over a new connection each time."""
        while True:
            async with self.session() as session:
                await self.knock(session, "new")

    async def keep(self) -> None:
        """All the time, over one connection for as long as it lasts."""
        async with self.session() as session:
            while True:
                await self.knock(session, "kept")

    async def wake(self) -> None:
        """Those who wait ask once, over connections that are older than whatever has changed since they did so last."""
        await asyncio.gather(*(self.knock(session, "waiting") for session in self.waiting))

    def turned_away(self) -> Counter[int]:
        """What they got; never an answer of the model."""
        answered = [each for each in self.tried if each.status not in TURNED_AWAY]
        assert not answered, f"{len(answered)} of {len(self.tried)} strangers were answered: {answered[:9]}"
        return Counter(each.status for each in self.tried)


@asynccontextmanager
async def strangers(scene: Scene, trust: ssl.SSLContext | None = None) -> AsyncIterator[Strangers]:
    """They try from before there is anything; by HTTPS where they trust somebody."""
    made = Strangers(scene, trust)
    made.waiting += [made.session() for _ in range(WAITING)]
    await made.wake()
    tasks = [asyncio.create_task(each) for each in (made.come_anew(), made.come_anew(), made.keep(), made.keep())]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in made.waiting:
            await session.close()
