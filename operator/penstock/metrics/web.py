"""Any service that answers with JSON: the administrator says where in it the number is.

The address is the administrator's; what is filled in becomes one encoded part of its path, a value in its query, or a
string in a JSON body, and can never be more than that.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from penstock.metrics.http import Http, Request, UnixClock, Unusable, hint, make_http, read_json
from penstock.metrics.named import PLACEHOLDERS, Asked, Named, fill, fill_all
from penstock.model.copying import replace

KNOWN = (*PLACEHOLDERS, "start", "end")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Web:
    """How named queries are asked."""

    http: Http

    async def read(self, asked: Asked) -> Sequence[object]:
        """The number, or the list of numbers, that the query's pointer leads to; null: nothing there."""
        status, text = await self.http.fetch(request(asked))
        if status != 200:
            raise Unusable(f"HTTP {status}{hint(status)}")
        found = at(read_json(status, text), asked.query["value"])
        return [each for each in (found if isinstance(found, list) else [found]) if each is not None]


def request(asked: Asked) -> Request:
    """The request; {{start}} and {{end}} are the window in whole seconds since 1970."""
    query = asked.query
    times = {"start": f"{asked.start.timestamp():.0f}", "end": f"{asked.end.timestamp():.0f}"}
    fills = {**asked.fills, **times}
    path = fill(query["path"], fills, lambda value: quote(value, safe=""))
    if {".", ".."} & set(path.split("/")):
        raise Unusable("what is filled in would lead to another path")
    params = fill_all(query["params"], fills)
    headers = {"Accept": "application/json"}
    if query["body"] is None:
        return Request(path, params=params, headers=headers, method=query["method"])
    body = json.dumps(fill_all(query["body"], fills)).encode()
    return Request(path, params, body=body, headers=headers | {"Content-Type": "application/json"}, method="POST")


def at(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to; `Unusable` where it leads to nothing."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and _INDEX.fullmatch(key) and int(key) < len(document):
            document = document[int(key)]
        else:
            raise Unusable(f"its answer has nothing at {pointer}")
    return document


def make_web(name: str, options: Mapping[str, Any], session: aiohttp.ClientSession, clock: UnixClock) -> Named:
    """From the source's settings."""
    http = replace(make_http(options, session), clock=clock)
    return Named(name, options["queries"], Web(http).read, http.timeout)
