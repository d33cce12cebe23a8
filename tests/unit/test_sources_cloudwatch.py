"""CloudWatch: whole periods, the request and its signature to the byte, and every answer that its API knows.

The answers are written from the documented shape; the real service was never asked. test_sources_oracle.py holds the
same bytes against Amazon's own SDK.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.metrics.cloudwatch import make_cloudwatch, newest, periods
from penstock.metrics.named import Asked
from penstock.metrics.sigv4 import Keys, Request, sign
from penstock.model.measure import Answer, Levels, Silence
from tests.unit.named_source import END, FILLS, SECRETS, START, ask, cloudwatch, pause_of, question, says

NOON = int(datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp())
WINDOW = (NOON, NOON + 60)  # of the periods that end in (12:00:30, 12:01:45] there is one: 12:00


def found(*points: tuple[float, object], status: str = "Complete", **also: object) -> dict[str, Any]:
    times, values = [at for at, _ in points], [value for _, value in points]
    result = {"Id": "q", "Label": "Accuracy", "StatusCode": status, "Timestamps": times, "Values": values}
    return {"MetricDataResults": [result], "Messages": [], **also}


def fault(kind: str) -> dict[str, str]:
    return {"__type": kind, "message": f"inner words, {SECRETS['session']}"}


def answered(folder: Path, body: object, status: int = 200) -> Answer:
    (answer,) = ask("cloudwatch", says(body, status), lambda url: cloudwatch(folder, url))
    return answer


def test_the_request_is_exactly_this(tmp_path: Path) -> None:
    heard = says(found((NOON, 0.93)))
    assert ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url)) == [Levels((0.93,))]
    ((method, path, headers, body),) = heard.requests
    assert (method, path) == ("POST", "/")
    metric = {
        "Namespace": "Models/Quality",
        "MetricName": "Accuracy",
        "Dimensions": [
            {"Name": "Namespace", "Value": "ml"},
            {"Name": "Revision", "Value": "churn-b21d"},
            {"Name": "Version", "Value": "v8"},
        ],
    }
    stat = {"Metric": metric, "Period": 60, "Stat": "Minimum"}
    assert json.loads(body) == {
        "MetricDataQueries": [{"Id": "q", "MetricStat": stat, "ReturnData": True}],
        "StartTime": NOON,
        "EndTime": NOON + 60,
        "ScanBy": "TimestampDescending",
    }
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["X-Amz-Target"] == "GraniteServiceVersion20100801.GetMetricData"
    assert headers["X-Amz-Security-Token"] == SECRETS["session"]


@pytest.mark.parametrize(
    ("region", "domain"),
    [("eu-central-1", "eu-central-1.amazonaws.com"), ("cn-north-1", "cn-north-1.amazonaws.com.cn")],
)
def test_the_addresses_follow_from_the_region(
    region: str, domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:role")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    options = cloudwatch(tmp_path, region=region, access_key_id_file=None)
    source = make_cloudwatch("main", options, None, time.time).read.__self__  # type: ignore[arg-type,attr-defined]
    assert (source.http.url, source.keys.http.url) == (f"https://monitoring.{domain}", f"https://sts.{domain}")


def test_the_signature_is_of_what_was_sent(tmp_path: Path) -> None:
    """Signed anew from the bytes that arrived, as the service does it; the time is the one that it was told."""
    heard = says(found())
    ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url))
    ((_, _, headers, body),) = heard.requests
    told = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    signed = {name: headers[name] for name in ("Content-Type", "X-Amz-Target")}
    arrived = Request("POST", f"https://{headers['Host']}/", signed, body)
    keys = Keys(SECRETS["access"], SECRETS["secret"], SECRETS["session"])
    again = sign(arrived, keys, ("eu-central-1", "monitoring"), told)
    assert headers["Authorization"] == again["Authorization"]
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=5), "AWS takes no signature that is 15 minutes old"


@pytest.mark.parametrize(
    ("start", "end", "period", "expected"),
    [
        (30, 105, "60s", (0, 60)),
        (0, 60, "60s", (0, 60)),
        (0, 59.9, "60s", (0, 0)),
        (60, 75, "60s", (60, 60)),
        (45, 61, "60s", (0, 60)),
        (10, 400, "60s", (0, 360)),
        (10, 25, "10s", (10, 20)),
        (10, 400, "5m", (0, 300)),
    ],
)
def test_only_periods_that_ended_in_the_window_are_asked_for(
    start: float, end: float, period: str, expected: tuple[int, int]
) -> None:
    asked = Asked({"period": period}, {}, *(datetime.fromtimestamp(NOON + at, UTC) for at in (start, end)))
    assert periods(asked, timedelta()) == tuple(NOON + at for at in expected)
    later = Asked({"period": period}, {}, asked.start + timedelta(minutes=2), asked.end + timedelta(minutes=2))
    assert periods(later, timedelta(minutes=2)) == tuple(NOON + at for at in expected)


@given(st.lists(st.floats(0.1, 500), min_size=1, max_size=30), st.sampled_from(["1s", "10s", "60s", "5m"]))
def test_looks_that_follow_each_other_read_every_period_once(steps: list[float], period: str) -> None:
    at = [START]
    for step in steps:
        at.append(at[-1] + timedelta(seconds=step))
    looks = [periods(Asked({"period": period}, {}, *pair), timedelta(seconds=90)) for pair in pairwise(at)]
    assert all(end == begin for (_, end), (begin, _) in pairwise(looks))
    assert all(
        end <= (until - timedelta(seconds=90)).timestamp() for (_, end), until in zip(looks, at[1:], strict=True)
    )


def test_while_no_period_ends_nothing_is_asked(tmp_path: Path) -> None:
    heard = says(found((NOON, 0.93)))
    query = cloudwatch(tmp_path)["queries"]["accuracy"] | {"period": "1h"}
    options = {"queries": {"accuracy": query}}
    assert ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url, **options)) == [Levels(())]
    assert heard.requests == []


@pytest.mark.parametrize(
    ("points", "value"),
    [([], []), ([(0, 0.5)], [0.5]), ([(180, 0.7), (120, 0.6)], [0.7]), ([(120, 0.6), (180, 0.7)], [0.7])],
)
def test_the_newest_period_counts(points: Sequence[tuple[float, float]], value: list[float]) -> None:
    assert newest(found(*((NOON + at, v) for at, v in points)), (NOON, NOON + 240)) == value


@pytest.mark.parametrize("version", ["é", "a\nb", "\x7f"])
def test_what_is_no_dimension_is_not_asked(tmp_path: Path, version: str) -> None:
    heard = says(found((NOON, 1)))
    (answer,) = ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url), question(version=version))
    assert isinstance(answer, Silence) and "cannot be the value of a dimension" in answer.message
    assert not heard.requests


def test_a_version_stays_a_string_in_json(tmp_path: Path) -> None:
    heard, version = says(found()), '8"}],"Stat":"Maximum'
    ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url), question(version=version))
    (query,) = json.loads(heard.requests[0][3])["MetricDataQueries"]
    assert query["MetricStat"]["Metric"]["Dimensions"][2] == {"Name": "Version", "Value": "v" + version}
    assert query["MetricStat"]["Stat"] == "Minimum"


TYPED = "com.amazon.coral.service#"
UNUSABLE = {
    "may not": (fault(f"{TYPED}AccessDeniedException"), 400, "AccessDeniedException: the identity may not cloudwatch"),
    "unknown key": (fault(f"{TYPED}UnrecognizedClientException"), 400, "it does not take the keys"),
    "unknown token": (fault("InvalidClientTokenId"), 403, "HTTP 403 InvalidClientTokenId: it does not take the keys"),
    "old token": (fault(f"{TYPED}ExpiredTokenException"), 400, "the session token has expired"),
    "wrong secret": (fault(f"{TYPED}InvalidSignatureException"), 403, "or the API server's clock"),
    "clock": (fault("RequestExpired"), 400, "the API server's clock is wrong"),
    "bad query": (fault("com.amazonaws.cloudwatch#InvalidParameterValueException"), 400, "HTTP 400"),
    "not valid": (fault(f"{TYPED}ValidationException"), 400, "the query is not right"),
    "its own fault": (fault("InternalServiceFault"), 500, "HTTP 500: the fault is its own"),
    "a type that quotes": (fault(SECRETS["session"]), 400, "HTTP 400"),
    "a type that is none": ({"__type": 7}, 400, "HTTP 400"),
    "a proxy": ("<html>502</html>", 502, "HTTP 502: the fault is its own"),
    "partial": (found((NOON, 1), status="PartialData"), 200, "not Complete"),
    "internal": (found(status="InternalError"), 200, "not Complete"),
    "forbidden": (found(status="Forbidden"), 200, "not Complete"),
    "more to follow": (found((NOON, 1), NextToken="x"), 200, "partial answer"),
    "messages": (found((NOON, 1), Messages=[{"Code": "c", "Value": "v"}]), 200, "partial answer"),
    "values without times": ({"MetricDataResults": [{"StatusCode": "Complete"}]}, 200, "have no times"),
    "one time too few": (
        {"MetricDataResults": [{"StatusCode": "Complete", "Timestamps": [NOON], "Values": [1, 2]}]},
        200,
        "have no times",
    ),
    "before the window": (found((NOON - 60, 1)), 200, "outside the window"),
    "a period that still runs": (found((NOON + 60, 1)), 200, "outside the window"),
    "no results": ({}, 200, "no MetricDataResults"),
    "a list": ([], 200, "no MetricDataResults"),
    "text": ("", 200, "HTTP 200 and no JSON"),
    "a number in quotes": (found((NOON, "0.93")), 200, "no number"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_everything_else_is_silence_in_words(tmp_path: Path, name: str) -> None:
    body, status, words = UNUSABLE[name]
    answer = answered(tmp_path, body, status)
    assert isinstance(answer, Silence) and answer.message.startswith("metric source main: ")
    assert words in answer.message and "canary" not in answer.message, answer.message


def test_throttling_comes_as_400_and_is_heeded(tmp_path: Path) -> None:
    heard = says(fault(f"{TYPED}ThrottlingException"), 400)
    first, second = ask("cloudwatch", heard, lambda url: cloudwatch(tmp_path, url), question(), question())
    assert first == Silence("metric source main: HTTP 400 ThrottlingException: too many questions")
    assert 10 < pause_of(second) <= 30
    assert len(heard.requests) == 1


def test_the_window_of_the_tests_is_the_one_that_is_told() -> None:
    assert periods(Asked({"period": "60s"}, FILLS, START, END), timedelta()) == WINDOW
