"""Datadog's API v2, scalar queries: the server brings the window down to one number a group, as the query says.

Scalar and not timeseries: a series' points have the width that Datadog chooses for the window, so that one of 15 s may
hold none. What is filled in is part of the query's text, where nothing can be quoted: it must look like a tag's value.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from penstock.api.fields import seconds, span
from penstock.metrics.credentials import Credentials, SecretFile, make_credentials
from penstock.metrics.http import Http, Request, UnixClock, Unusable, hint, read_json
from penstock.metrics.named import Asked, Named, fill

PATH = "/api/v2/query/scalar"
_REFUSED = ": it does not take the keys, or the application key lacks timeseries_query; is the site right?"
_TAG = re.compile(r"[a-z0-9_.:/-]{1,200}")


@dataclass(frozen=True)
class Datadog:
    """How named queries are asked; metrics are complete `delay` after their time."""

    http: Http
    delay: timedelta

    async def read(self, asked: Asked) -> Sequence[object]:
        """One value for each group of the query; none where it has seen nothing."""
        body = json.dumps(request(asked, self.delay)).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        status, text = await self.http.fetch(Request(PATH, body=body, headers=headers))
        if status != 200:
            raise Unusable(f"HTTP {status}{_REFUSED if status in (401, 403) else hint(status)}")
        return values(read_json(status, text))


def request(asked: Asked, delay: timedelta) -> dict[str, Any]:
    """The body: `from` is inclusive and `to` exclusive, in milliseconds, so that (start, end] is 1 ms later."""
    query = {
        "data_source": "metrics",
        "name": "a",
        "query": fill(asked.query["query"], asked.fills, tag),
        "aggregator": asked.query["aggregator"],
    }
    window = {"from": _millis(asked.start - delay) + 1, "to": _millis(asked.end - delay) + 1}
    return {"data": {"type": "scalar_request", "attributes": {**window, "queries": [query], "formulas": [_FORMULA]}}}


_FORMULA = {"formula": "a"}


def tag(value: str) -> str:
    """A tag's value as Datadog stores it, in lower case; `Unusable` for what could say more than a value."""
    lower = value.lower()
    if not _TAG.fullmatch(lower):
        raise Unusable(f"{value[:63]!r} cannot be the value of a tag: only a-z, 0-9 and _.:/- can")
    return lower


def values(answer: Any) -> list[object]:
    """The one column of numbers; a group without a number is left out, as Datadog spells no data."""
    if not isinstance(answer, dict) or answer.get("errors"):
        raise Unusable("an answer that says errors, or no answer of Datadog's")
    try:
        columns = answer["data"]["attributes"]["columns"]
        found = [column["values"] for column in columns if column["type"] == "number"]
    except (KeyError, TypeError):
        raise Unusable("no answer of Datadog's: it has no columns") from None
    if len(found) > 1 or not all(isinstance(column, list) for column in found):
        raise Unusable("no answer to one query: not one column of numbers")
    return [value for column in found for value in column if value is not None]


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def make_datadog(name: str, options: Mapping[str, Any], session: aiohttp.ClientSession, clock: UnixClock) -> Named:
    """From the source's settings."""
    url = options.get("url") or f"https://api.{options['site']}"
    patience = seconds(options["timeout"])
    keys = {
        "DD-API-KEY": SecretFile(options["api_key_file"], "apiKeyFile"),
        "DD-APPLICATION-KEY": SecretFile(options["application_key_file"], "applicationKeyFile"),
    }
    credentials = Credentials(named=keys, certificates=make_credentials(options).certificates)
    datadog = Datadog(Http(url, session, credentials, patience, clock=clock), span(options["delay"]))
    return Named(name, options["queries"], datadog.read, patience)
