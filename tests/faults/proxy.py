"""Stands between one operator process and a real API server: notes each request, and does to it what a test asks for.

It passes everything on as it is, streams line by line, and decides nothing by itself. Towards the API server it is
whom its kubeconfig names, so that the operator behind it may have no credentials at all.
"""

import asyncio
import hashlib
import json
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from tests.faults.weather import Weather, status

Object = dict[str, Any]
WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
LARGEST_LINE = 16 * 2**20  # bytes of one event of a watch
PASSED_ON = ("Content-Type", "Retry-After", "Warning")


@dataclass(frozen=True)
class Place:
    """What a request is about; all empty for discovery and health."""

    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    part: str = ""  # the subresource


@dataclass
class Request:
    """One request of the operator, as noted."""

    verb: str  # as RBAC calls it
    place: Place
    at: float  # seconds of the monotonic clock
    number: int = 0  # among the operator's writes, from 1; 0 for a read and for the Lease
    digest: str = ""  # of the body
    query: str = ""
    code: int = 0  # of the API server's answer; 0 while there is none
    version: str = ""  # resourceVersion in that answer
    ended: float = 0.0
    fault: "Fault | None" = None

    @property
    def where(self) -> str:
        """The request in few words."""
        part = f"/{self.place.part}" if self.place.part else ""
        return f"{self.verb} {self.place.resource}{part} {self.place.name}"


@dataclass(frozen=True)
class Kill:
    """SIGKILL of the operator, before the request is passed on or after it was answered; the answer never arrives."""

    after: bool = False


@dataclass(frozen=True)
class Lose:
    """The request is passed on, its answer is not: the connection breaks."""


@dataclass(frozen=True)
class Cut:
    """The connection breaks before the request is passed on."""


@dataclass(frozen=True)
class Say:
    """The API server is not asked; this is its answer."""

    code: int
    retry_after: int = 0


@dataclass(frozen=True)
class Late:
    """The request waits so many seconds before it is passed on."""

    seconds: float


Fault = Kill | Lose | Cut | Say | Late
Judge = Callable[[Request], Fault | None]


@dataclass
class Proxy:
    """One listener on loopback, for one operator at a time."""

    kubeconfig: Path
    kill: Callable[[], None] = lambda: None
    judge: Judge = lambda _: None
    log: list[Request] = field(default_factory=list)
    weather: dict[str, Weather] = field(default_factory=lambda: defaultdict(Weather))
    lists: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)  # the last answer to each LIST
    old: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)  # answers instead, while it is there
    down: bool = False
    url: str = ""
    writes: int = 0
    kills: int = 0

    async def __aenter__(self) -> "Proxy":
        server, context, headers = credentials(self.kubeconfig)
        self._server = server
        self._session = ClientSession(
            connector=TCPConnector(ssl=context, limit=0),
            timeout=ClientTimeout(total=None, sock_connect=5),
            headers=headers,
            read_bufsize=LARGEST_LINE,
        )
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._runner.cleanup()

    def write_kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        made = folder / "kubeconfig"
        named = {"name": "proxy"}
        made.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{**named, "cluster": {"server": self.url}}],
                    "users": [{**named, "user": {"token": "none"}}],
                    "contexts": [{**named, "context": {"cluster": "proxy", "user": "proxy"}}],
                    "current-context": "proxy",
                }
            )
        )
        return made

    def written(self) -> list[Request]:
        """The operator's writes so far, without those of its Lease."""
        return [each for each in self.log if each.number]

    def remember(self) -> None:
        """From now on each LIST that was answered before is answered as it was then, until `forget`."""
        self.old = dict(self.lists)

    def forget(self) -> None:
        """Lists are as ever."""
        self.old = {}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = self._note(request, body)
        if self.down:
            return _broken(request)
        try:
            if seen.verb == "watch":
                return await self._stream(request, seen)
            seen.fault = self.judge(seen)
            return await self._answer_once(request, body, seen)
        except (ClientError, OSError):  # the API server itself is not there
            return _broken(request)

    async def _answer_once(self, request: web.Request, body: bytes, seen: Request) -> web.StreamResponse:
        match seen.fault:
            case Say(code, retry_after):
                seen.code = code
                return _said(seen, code, retry_after)
            case Cut():
                return _broken(request)
            case Kill(after=False):
                self._kill()
                return _broken(request)
            case Late(seconds):
                await asyncio.sleep(seconds)  # the fault itself
        answer = await self._forward(request, body, seen)
        if isinstance(seen.fault, Kill):
            self._kill()
        return _broken(request) if isinstance(seen.fault, Kill | Lose) else answer

    def _kill(self) -> None:
        self.kills += 1
        self.kill()

    async def _forward(self, request: web.Request, body: bytes, seen: Request) -> web.Response:
        where = (request.path, request.query.get("labelSelector", "") + request.query.get("continue", ""))
        if seen.verb == "list" and where in self.old:
            content_type, old = self.old[where]
            return web.Response(body=old, headers={"Content-Type": content_type})
        async with self._upstream(request, body) as reply:
            content = await reply.read()
            seen.code, seen.ended = reply.status, time.monotonic()
            if seen.number:
                seen.version = _version(content)
            elif seen.verb == "list" and reply.status == 200:
                self.lists[where] = (reply.headers["Content-Type"], content)
            headers = {name: reply.headers[name] for name in PASSED_ON if name in reply.headers}
            return web.Response(status=reply.status, body=content, headers=headers)

    async def _stream(self, request: web.Request, seen: Request) -> web.StreamResponse:
        weather = self.weather[seen.place.resource]
        async with self._upstream(request, b"") as reply:
            seen.code = reply.status
            out = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.headers["Content-Type"]})
            await out.prepare(request)
            entry = (out, reply)
            weather.streams.append(entry)
            try:
                with suppress(ClientError, ExceptionGroup):  # ended by `expire`, or with the API server
                    await weather.pass_on(reply, out, seen.at)
                await out.write_eof()
            finally:
                weather.streams.remove(entry)
        return out

    def _upstream(self, request: web.Request, body: bytes) -> Any:
        headers = {name: request.headers[name] for name in ("Accept", "Content-Type") if name in request.headers}
        headers["Accept-Encoding"] = "identity"
        url = URL(self._server + request.raw_path, encoded=True)
        return self._session.request(request.method, url, data=body or None, headers=headers)

    def _note(self, request: web.Request, body: bytes) -> Request:
        place = place_of(request.path)
        seen = Request(verb_of(request.method, place, request.query_string), place, time.monotonic())
        seen.query = request.query_string
        if request.method in WRITES:
            seen.digest = hashlib.sha256(body).hexdigest()[:12]
            if place.resource != "leases":
                self.writes += 1
                seen.number = self.writes
        self.log.append(seen)
        return seen


def at(number: int, fault: Fault) -> Judge:
    """This fault for the write of that number, and nothing else."""
    return lambda seen: fault if seen.number == number else None


def place_of(path: str) -> Place:
    """What a path of the API is about."""
    words = path.strip("/").split("/")
    if words[0] == "api":
        group, words = "", words[2:]
    elif words[0] == "apis":
        group, words = "".join(words[1:2]), words[3:]
    else:
        return Place()
    namespace = ""
    if len(words) > 2 and words[0] == "namespaces":
        namespace, words = words[1], words[2:]
    resource, name, part, *_ = [*words, "", "", ""]
    return Place(group, resource, namespace, name, part) if resource else Place()


def verb_of(method: str, place: Place, query: str) -> str:
    """The verb that RBAC would ask for; empty for discovery."""
    if method in WRITES:
        return WRITES[method]
    if not place.resource:
        return ""
    if parse_qs(query).get("watch", [""])[0] in ("true", "1"):
        return "watch"
    return "get" if place.name else "list"


def _broken(request: web.Request) -> web.Response:
    """No answer: the connection is gone."""
    if request.transport:
        request.transport.abort()
    return web.Response()


def _said(seen: Request, code: int, retry_after: int) -> web.Response:
    details = {"name": seen.place.name, "group": seen.place.group, "kind": seen.place.resource}
    said = status(code, "the proxy said so") | {"details": details}
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return web.json_response(said, status=code, headers=headers)


def _version(content: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["metadata"]["resourceVersion"])
    return ""


def credentials(kubeconfig: Path) -> tuple[str, ssl.SSLContext | bool, dict[str, str]]:
    """Where the API server is, whom to trust, and who we are."""
    told = yaml.safe_load(kubeconfig.read_text())
    cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    server = cluster["server"]
    if urlsplit(server).scheme == "http":
        return server, False, headers
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    return server, context, headers
