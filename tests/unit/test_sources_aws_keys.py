"""Where AWS keys come from, and how the pod's web identity is lent some; STS is a server on loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics.aws_keys import EARLY, FileKeys, FixedKeys, WebIdentity, make_keys, read_lent
from penstock.metrics.credentials import SecretFile
from penstock.metrics.http import Http, Unusable
from penstock.metrics.sigv4 import Keys
from tests.unit.named_source import secret_files, serving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENVIRONMENT = {
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/penstock",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
}
LENT = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Credentials>
      <AccessKeyId>{access}</AccessKeyId>
      <SecretAccessKey>se/cr+et=</SecretAccessKey>
      <SessionToken>
        to/ke+n==
      </SessionToken>
      <Expiration>{end}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>7</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>"""


def lent(access: str = "ASIA1", end: str = "2026-11-21T13:00:00Z") -> str:
    return LENT.format(access=access, end=end)


def test_files_win_over_the_environment(tmp_path: Path) -> None:
    files = secret_files(tmp_path)
    options = {"access_key_id_file": files["access"], "secret_access_key_file": files["secret"]}
    found = make_keys(options, ENVIRONMENT | {"AWS_ACCESS_KEY_ID": "AK"}, None, datetime.now)  # type: ignore[arg-type]
    assert isinstance(found, FileKeys) and found.token is None
    keys = asyncio.run(found.keys())
    assert (keys.access, keys.secret, keys.token) == ("canary-access-9f3a7c", "canary-secret-9f3a7c", "")
    (tmp_path / "access").write_text("renewed-key")
    assert asyncio.run(found.keys()).access == "renewed-key"


@pytest.mark.parametrize(
    ("environment", "keys"),
    [
        ({"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}, Keys("AK", "SK")),
        ({"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "T"}, Keys("AK", "SK", "T")),
        ({**ENVIRONMENT, "AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}, Keys("AK", "SK")),
    ],
)
def test_keys_of_the_environment_win_over_web_identity(environment: dict[str, str], keys: Keys) -> None:
    found = make_keys({}, environment, None, datetime.now)  # type: ignore[arg-type]
    assert asyncio.run(found.keys()) == keys


@pytest.mark.parametrize("environment", [{}, {"AWS_ACCESS_KEY_ID": "AK"}, {"AWS_ROLE_ARN": "arn"}])
def test_no_keys_are_said_when_they_are_needed(environment: dict[str, str]) -> None:
    found = make_keys({}, environment, None, datetime.now)  # type: ignore[arg-type]
    assert isinstance(found, FixedKeys)
    with pytest.raises(Unusable, match="no AWS keys"):
        asyncio.run(found.keys())


def test_the_annotated_service_account_of_a_pod_is_web_identity() -> None:
    found = make_keys({}, ENVIRONMENT, None, datetime.now)  # type: ignore[arg-type]
    assert isinstance(found, WebIdentity) and found.role == ENVIRONMENT["AWS_ROLE_ARN"]
    assert found.token.path == ENVIRONMENT["AWS_WEB_IDENTITY_TOKEN_FILE"]


def identity(
    folder: Path, answers: list[str], story: Callable[[WebIdentity, list[datetime]], Awaitable[None]]
) -> list[dict[str, str]]:
    """Runs a story with an identity that STS lends keys; the forms that STS was sent."""
    (folder / "token").write_text("jwt.canary.sig\n")
    forms: list[dict[str, str]] = []
    now = [NOW]

    async def respond(request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/")
        forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(text=answers[len(forms) - 1], content_type="text/xml")

    async def run() -> None:
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            token = SecretFile(str(folder / "token"), "AWS_WEB_IDENTITY_TOKEN_FILE")
            await story(WebIdentity(Http(url, session), "arn:role", token, lambda: now[0]), now)

    asyncio.run(run())
    return forms


def test_lent_keys_are_used_until_shortly_before_they_end(tmp_path: Path) -> None:
    async def story(source: WebIdentity, now: list[datetime]) -> None:
        assert await source.keys() == Keys("ASIA1", "se/cr+et=", "to/ke+n==")
        now[0] = NOW + timedelta(hours=1) - EARLY - timedelta(seconds=1)
        assert (await source.keys()).access == "ASIA1"
        now[0] += timedelta(seconds=1)
        assert (await source.keys()).access == "ASIA2"

    forms = identity(tmp_path, [lent(), lent("ASIA2", "2026-11-21T14:00:00Z")], story)
    assert (
        forms
        == [
            {
                "Action": "AssumeRoleWithWebIdentity",
                "Version": "2011-06-15",
                "RoleArn": "arn:role",
                "RoleSessionName": "penstock",
                "WebIdentityToken": "jwt.canary.sig",
            }
        ]
        * 2
    )


def test_many_who_need_keys_at_once_borrow_once(tmp_path: Path) -> None:
    async def story(source: WebIdentity, _: list[datetime]) -> None:
        found = await asyncio.gather(*(source.keys() for _ in range(20)))
        assert {keys.access for keys in found} == {"ASIA1"}

    assert len(identity(tmp_path, [lent()], story)) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>jwt.canary.sig</Message></Error></ErrorResponse>",
        ),
        (400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>"),
        (500, ""),
        (500, lent()),
        (200, ""),
        (200, "{}"),
        (200, lent().replace("SessionToken", "Token")),
        (200, lent(end="soon")),
        (200, "\ufffd\x00"),
    ],
)
def test_what_lends_nothing_is_said_without_its_words(status: int, body: str) -> None:
    with pytest.raises(Unusable, match="STS lends no keys for the pod's web identity") as told:
        read_lent(status, body.encode())
    assert "canary" not in str(told.value)
