"""AWS Signature Version 4, as far as one POST or GET of a small body needs it; pure: the time is an argument.

Written here because the SDK that has it brings 60 MB of service descriptions into the image. It must not read a file, a
clock or the environment. Formulas: "Create a signed AWS API request", IAM User Guide.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """Credentials of one AWS identity; `token` belongs to temporary ones. Their repr shows nothing of them."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Request:
    """What is to be signed. The URL is encoded as it will be sent, its path is already normal (no `..`, no `//`)."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


def sign(request: Request, keys: Keys, scope: tuple[str, str], now: datetime) -> dict[str, str]:
    """The headers to send, `Authorization` and `Host` among them. `scope` is (region, service); `now` is in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {**request.headers, "Host": urlsplit(request.url).netloc, "X-Amz-Date": stamp}
    headers |= {"X-Amz-Security-Token": keys.token} if keys.token else {}
    area = "/".join((stamp[:8], *scope, "aws4_request"))
    names, canonical = canonical_request(request, headers)
    text = "\n".join((ALGORITHM, stamp, area, _sha256(canonical.encode())))
    key = ("AWS4" + keys.secret).encode()
    for part in area.split("/"):
        key = _hmac(key, part)
    credential = f"Credential={keys.access}/{area}, SignedHeaders={names}"
    return {**headers, "Authorization": f"{ALGORITHM} {credential}, Signature={_hmac(key, text).hex()}"}


def canonical_request(request: Request, headers: Mapping[str, str]) -> tuple[str, str]:
    """The names of the signed headers (all of them) and the canonical request."""
    url = urlsplit(request.url)
    spelt = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in spelt)
    lines = [request.method, quote(url.path or "/", safe="/~"), _query(url.query)]
    lines += [f"{name}:{value}" for name, value in spelt] + ["", names, _sha256(request.body)]
    return names, "\n".join(lines)


def _query(query: str) -> str:
    pairs = sorted(part.partition("=")[::2] for part in query.split("&") if part)
    return "&".join(f"{key}={value}" for key, value in pairs)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
