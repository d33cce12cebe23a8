"""JSON over HTTP: what is filled in stays one part of a path, one value, one string; the pointer says where to look."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from penstock.metrics.http import Unusable
from penstock.metrics.web import at
from penstock.model.measure import Answer, Levels, Silence
from tests.unit.named_source import END, JSON_QUERY, SECRETS, START, ask, json_source, question, says

SINCE, UNTIL = (f"{when.timestamp():.0f}" for when in (START, END))


def answered(folder: Path, body: object, status: int = 200, **query: Any) -> Answer:
    options = {"queries": {"accuracy": JSON_QUERY | query}}
    (answer,) = ask("json", says(body, status), lambda url: json_source(folder, url, **options))
    return answer


def test_a_get_is_exactly_this(tmp_path: Path) -> None:
    heard = says({"scores": {"accuracy": 0.93}})
    assert ask("json", heard, lambda url: json_source(tmp_path, url + "/base/")) == [Levels((0.93,))]
    ((method, path, headers, body),) = heard.requests
    assert (method, body) == ("GET", b"")
    assert path == f"/base/scores/ml/8?revision=churn-b21d&from={SINCE}&to={UNTIL}"
    assert headers["Authorization"] == f"Bearer {SECRETS['bearer']}" and headers["Accept"] == "application/json"


def test_a_post_is_exactly_this(tmp_path: Path) -> None:
    query = {
        "method": "POST",
        "path": "/score",
        "params": {},
        "body": {"model": {"name": "{{name}}", "version": "{{version}}"}, "window": ["{{start}}", "{{end}}"], "top": 1},
        "value": "/0",
    }
    heard = says([0.93, 2])
    assert ask("json", heard, lambda url: json_source(tmp_path, url, queries={"accuracy": query})) == [Levels((0.93,))]
    ((method, path, headers, body),) = heard.requests
    assert (method, path, headers["Content-Type"]) == ("POST", "/score", "application/json")
    assert json.loads(body) == {"model": {"name": "churn", "version": "8"}, "window": [SINCE, UNTIL], "top": 1}


def test_a_post_without_a_body_is_one(tmp_path: Path) -> None:
    heard = says(1)
    query = JSON_QUERY | {"method": "POST", "value": ""}
    assert ask("json", heard, lambda url: json_source(tmp_path, url, queries={"accuracy": query})) == [Levels((1.0,))]
    assert heard.requests[0][0] == "POST" and heard.requests[0][3] == b""


HOSTILE = [
    "a/../../admin",
    "a?x=1",
    "a#b",
    "a&to=0",
    "a%2Fb",
    "a b+c",
    "é",
    "{{name}}",
    'a"b',
    "a\r\nX-Evil: 1",
    "//h/",
]


@pytest.mark.parametrize("version", HOSTILE)
def test_a_version_is_one_part_of_a_path_and_one_value(tmp_path: Path, version: str) -> None:
    """Read back as a server reads it: split at the slashes first, decoded then."""
    heard = says({"scores": {"accuracy": 1}})
    query = JSON_QUERY | {"params": {"v": "{{version}}", "to": "{{end}}"}}
    ask("json", heard, lambda url: json_source(tmp_path, url, queries={"accuracy": query}), question(version=version))
    ((_, raw, headers, _),) = heard.requests
    url = urlsplit(raw)
    assert [unquote(part) for part in url.path.split("/")] == ["", "scores", "ml", version]
    assert parse_qsl(url.query) == [("v", version), ("to", UNTIL)]
    assert "X-Evil" not in headers


@pytest.mark.parametrize("version", HOSTILE)
def test_a_version_is_one_string_in_a_body(tmp_path: Path, version: str) -> None:
    heard = says({"scores": {"accuracy": 1}})
    query = JSON_QUERY | {"method": "POST", "path": "", "params": {}, "body": {"v": "{{version}}", "to": 0}}
    ask("json", heard, lambda url: json_source(tmp_path, url, queries={"accuracy": query}), question(version=version))
    assert json.loads(heard.requests[0][3]) == {"v": version, "to": 0}


@pytest.mark.parametrize("version", [".", ".."])
def test_dots_do_not_lead_up(tmp_path: Path, version: str) -> None:
    """They cannot be encoded: clients and servers take them for the way up in any spelling."""
    heard = says({"scores": {"accuracy": 1}})
    (answer,) = ask("json", heard, lambda url: json_source(tmp_path, url), question(version=version))
    assert answer == Silence("metric source main: what is filled in would lead to another path") and not heard.requests


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a": [{"b/c": 1, "~": 2, "": 3, "~1": 4}]}),
        ("/a/0/~01", 4),
        ("/a/0/b~1c", 1),
        ("/a/0/~0", 2),
        ("/a/0/", 3),
    ],
)
def test_the_pointer_is_that_of_rfc_6901(pointer: str, found: object) -> None:
    assert at({"a": [{"b/c": 1, "~": 2, "": 3, "~1": 4}]}, pointer) == found


@pytest.mark.parametrize(
    "pointer", ["/b", "/a/1", "/a/-1", "/a/-", "/a/00", "/a/x", "/a/0/b/c", "/a/\u0660", "/a/" + "9" * 11]
)
def test_a_pointer_to_nothing_says_so(pointer: str) -> None:
    with pytest.raises(Unusable, match="has nothing at /"):
        at({"a": [{"b": 1}]}, pointer)


@pytest.mark.parametrize(
    ("value", "levels"),
    [(0.93, (0.93,)), ([0.93, 1], (0.93, 1.0)), ([], ()), (None, ()), ([None, 0.5], (0.5,)), (0, (0.0,))],
)
def test_one_number_or_many_or_none(tmp_path: Path, value: object, levels: tuple[float, ...]) -> None:
    assert answered(tmp_path, {"scores": {"accuracy": value}}) == Levels(levels)


UNUSABLE = {
    "unauthorized": ({}, 401, "HTTP 401: it does not take the credentials"),
    "forbidden": ({}, 403, "HTTP 403: it does not take the credentials"),
    "not found": ({}, 404, "HTTP 404"),
    "its own fault": ({}, 500, "HTTP 500: the fault is its own"),
    "nothing yet": ("", 204, "HTTP 204"),
    "another shape": ({"scores": [1]}, 200, "nothing at /scores/accuracy"),
    "an object": ({"scores": {"accuracy": {"mean": 1}}}, 200, "no number"),
    "a string": ({"scores": {"accuracy": "0.93"}}, 200, "no number"),
    "true": ({"scores": {"accuracy": True}}, 200, "no number"),
    "NaN": ('{"scores": {"accuracy": NaN}}', 200, "not finite"),
    "too large": ('{"scores": {"accuracy": 1e999}}', 200, "not finite"),
    "digits without end": ('{"scores": {"accuracy": ' + "9" * 5000 + "}}", 200, "no JSON"),
    "text": ("accuracy: 0.93", 200, "HTTP 200 and no JSON"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_everything_else_is_silence_in_words(tmp_path: Path, name: str) -> None:
    body, status, words = UNUSABLE[name]
    answer = answered(tmp_path, body, status)
    assert isinstance(answer, Silence) and answer.message.startswith("metric source main: ")
    assert words in answer.message, answer.message
