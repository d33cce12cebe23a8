"""Amazon's own SDK as an oracle: our signatures, requests and readings are those of botocore, byte for byte.

Needs botocore, which is a development requirement and no part of the operator.
"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.parsers
import botocore.serialize
import botocore.session
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.metrics.aws_keys import WebIdentity, read_lent
from penstock.metrics.cloudwatch import HEADERS, newest, periods, request
from penstock.metrics.credentials import SecretFile
from penstock.metrics.named import Asked
from penstock.metrics.sigv4 import Keys, Request, sign
from tests.unit.named_source import END, FILLS, START, cloudwatch
from tests.unit.test_sources_aws_keys import lent
from tests.unit.test_sources_cloudwatch import NOON, found

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)
URLS = st.sampled_from(["https://monitoring.eu-central-1.amazonaws.com/", "http://127.0.0.1:8123/", "https://h.corp/"])
QUERIES = st.lists(st.tuples(WORD, WORD), max_size=4, unique_by=lambda pair: pair[0])


def theirs(asked: Request, keys: Keys, scope: tuple[str, str]) -> tuple[str, datetime]:
    """The Authorization header as botocore makes it now, and the time that it took for now."""
    credentials = botocore.credentials.Credentials(keys.access, keys.secret, keys.token or None)
    made = botocore.awsrequest.AWSRequest(asked.method, asked.url, headers=dict(asked.headers), data=asked.body)
    botocore.auth.SigV4Auth(credentials, scope[1], scope[0]).add_auth(made)
    at = datetime.strptime(made.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return made.headers["Authorization"], at


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["GET", "POST"]),
    URLS,
    QUERIES,
    st.dictionaries(st.sampled_from(["Content-Type", "X-Amz-Target", "Accept"]), VALUE),
    st.binary(max_size=100),
    st.tuples(WORD, WORD, st.one_of(st.just(""), WORD)),
    st.tuples(WORD, WORD),
)
def test_a_signature_is_the_one_of_the_sdk(
    method: str,
    url: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    keys: tuple[str, str, str],
    scope: tuple[str, str],
) -> None:
    pairs = "&".join(f"{key}={value}" for key, value in query)
    asked = Request(method, url + (f"?{pairs}" if pairs else ""), headers, body)
    header, at = theirs(asked, Keys(*keys), scope)
    assert sign(asked, Keys(*keys), scope, at)["Authorization"] == header


@cache
def operation(service: str, name: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(name)


def test_the_request_is_the_one_of_the_sdk(tmp_path: Any) -> None:
    asked = Asked(cloudwatch(tmp_path)["queries"]["accuracy"], FILLS, START, END)
    window = periods(asked, START - START)
    ours = request(asked, window)
    times = {name: datetime.fromtimestamp(ours[name], UTC) for name in ("StartTime", "EndTime")}
    serializer = botocore.serialize.create_serializer("json")
    made = serializer.serialize_to_request(ours | times, operation("cloudwatch", "GetMetricData"))
    assert (made["method"], made["url_path"], json.loads(made["body"])) == ("POST", "/", ours)
    assert {name: made["headers"][name] for name in HEADERS} == HEADERS


def test_our_sample_answers_are_read_by_the_sdk_as_we_read_them() -> None:
    body = found((NOON + 60, 0.5), (NOON, 0.93))
    shape = operation("cloudwatch", "GetMetricData").output_shape
    response = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
    (result,) = botocore.parsers.create_parser("json").parse(response, shape)["MetricDataResults"]
    assert [at.timestamp() for at in result["Timestamps"]] == [NOON + 60, NOON]
    assert newest(body, (NOON, NOON + 120)) == [result["Values"][0]] == [0.5]


def test_keys_are_asked_of_sts_as_the_sdk_does(tmp_path: Any) -> None:
    (tmp_path / "token").write_text("jwt.of.pod")
    ours = WebIdentity(None, "arn:aws:iam::1:role/penstock", SecretFile(str(tmp_path / "token"), "t"), datetime.now)
    form = ours._request().form
    assert form
    parameters = {name: form[name] for name in ("RoleArn", "RoleSessionName", "WebIdentityToken")}
    model = operation("sts", "AssumeRoleWithWebIdentity")
    made = botocore.serialize.create_serializer("query").serialize_to_request(parameters, model)
    assert (made["method"], made["url_path"], made["body"]) == ("POST", "/", form)


def test_lent_keys_are_read_as_the_sdk_reads_them() -> None:
    model = operation("sts", "AssumeRoleWithWebIdentity")
    response = {"status_code": 200, "headers": {}, "body": lent().encode()}
    theirs = botocore.parsers.create_parser("query").parse(response, model.output_shape)["Credentials"]
    keys, end = read_lent(200, lent().encode())
    told = [theirs[name].strip() for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    assert [keys.access, keys.secret, keys.token] == told and end == theirs["Expiration"]
