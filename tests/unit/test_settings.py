"""What an administrator may write about metric sources, and what stops the start."""

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from penstock.metrics import SOURCES
from penstock.metrics.prometheus import Prometheus
from penstock.shell.settings import MetricSource, Settings, load

FILE = "/etc/penstock/secrets/mimir/token"


def source(**also: Any) -> dict[str, Any]:
    return {"metricSources": {"main": {"type": "prometheus", "url": "https://mimir.corp/prometheus", **also}}}


def made(**also: Any) -> Prometheus:
    """The adapter that the settings make; nothing is asked."""
    found: MetricSource = Settings.model_validate(source(**also)).metric_sources["main"]
    session: aiohttp.ClientSession = None  # type: ignore[assignment]
    adapter = SOURCES[found.type]("main", found.model_dump(), session, time.time)
    assert isinstance(adapter, Prometheus)
    return adapter


def test_a_plain_source_needs_an_address_only() -> None:
    adapter = made()
    assert (adapter.http.timeout, adapter.raw, adapter.max_series) == (5.0, False, 2000)
    assert adapter.http.credentials.headers() == {} and adapter.http.credentials.certificates.context() is True


def test_all_that_can_be_said_reaches_the_adapter() -> None:
    adapter = made(
        timeout="2s",
        rawQueries=True,
        maxSeries=7,
        headers={"X-Scope-OrgID": "team"},
        auth={"bearer": {"tokenFile": FILE}, "headers": {"X-Key": "/etc/key"}},
        tls={"caFile": "/etc/ca", "certFile": "/etc/cert", "keyFile": "/etc/key"},
    )
    own = adapter.http.credentials
    assert (adapter.http.timeout, adapter.raw, adapter.max_series) == (2.0, True, 7)
    assert own.fixed == {"X-Scope-OrgID": "team"} and own.named["X-Key"].path == "/etc/key"
    assert own.bearer and (own.bearer.path, own.bearer.setting) == (FILE, "auth.bearer.tokenFile")
    assert own.certificates.files == {"caFile": "/etc/ca", "certFile": "/etc/cert", "keyFile": "/etc/key"}
    basic = made(auth={"basic": {"username": "penstock", "passwordFile": FILE}}).http.credentials.basic
    assert basic and (basic[0], basic[1].path) == ("penstock", FILE)


WRONG = {
    "no such type": ({"type": "graphite"}, "type"),
    "a password in the address": ({"url": "https://me:secret@mimir.corp"}, "url"),
    "a query in the address": ({"url": "https://mimir.corp?token=secret"}, "url"),
    "a token instead of its file": ({"auth": {"bearer": {"token": "secret"}}}, "auth.bearer"),
    "a relative file": ({"auth": {"bearer": {"tokenFile": "token"}}}, "tokenFile"),
    "two authorizations": (
        {"auth": {"bearer": {"tokenFile": FILE}, "basic": {"username": "u", "passwordFile": FILE}}},
        "give bearer or basic, not both",
    ),
    "a user name with a colon": ({"auth": {"basic": {"username": "a:b", "passwordFile": FILE}}}, "username"),
    "a secret as a fixed header": ({"headers": {"Authorization": "Bearer secret"}}, "headers must hold no secret"),
    "the host as a header": ({"headers": {"host": "elsewhere"}}, "nothing that HTTP itself sets"),
    "an authorization beside auth": ({"auth": {"headers": {"authorization": FILE}}}, "use bearer or basic"),
    "a line break in a header": ({"headers": {"X-Scope-OrgID": "a\nb"}}, "X-Scope-OrgID"),
    "a header that is none": ({"headers": {"X Scope": "a"}}, "X Scope"),
    "half a certificate": ({"tls": {"certFile": "/etc/cert"}}, "certFile and keyFile belong together"),
    "TLS without TLS": ({"url": "http://mimir", "tls": {"caFile": "/etc/ca"}}, "begins with https"),
    "no verification": ({"tls": {"insecureSkipVerify": True}}, "insecureSkipVerify"),
    "no time": ({"timeout": "0s"}, "timeout must be more than 0s"),
    "no series": ({"maxSeries": 0}, "maxSeries"),
    "a misspelling": ({"rawQuery": True}, "rawQuery"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_ends_the_start_with_one_line_that_names_it(name: str, tmp_path: Path) -> None:
    mistake, words = WRONG[name]
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(source(**mistake)))
    with pytest.raises(SystemExit) as caught:
        load(str(file))
    line = str(caught.value)
    assert words in line and "main" in line and "\n" not in line and "secret@" not in line and "=secret" not in line
