"""Datadog: the request to the byte, and every answer that its documentation of v2 scalar queries knows.

The answers are written from the documented shape; the real service was never asked.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from penstock.metrics.datadog import make_datadog
from penstock.model.measure import Answer, Levels, Silence
from tests.unit.named_source import END, SECRETS, START, Heard, ask, datadog, pause_of, question, says


def column(*values: object, **also: object) -> dict[str, Any]:
    return {"name": "a", "type": "number", "values": list(values), "meta": {"unit": None}, **also}


PODS = {"name": "pod", "type": "group", "values": [["churn-b21d-x"], ["churn-b21d-y"]]}


def scalar(*columns: object) -> dict[str, Any]:
    return {"data": {"id": "0", "type": "scalar_response", "attributes": {"columns": list(columns)}}}


def answered(folder: Path, body: object, status: int = 200) -> Answer:
    (answer,) = ask("datadog", says(body, status), lambda url: datadog(folder, url))
    return answer


def test_the_request_is_exactly_this(tmp_path: Path) -> None:
    heard = says(scalar(PODS, column(0.93, 0.95)))
    assert ask("datadog", heard, lambda url: datadog(tmp_path, url)) == [Levels((0.93, 0.95))]
    ((method, path, headers, body),) = heard.requests
    assert (method, path) == ("POST", "/api/v2/query/scalar")
    assert {name: headers[name] for name in ("DD-API-KEY", "DD-APPLICATION-KEY", "Content-Type", "Accept")} == {
        "DD-API-KEY": SECRETS["api"],
        "DD-APPLICATION-KEY": SECRETS["application"],
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    delayed = [round(at.timestamp() * 1000) - 30_000 + 1 for at in (START, END)]
    query = "avg:model.accuracy{namespace:ml,revision:churn-b21d,version:8} by {pod}"
    assert json.loads(body) == {
        "data": {
            "type": "scalar_request",
            "attributes": {
                "from": delayed[0],
                "to": delayed[1],
                "queries": [{"data_source": "metrics", "name": "a", "query": query, "aggregator": "min"}],
                "formulas": [{"formula": "a"}],
            },
        }
    }


def test_the_address_follows_from_the_site(tmp_path: Path) -> None:
    named = make_datadog("main", datadog(tmp_path), None, time.time)  # type: ignore[arg-type]
    assert named.read.__self__.http.url == "https://api.datadoghq.eu"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "levels"),
    [
        (scalar(column(0.93)), (0.93,)),
        (scalar(PODS, column(0.93, None)), (0.93,)),
        (scalar(PODS, column(None, None)), ()),
        (scalar({"name": "pod", "type": "group", "values": []}, column()), ()),
        (scalar(), ()),
    ],
    ids=["one number", "a pod without points", "no points at all", "no group", "no column"],
)
def test_a_number_for_each_group_that_has_one(tmp_path: Path, body: object, levels: tuple[float, ...]) -> None:
    assert answered(tmp_path, body) == Levels(levels)


@pytest.mark.parametrize("version", ["8", "V8.1_rc-2", "2026/11:a"])
def test_a_tag_is_asked_for_as_datadog_stores_it(tmp_path: Path, version: str) -> None:
    heard = says(scalar())
    ask("datadog", heard, lambda url: datadog(tmp_path, url), question(version=version))
    (query,) = json.loads(heard.requests[0][3])["data"]["attributes"]["queries"]
    assert f",version:{version.lower()}}} by" in query["query"]


@pytest.mark.parametrize("version", ["8}", "8,namespace:other", "* OR a:b", "8 by {host}", "é", "8\n", "a" * 201, "!8"])
def test_what_could_say_more_than_a_tag_is_not_asked(tmp_path: Path, version: str) -> None:
    heard = says(scalar(column(1)))
    (answer,) = ask("datadog", heard, lambda url: datadog(tmp_path, url), question(version=version))
    assert isinstance(answer, Silence) and "cannot be the value of a tag" in answer.message and not heard.requests


UNUSABLE = {
    "forbidden": ({"errors": ["Forbidden"]}, 403, "HTTP 403: it does not take the keys"),
    "unauthorized": ({"errors": ["Unauthorized"]}, 401, "HTTP 401: it does not take the keys"),
    "bad query": ({"errors": ["Invalid query"]}, 400, "HTTP 400"),
    "its own fault": ("upstream connect error", 503, "HTTP 503: the fault is its own"),
    "errors in a good answer": ({**scalar(column(1)), "errors": "partial"}, 200, "says errors"),
    "two columns": (scalar(column(1), column(2)), 200, "not one column"),
    "no columns": ({"data": {"attributes": {}}}, 200, "it has no columns"),
    "columns of another kind": (scalar({"type": "number"}), 200, "it has no columns"),
    "values that are no list": (scalar(column() | {"values": 7}), 200, "not one column"),
    "a list": ([scalar(column(1))], 200, "no answer of Datadog's"),
    "text": ("<html>", 200, "HTTP 200 and no JSON"),
    "a number in quotes": (scalar(column("0.93")), 200, "no number"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_everything_else_is_silence_in_words(tmp_path: Path, name: str) -> None:
    body, status, words = UNUSABLE[name]
    answer = answered(tmp_path, body, status)
    assert isinstance(answer, Silence) and answer.message.startswith("metric source main: ")
    assert words in answer.message, answer.message


def test_its_own_header_says_how_long_to_leave_it_alone(tmp_path: Path) -> None:
    heard: Heard = says(
        {"errors": ["Too many requests"]}, 429, {"X-RateLimit-Reset": "170", "X-RateLimit-Limit": "100"}
    )
    first, second = ask("datadog", heard, lambda url: datadog(tmp_path, url), question(), question())
    assert first == Silence("metric source main: HTTP 429: too many questions")
    assert 100 < pause_of(second) <= 170
    assert len(heard.requests) == 1
