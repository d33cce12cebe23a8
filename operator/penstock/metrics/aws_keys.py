"""Where AWS keys come from: the administrator's files, else the environment, else the pod's own web identity.

Keys leave this module inside `sigv4.Keys` only, whose repr is empty. Web identity is what the annotation on a service
account gives a pod (IAM roles for service accounts): a token in a file, and a role that STS lends keys for.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from penstock.metrics.credentials import SecretFile
from penstock.metrics.http import Http, Request, Unusable, hint
from penstock.metrics.sigv4 import Keys

EARLY = timedelta(minutes=5)  # lent keys are renewed this long before they end
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_LENT = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")

Clock = Callable[[], datetime]


class KeySource(Protocol):
    """Something that has keys."""

    async def keys(self) -> Keys:
        """Keys that are good now; `Unusable` where there are none."""


@dataclass(frozen=True)
class FileKeys:
    """Keys in mounted files, read anew when they change."""

    access: SecretFile = field(repr=False)
    secret: SecretFile = field(repr=False)
    token: SecretFile | None = field(default=None, repr=False)

    async def keys(self) -> Keys:
        """What the files say now."""
        return Keys(self.access.read(), self.secret.read(), self.token.read() if self.token else "")


@dataclass(frozen=True)
class FixedKeys:
    """Keys of the environment; empty ones are said when they are asked for."""

    fixed: Keys

    async def keys(self) -> Keys:
        """Always the same."""
        if not (self.fixed.access and self.fixed.secret):
            raise Unusable("no AWS keys: neither accessKeyIdFile nor AWS_ACCESS_KEY_ID nor a web identity is there")
        return self.fixed


@dataclass
class WebIdentity:
    """Keys that STS lends for the pod's token (AssumeRoleWithWebIdentity), until shortly before they end."""

    http: Http
    role: str
    token: SecretFile = field(repr=False)
    clock: Clock
    _lent: Keys | None = field(default=None, repr=False)
    _until: datetime = NEVER
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def keys(self) -> Keys:
        """The keys in hand, or new ones."""
        async with self._lock:
            if self._lent is None or self.clock() >= self._until - EARLY:
                self._lent, self._until = read_lent(*await self.http.fetch(self._request()))
            return self._lent

    def _request(self) -> Request:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self.role,
            "RoleSessionName": "penstock",
            "WebIdentityToken": self.token.read(),
        }
        return Request("/", form=form)


def read_lent(status: int, body: bytes) -> tuple[Keys, datetime]:
    """Keys and their end out of what STS answers, which is XML of four plain fields."""
    if status != 200:
        raise Unusable(f"STS lends no keys for the pod's web identity: HTTP {status}{hint(status)}")
    text = body.decode(errors="replace")
    found = [re.search(f"<{name}>\\s*([^<\\s]+)\\s*</{name}>", text) for name in _LENT]
    try:
        access, secret, token, end = (match[1] for match in found if match)
        return Keys(access, secret, token), datetime.fromisoformat(end).astimezone(UTC)
    except ValueError:
        raise Unusable("STS lends no keys for the pod's web identity: its answer holds none") from None


def make_keys(options: Mapping[str, Any], environment: Mapping[str, str], sts: Http, clock: Clock) -> KeySource:
    """The first that is there of: files in the settings, keys in the environment, web identity; else none."""
    if options.get("access_key_id_file"):
        token = options.get("session_token_file")
        return FileKeys(
            SecretFile(options["access_key_id_file"], "accessKeyIdFile"),
            SecretFile(options["secret_access_key_file"], "secretAccessKeyFile"),
            SecretFile(token, "sessionTokenFile") if token else None,
        )
    role, path = environment.get("AWS_ROLE_ARN"), environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    access = environment.get("AWS_ACCESS_KEY_ID", "")
    if role and path and not access:
        return WebIdentity(sts, role, SecretFile(path, "AWS_WEB_IDENTITY_TOKEN_FILE"), clock)
    secret, token = environment.get("AWS_SECRET_ACCESS_KEY", ""), environment.get("AWS_SESSION_TOKEN", "")
    return FixedKeys(Keys(access, secret, token))
