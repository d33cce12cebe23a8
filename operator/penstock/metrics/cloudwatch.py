"""Amazon CloudWatch: GetMetricData over its JSON protocol, one metric a query, the newest whole period of the window.

A period that is still running gives a value that will change, so only periods that ended in the window are asked for:
each is read once, however often we look. What is filled in is a dimension's value, a string in JSON.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from penstock.api.fields import seconds, span
from penstock.metrics.aws_keys import Clock, KeySource, make_keys
from penstock.metrics.credentials import Credentials, make_credentials
from penstock.metrics.http import Http, Limited, Request, UnixClock, Unusable, hint, read_json
from penstock.metrics.named import Asked, Named, fill_all
from penstock.metrics.sigv4 import Request as Unsigned
from penstock.metrics.sigv4 import sign

HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricData",
}
_KEYS_WRONG = "it does not take the keys"
_SKEWED = "it does not take the signature: the secret key is wrong, or the API server's clock"
_FAULTS = {
    "AccessDenied": "the identity may not cloudwatch:GetMetricData",
    "AccessDeniedException": "the identity may not cloudwatch:GetMetricData",
    "ExpiredToken": "the session token has expired",
    "ExpiredTokenException": "the session token has expired",
    "IncompleteSignature": _KEYS_WRONG,
    "InvalidClientTokenId": _KEYS_WRONG,
    "InvalidParameterCombination": "the query is not right",
    "InvalidParameterValue": "the query is not right",
    "InvalidSignatureException": _SKEWED,
    "MissingAuthenticationToken": _KEYS_WRONG,
    "NotAuthorized": _KEYS_WRONG,
    "OptInRequired": "the account has no access to the service",
    "RequestExpired": "the API server's clock is wrong",
    "SignatureDoesNotMatch": _SKEWED,
    "UnrecognizedClientException": _KEYS_WRONG,
    "ValidationError": "the query is not right",
    "ValidationException": "the query is not right",
}
_THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}
_PAUSE = 30.0  # seconds; throttling comes as HTTP 400 and names no time


@dataclass(frozen=True)
class CloudWatch:
    """How named queries are asked; metrics are complete `delay` after their time."""

    http: Http
    region: str
    keys: KeySource
    delay: timedelta
    clock: Clock

    async def read(self, asked: Asked) -> Sequence[object]:
        """The value of the newest period that ended in the window; none where none ended or it has no value."""
        window = periods(asked, self.delay)
        if window[0] == window[1]:
            return []
        body = json.dumps(request(asked, window)).encode()
        unsigned = Unsigned("POST", self.http.url.rstrip("/") + "/", HEADERS, body)
        headers = sign(unsigned, await self.keys.keys(), (self.region, "monitoring"), self.clock())
        status, text = await self.http.fetch(Request("/", body=body, headers=headers))
        if status != 200:
            raise _refused(status, text)
        return newest(read_json(status, text), window)


def periods(asked: Asked, delay: timedelta) -> tuple[int, int]:
    """Begin (inclusive) and end (exclusive), in seconds since 1970, of the periods that end in the delayed window."""
    length = int(seconds(asked.query["period"]))
    start, end = ((at - delay).timestamp() // length * length for at in (asked.start, asked.end))
    return int(start), int(end)


def request(asked: Asked, window: tuple[int, int]) -> dict[str, Any]:
    """The body of GetMetricData."""
    query = asked.query
    dimensions = fill_all(query["dimensions"], asked.fills, dimension)
    metric = {
        "Namespace": query["namespace"],
        "MetricName": query["metric"],
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    stat = {"Metric": metric, "Period": int(seconds(query["period"])), "Stat": query["stat"]}
    return {
        "MetricDataQueries": [{"Id": "q", "MetricStat": stat, "ReturnData": True}],
        "StartTime": window[0],
        "EndTime": window[1],
        "ScanBy": "TimestampDescending",
    }


def dimension(value: str) -> str:
    """A part of a dimension's value; `Unusable` for what CloudWatch would refuse."""
    if not value.isascii() or not value.isprintable():
        raise Unusable(f"{value[:63]!r} cannot be the value of a dimension: only printable ASCII can")
    return value


def newest(answer: Any, window: tuple[int, int]) -> list[object]:
    """The value with the latest time; an answer that is not whole is none."""
    if not isinstance(answer, dict) or not isinstance(answer.get("MetricDataResults"), list):
        raise Unusable("no answer of CloudWatch's: it has no MetricDataResults")
    if answer.get("Messages") or answer.get("NextToken"):
        raise Unusable("a partial answer: it came with messages, or with more to follow")
    points = [point for result in answer["MetricDataResults"] for point in _points(result)]
    if any(not window[0] <= at < window[1] for at, _ in points):
        raise Unusable("values from outside the window that was asked for")
    return [max(points, key=lambda point: point[0])[1]] if points else []


def _points(result: Any) -> list[tuple[float, object]]:
    try:
        status, times, found = result["StatusCode"], result["Timestamps"], result["Values"]
        points = [(float(at), value) for at, value in zip(times, found, strict=True)]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Unusable("no answer of CloudWatch's: its values have no times") from None
    if status != "Complete":
        raise Unusable("a partial answer: its status is not Complete")
    return points


def _refused(status: int, text: bytes) -> Unusable:
    """Its own name for the fault where we know it: the sentence beside it may quote the request."""
    try:
        kind = str(json.loads(text)["__type"]).rpartition("#")[2]
    except (ValueError, TypeError, KeyError, RecursionError):
        kind = ""
    if kind in _THROTTLED:
        return Limited(f"HTTP {status} {kind}: too many questions", _PAUSE)
    if kind in _FAULTS:
        return Unusable(f"HTTP {status} {kind}: {_FAULTS[kind]}")
    return Unusable(f"HTTP {status}{hint(status)}")


def make_cloudwatch(name: str, options: Mapping[str, Any], session: aiohttp.ClientSession, clock: UnixClock) -> Named:
    """From the source's settings and, for keys that they do not name, the environment."""

    def now() -> datetime:
        return datetime.fromtimestamp(clock(), UTC)

    region, patience = options["region"], seconds(options["timeout"])
    domain = f"{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    credentials = Credentials(certificates=make_credentials(options).certificates)
    http = Http(options.get("url") or f"https://monitoring.{domain}", session, credentials, patience, clock=clock)
    sts = Http(f"https://sts.{domain}", session, timeout=patience)
    keys = make_keys(options, os.environ, sts, now)
    cloudwatch = CloudWatch(http, region, keys, span(options["delay"]), now)
    return Named(name, options["queries"], cloudwatch.read, patience)
