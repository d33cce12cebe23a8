"""No secret of a source is ever seen: not in an answer, not in a repr, not in a log, whatever goes wrong.

Canaries stand in the secret files, and the sources under test send every header back to us in all that they say.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.metrics import SOURCES
from penstock.metrics.aws_keys import FileKeys, FixedKeys, WebIdentity
from penstock.metrics.credentials import Credentials, SecretFile
from penstock.metrics.datadog import Datadog
from penstock.metrics.http import Http
from penstock.metrics.named import Named
from penstock.metrics.sigv4 import Keys
from tests.unit.named_source import SECRETS, cloudwatch, datadog, json_source, question, serving

OPTIONS = {"datadog": datadog, "cloudwatch": cloudwatch, "json": json_source}
OURS = (Named, Http, Credentials, SecretFile, Datadog, FileKeys, FixedKeys, WebIdentity, Keys)


def hidden(text: str) -> bool:
    return not any(secret in text for secret in SECRETS.values()) and "canary" not in text


async def echo(request: web.Request) -> web.Response:
    """A service that quotes the whole request in each field of its complaint."""
    said = json.dumps(dict(request.headers)) + (await request.read()).decode()
    body = {"__type": said, "message": said, "errors": [said], "error": said, "scores": said}
    return web.Response(status=STATUS["now"], text=json.dumps(body), reason=said[:60].replace("\n", ""))


STATUS = {"now": 400}


async def everything(kind: str, folder: Path) -> list[str]:
    """Answers, and the reprs of every object of ours that lives, after questions that all go wrong."""
    async with serving(echo) as url, aiohttp.ClientSession() as session:
        options: Mapping[str, Any] = OPTIONS[kind](folder, url)
        source = SOURCES[kind]("main", options, session, time.time)
        texts = []
        for status in (200, 400, 401, 403, 404, 500, 429):
            STATUS["now"] = status
            texts += [repr(await source.ask([question(), question("other"), question(version="\n}")]))]
        texts += [repr(each) for each in gc.get_objects() if isinstance(each, OURS)]
        texts += [repr(source), str(source)]
    return texts


@pytest.mark.parametrize("kind", OPTIONS)
def test_no_answer_no_repr_and_no_log_holds_a_secret(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = asyncio.run(everything(kind, tmp_path))
    assert len(texts) > 9
    assert [text for text in texts if not hidden(text)] == []
    printed = capsys.readouterr()
    assert hidden(caplog.text) and hidden(printed.out) and hidden(printed.err)


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_service_did_hear_the_secrets(kind: str, tmp_path: Path) -> None:
    """Or the law above would hold for a source that sends none."""
    heard: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        heard.append(json.dumps(dict(request.headers)))
        return web.Response(status=500)

    async def story() -> None:
        async with serving(respond) as url, aiohttp.ClientSession() as session:
            await SOURCES[kind]("main", OPTIONS[kind](tmp_path, url), session, time.time).ask([question()])

    asyncio.run(story())
    seen = {name for name, secret in SECRETS.items() if any(secret in text for text in heard)}
    assert (
        seen
        == {
            "datadog": {"api", "application"},
            "cloudwatch": {"access", "session"},  # the secret key signs and never travels
            "json": {"bearer"},
        }[kind]
    )
