"""HTTP to a metric source over real sockets: credentials from files, and whatever a source may do is said in words."""

import asyncio
import base64
import gzip
import json
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics.http import MAX_BYTES, Http, Request, Unusable, make_http
from tests.unit.prometheus_source import START, Respond, serving

SECRET = "s3cr3t-t0k3n"
ASK = Request("/api", form={"query": "up"})


def told(respond: Respond, request: Request = ASK, **settings: Any) -> tuple[int, bytes]:
    """What one request brings from a source with these settings."""

    async def story() -> tuple[int, bytes]:
        async with serving(respond) as url, aiohttp.ClientSession(trust_env=False) as session:
            return await make_http({"url": url, "timeout": "5s", **settings}, session).fetch(request)

    return asyncio.run(story())


def words(respond: Respond, **settings: Any) -> str:
    """Why one request brings nothing."""
    with pytest.raises(Unusable) as caught:
        told(respond, **settings)
    assert SECRET not in str(caught.value) and len(str(caught.value)) < 200
    return str(caught.value)


async def echo(request: web.Request) -> web.Response:
    form = dict(await request.post())
    return web.json_response({"method": request.method, "path": request.path_qs, "form": form, **request.headers})


def sent(request: Request = ASK, **settings: Any) -> dict[str, Any]:
    """What the source is told."""
    status, body = told(echo, request, **settings)
    assert status == 200
    return dict(json.loads(body))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


# who asks


def test_a_form_is_posted_and_what_has_none_is_a_get() -> None:
    assert {"method": "POST", "path": "/api", "form": {"query": "up"}}.items() <= sent().items()
    assert {"method": "GET", "path": "/v1?from=1"}.items() <= sent(Request("/v1", params={"from": "1"})).items()


def test_a_token_comes_from_its_file(secret: Path) -> None:
    assert sent(auth={"bearer": {"token_file": str(secret)}})["Authorization"] == f"Bearer {SECRET}"


def test_a_password_comes_from_its_file(secret: Path) -> None:
    found = sent(auth={"basic": {"username": "penstock", "password_file": str(secret)}})["Authorization"]
    assert base64.b64decode(found.removeprefix("Basic ")).decode() == f"penstock:{SECRET}"


def test_headers_are_fixed_or_from_files(secret: Path) -> None:
    found = sent(headers={"X-Scope-OrgID": "team"}, auth={"headers": {"DD-API-KEY": str(secret)}})
    assert (found["X-Scope-OrgID"], found["DD-API-KEY"]) == ("team", SECRET)


def test_a_renewed_secret_is_used_without_a_restart(tmp_path: Path) -> None:
    """As the kubelet renews it: another file under the same name, by a link that changes."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    (tmp_path / "now").symlink_to("first")

    async def story() -> list[str]:
        async with serving(echo) as url, aiohttp.ClientSession() as session:
            auth = {"bearer": {"token_file": str(tmp_path / "now" / "token")}}
            http, found = make_http({"url": url, "timeout": "5s", "auth": auth}, session), []
            for name in ("first", "first", "second"):
                (tmp_path / "next").symlink_to(name)
                (tmp_path / "next").rename(tmp_path / "now")
                found.append(json.loads((await http.fetch(ASK))[1])["Authorization"])
            return found

    assert asyncio.run(story()) == ["Bearer first", "Bearer first", "Bearer second"]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two\nlines", b"\xff\xfe", b"x" * (65 << 10)])
def test_a_secret_that_is_none_names_its_setting_and_nothing_is_sent(tmp_path: Path, content: bytes | None) -> None:
    visited: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response()

    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    for auth, setting in (
        ({"bearer": {"token_file": str(file)}}, "auth.bearer.tokenFile"),
        ({"basic": {"username": "u", "password_file": str(file)}}, "auth.basic.passwordFile"),
        ({"headers": {"DD-API-KEY": str(file)}}, "auth.headers.DD-API-KEY"),
    ):
        assert setting in words(respond, auth=auth)
    assert visited == []


def test_no_proxy_of_the_surroundings_is_used(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent()["method"] == "POST"


# what a source may do


def test_a_redirect_takes_no_credentials_to_elsewhere(secret: Path) -> None:
    visited: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        visited.append(request.headers.get("Authorization", ""))
        return web.Response(text="{}")

    async def story() -> str:
        async with serving(elsewhere) as other, aiohttp.ClientSession() as session:

            async def respond(_: web.Request) -> web.Response:
                raise web.HTTPTemporaryRedirect(f"{other}/{SECRET}")

            async with serving(respond) as url:
                auth = {"bearer": {"token_file": str(secret)}}
                with pytest.raises(Unusable) as caught:
                    await make_http({"url": url, "timeout": "5s", "auth": auth}, session).fetch(ASK)
                return str(caught.value)

    assert asyncio.run(story()) == "HTTP 307: it redirects, which is not followed; give the final address"
    assert visited == []


def test_200_mb_are_not_read() -> None:
    """The source gets rid of little more than the cap."""
    took = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal took
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(200):
            await answer.write(b" " * (1 << 20))
            took += 1
        return answer

    assert words(respond) == "an answer of more than 4 MiB"
    assert took < 32  # what fits into the buffers of two sockets beside the cap


def test_a_small_answer_that_unpacks_to_a_large_one_is_stopped_at_the_cap() -> None:
    """A gigabyte of spaces in a megabyte."""
    member = gzip.compress(b" " * (64 << 20))

    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=member * 16, headers={"Content-Encoding": "gzip"})

    assert words(respond) == "an answer of more than 4 MiB"


def test_an_answer_as_large_as_allowed_is_whole() -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=b" " * MAX_BYTES)

    assert told(respond) == (200, b" " * MAX_BYTES)


def test_a_broken_packing_is_said() -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    assert "broke its answer off, or packed it wrongly" in words(respond)


def test_an_answer_that_ends_early_is_none() -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"{}")
        assert request.transport
        request.transport.close()
        return answer

    assert "broke its answer off" in words(respond)


@pytest.mark.parametrize(("seconds", "said"), [(-3600, "its clock is 3600s behind"), (60, "its clock is 60s ahead")])
def test_a_source_with_another_time_is_found_out(seconds: int, said: str) -> None:
    """By its Date header; a difference of a second is none."""

    async def dated(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": "Sat, 21 Nov 2026 12:00:00 GMT"})

    async def story(skew: float) -> tuple[int, bytes]:
        async with serving(dated) as url, aiohttp.ClientSession() as session:
            return await Http(url, session, clock=lambda: START.timestamp() - skew).fetch(ASK)

    with pytest.raises(Unusable, match=said):
        asyncio.run(story(seconds))
    assert asyncio.run(story(1.0))[0] == 200


# TLS


def certify(folder: Path, name: str, subject: str, *more: str) -> None:
    """A key and its certificate, by the openssl program: Python's standard library makes none."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", f"{name}.key"]
    made = ["openssl", "req", "-x509", *key, "-days", "2", "-subj", subject, "-out", f"{name}.crt", *more]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority `ours` and one of somebody else, with a certificate for 127.0.0.1, another host, and a client."""
    folder = tmp_path_factory.mktemp("pki")
    for name in ("ours", "theirs"):
        certify(folder, name, "/CN=authority")
    for name, host, authority in (
        ("server", "IP:127.0.0.1", "ours"),
        ("wrong", "DNS:elsewhere.corp", "ours"),
        ("client", "DNS:penstock", "ours"),
        ("stranger", "DNS:penstock", "theirs"),
    ):
        signed = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"]
        names = ["-addext", f"subjectAltName={host}", "-addext", "basicConstraints=critical,CA:FALSE"]
        certify(folder, name, f"/CN={name}", *signed, *names)
    return folder


@asynccontextmanager
async def secured(pki: Path, name: str, asks_clients: bool = False) -> AsyncIterator[str]:
    """A TLS server on loopback; its address."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    if asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pki / "ours.crt")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


def over_tls(pki: Path, server: str, tls: dict[str, str], asks_clients: bool = False) -> int | str:
    """The status, or why there is none."""

    async def story() -> int | str:
        async with secured(pki, server, asks_clients) as url, aiohttp.ClientSession() as session:
            files = {name: str(pki / file) for name, file in tls.items()}
            try:
                return (await make_http({"url": url, "timeout": "5s", "tls": files}, session).fetch(ASK))[0]
            except Unusable as error:
                return str(error)

    return asyncio.run(story())


OURS = {"ca_file": "ours.crt"}
CLIENT = {"cert_file": "client.crt", "key_file": "client.key"}
REFUSED = "TLS failed|it broke the connection off"  # TLS 1.3 refuses when the question is already under way
STRANGER = {"cert_file": "stranger.crt", "key_file": "stranger.key"}


@pytest.mark.parametrize(
    ("server", "tls", "asks_clients", "expected"),
    [
        ("server", OURS, False, 200),
        ("server", OURS | CLIENT, True, 200),
        ("server", {}, False, "its certificate is not valid"),
        ("server", {"ca_file": "theirs.crt"}, False, "its certificate is not valid"),
        ("wrong", OURS, False, "its certificate is not valid"),
        ("server", OURS, True, REFUSED),
        ("server", OURS | STRANGER, True, REFUSED),
        ("server", {"ca_file": "nowhere.crt"}, False, "the file of tls.caFile cannot be read: FileNotFoundError"),
        ("server", {"ca_file": "ours.key"}, False, "the files of tls.caFile are no certificates that fit"),
        (
            "server",
            OURS | {"cert_file": "client.crt", "key_file": "stranger.key"},
            True,
            "the files of tls.caFile, tls.certFile, tls.keyFile are no certificates that fit",
        ),
    ],
)
def test_tls_is_verified_both_ways(
    pki: Path, server: str, tls: dict[str, str], asks_clients: bool, expected: int | str
) -> None:
    found = over_tls(pki, server, tls, asks_clients)
    assert found == expected or (isinstance(expected, str) and re.search(expected, str(found))), found


def test_a_renewed_certificate_is_used_without_a_restart(pki: Path, tmp_path: Path) -> None:
    async def story() -> list[int | str]:
        found: list[int | str] = []
        file = tmp_path / "ca.crt"
        async with secured(pki, "server") as url, aiohttp.ClientSession() as session:
            http = make_http({"url": url, "timeout": "5s", "tls": {"ca_file": str(file)}}, session)
            for stamp, authority in enumerate(("theirs", "ours", "theirs")):
                file.write_bytes((pki / f"{authority}.crt").read_bytes())
                os.utime(file, (stamp, stamp))
                try:
                    found.append((await http.fetch(ASK))[0])
                except Unusable as error:
                    found.append(str(error).partition(" (")[0])
        return found

    invalid = "does not answer: its certificate is not valid"
    assert asyncio.run(story()) == [invalid, 200, invalid]


def test_speaking_tls_to_what_does_not_is_said() -> None:
    async def story() -> str:
        async with serving(echo) as url, aiohttp.ClientSession() as session:
            with pytest.raises(Unusable) as caught:
                await Http(url.replace("http:", "https:"), session).fetch(ASK)
            return str(caught.value)

    assert "TLS failed" in asyncio.run(story())
