"""What the administrator's files say: tokens, passwords, headers, certificates; read anew when they change.

Secrets come from mounted files, since a Secret that is renewed there needs no restart. Their content goes into a
request and nowhere else: a message names the setting at fault, never the file's content.
"""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_SECRET = 64 << 10  # bytes; a token is a few hundred, a mistaken path may be anything


class Unusable(Exception):
    """The source gave nothing that can be used, or cannot be asked; the message may be shown to everybody."""


class TooLarge(Unusable):
    """The answer is larger than its caps; a question that asks for less may be answered."""


@dataclass
class SecretFile:
    """One file that holds one secret, kept in memory until the file changes."""

    path: str
    setting: str
    _stamp: tuple[int, ...] = ()
    _text: str = field(default="", repr=False)

    def read(self) -> str:
        """The secret without surrounding white space; `Unusable`, naming the setting, where there is none."""
        stamp = stamp_of(self.path, self.setting)
        if stamp != self._stamp:
            self._text = self._fresh()
            self._stamp = stamp
        return self._text

    def _fresh(self) -> str:
        try:
            with Path(self.path).open("rb") as opened:
                text = opened.read(MAX_SECRET + 1).decode().strip()
        except (OSError, ValueError) as error:
            raise Unusable(f"the file of {self.setting} cannot be read: {type(error).__name__}") from None
        if not text or len(text) > MAX_SECRET or not text.isprintable():
            raise Unusable(f"the file of {self.setting} is empty or holds no single line of text")
        return text


def stamp_of(path: str, setting: str) -> tuple[int, ...]:
    """What changes when the file does; a mounted Secret is renewed by another file under the same name."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise Unusable(f"the file of {setting} cannot be read: {type(error).__name__}") from None
    return found.st_mtime_ns, found.st_ino, found.st_dev, found.st_size


@dataclass
class Certificates:
    """Own authority and client certificate; none of them: the system's authorities, and no certificate."""

    files: Mapping[str, str] = field(default_factory=dict)
    _stamps: tuple[tuple[int, ...], ...] = ()
    _context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | bool:
        """What TLS is to be spoken with; made anew when one of the files changed. True: as the system has it."""
        if not self.files:
            return True
        stamps = tuple(stamp_of(path, f"tls.{name}") for name, path in sorted(self.files.items()))
        if self._context is None or stamps != self._stamps:
            self._context, self._stamps = self._fresh(), stamps
        return self._context

    def _fresh(self) -> ssl.SSLContext:
        names = ", ".join(f"tls.{name}" for name in sorted(self.files))
        try:
            context = ssl.create_default_context(cafile=self.files.get("caFile"))
            if "certFile" in self.files:
                context.load_cert_chain(self.files["certFile"], self.files["keyFile"])
        except OSError as error:  # ssl.SSLError is one
            raise Unusable(f"the files of {names} are no certificates that fit: {type(error).__name__}") from None
        return context


@dataclass
class Credentials:
    """All that makes a request the administrator's."""

    fixed: Mapping[str, str] = field(default_factory=dict)
    bearer: SecretFile | None = None
    basic: tuple[str, SecretFile] | None = None
    named: Mapping[str, SecretFile] = field(default_factory=dict)
    certificates: Certificates = field(default_factory=Certificates)

    def headers(self) -> dict[str, str]:
        """Headers of a request made now; `Unusable` where a secret is missing."""
        made = dict(self.fixed) | {name: secret.read() for name, secret in self.named.items()}
        if self.bearer:
            made["Authorization"] = f"Bearer {self.bearer.read()}"
        if self.basic:
            user, password = self.basic
            pair = f"{user}:{password.read()}".encode()
            made["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return made


def make_credentials(options: Mapping[str, Any]) -> Credentials:
    """From a source's settings (`auth`, `tls` and `headers` as `shell.settings` dumps them); reads no file yet."""
    auth, tls = options.get("auth") or {}, options.get("tls") or {}
    bearer, basic = auth.get("bearer"), auth.get("basic")
    spelt = {"caFile": tls.get("ca_file"), "certFile": tls.get("cert_file"), "keyFile": tls.get("key_file")}
    return Credentials(
        fixed=options.get("headers") or {},
        bearer=SecretFile(bearer["token_file"], "auth.bearer.tokenFile") if bearer else None,
        basic=(basic["username"], SecretFile(basic["password_file"], "auth.basic.passwordFile")) if basic else None,
        named={name: SecretFile(path, f"auth.headers.{name}") for name, path in (auth.get("headers") or {}).items()},
        certificates=Certificates({name: path for name, path in spelt.items() if path}),
    )
