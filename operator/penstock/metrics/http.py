"""HTTP to a metric source: one address, the administrator's credentials, caps on bytes and time, words for each fault.

The address is the administrator's; nothing of the user's may become part of it. No redirect is followed, because it
would carry credentials to wherever the source says. No message quotes a body, a header or a secret.
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from penstock.api.fields import seconds
from penstock.metrics.credentials import Credentials, TooLarge, Unusable, make_credentials

__all__ = [
    "MAX_BYTES",
    "Http",
    "Limited",
    "Request",
    "TooLarge",
    "UnixClock",
    "Unusable",
    "hint",
    "make_http",
    "read_json",
]

MAX_BYTES = 4 << 20
MAX_SKEW = 5.0  # seconds; a Date header has whole ones
PAUSE, LONGEST_PAUSE = 30.0, 900.0  # seconds: where a source that has had enough names no time, and whatever it names
_CHUNK = 64 << 10
UnixClock = Callable[[], float]  # seconds since 1970, as decisions know them
_HINTS = {
    401: "it does not take the credentials of auth",
    403: "it does not take the credentials of auth",
    404: "nothing there; is the path of url right?",
    429: "too many questions",
}


class Limited(Unusable):
    """The source has had enough questions; it wants to be left alone for `wait` seconds."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Request:
    """One request. `path` is put behind the source's address; `form` or `body` make it a POST unless said otherwise."""

    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ""

    def verb(self) -> str:
        """The HTTP method."""
        return self.method or ("GET" if self.form is None and self.body is None else "POST")


@dataclass(frozen=True)
class Http:
    """The way to one source. `timeout` (seconds) is for a whole request, `max_bytes` for a body after decompression."""

    url: str
    session: aiohttp.ClientSession
    credentials: Credentials = field(default_factory=Credentials)
    timeout: float = 5.0
    max_bytes: int = MAX_BYTES
    clock: UnixClock | None = None  # given where windows must mean the same to both sides

    async def fetch(self, request: Request) -> tuple[int, bytes]:
        """Status and body of the answer; `Unusable`, in words, for everything that is none."""
        headers = self.credentials.headers() | dict(request.headers)
        context = self.credentials.certificates.context()
        try:
            async with asyncio.timeout(self.timeout):
                return await self._read(request, headers, context)
        except TimeoutError:
            raise Unusable(f"does not answer: nothing whole within {self.timeout:g}s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unusable(f"does not answer: {_words(error)}") from None

    async def _read(self, request: Request, headers: dict[str, str], tls: ssl.SSLContext | bool) -> tuple[int, bytes]:
        async with self.session.request(
            request.verb(),
            self.url.rstrip("/") + request.path,
            params=request.params or None,
            data=request.form if request.body is None else request.body,
            headers=headers,
            ssl=tls,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(),  # the one above: aiohttp's own is 5 minutes
        ) as response:
            if 300 <= response.status < 400:
                response.close()
                raise Unusable(f"HTTP {response.status}: it redirects, which is not followed; give the final address")
            if response.status == 429:
                response.close()
                raise Limited("HTTP 429: too many questions", pause(response.headers, datetime.now(UTC)))
            self._compare_clocks(response.headers.get("Date", ""))
            return response.status, await self._body(response)

    def _compare_clocks(self, told: str) -> None:
        """A source whose clock is behind would never show what came last, and nobody would notice."""
        if self.clock is None or not told:
            return
        try:
            skew = parsedate_to_datetime(told).timestamp() - self.clock()
        except (ValueError, OverflowError):
            return
        if abs(skew) > MAX_SKEW:
            where = "ahead of" if skew > 0 else "behind"
            raise Unusable(f"its clock is {abs(skew):.0f}s {where} the operator's: it would count in the wrong windows")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """All of it, or nothing: a cut answer could still look whole."""
        found = bytearray()
        while chunk := await response.content.read(_CHUNK):
            found += chunk
            if len(found) > self.max_bytes:
                response.close()  # or the rest would be read, to keep the connection
                raise TooLarge(f"an answer of more than {_size(self.max_bytes)}")
        return bytes(found)


def make_http(options: Mapping[str, Any], session: aiohttp.ClientSession) -> Http:
    """From a source's settings, as `shell.settings` dumps them."""
    limit = options.get("max_bytes") or MAX_BYTES
    return Http(options["url"], session, make_credentials(options), seconds(options["timeout"]), limit)


def read_json(status: int, body: bytes) -> Any:
    """What a body says; `Unusable` for none, with what its status means."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unusable(f"HTTP {status} and no JSON{hint(status)}") from None


def pause(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds to wait after a 429: Retry-After (RFC 9110, 10.2.3), else X-RateLimit-Reset, as Datadog says it."""
    said = headers.get("Retry-After") or headers.get("X-RateLimit-Reset") or ""
    try:
        wait = float(said) if said.isascii() and said.isdigit() else (parsedate_to_datetime(said) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        wait = PAUSE
    return min(max(wait, 1.0), LONGEST_PAUSE)


def hint(status: int) -> str:
    """What an on-call person may look at first, to be put behind the status."""
    found = _HINTS.get(status) or ("the fault is its own" if status >= 500 else "")
    return f": {found}" if found else ""


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def _words(error: Exception) -> str:
    """One fault in words that hold nothing of the answer."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not valid{_reason(error.certificate_error)}"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed{_reason(cause)}"
    for kind, words in _FAULTS.items():
        if isinstance(error, kind) or isinstance(cause, kind):
            return words
    return type(error).__name__


def _reason(error: Exception) -> str:
    said = getattr(error, "verify_message", "") or getattr(error, "reason", "")
    return f" ({said})" if isinstance(said, str) and said else ""


_FAULTS: dict[type[Exception], str] = {
    aiohttp.ClientConnectorDNSError: "its name is not known",
    ConnectionRefusedError: "it refuses connections",
    aiohttp.ClientConnectorError: "it cannot be reached",
    aiohttp.ServerDisconnectedError: "it broke the connection off",
    aiohttp.ClientOSError: "it broke the connection off",
    aiohttp.ClientPayloadError: "it broke its answer off, or packed it wrongly",
    aiohttp.ClientResponseError: "it does not speak HTTP",
}
