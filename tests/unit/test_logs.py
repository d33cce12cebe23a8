"""One line of JSON per record, with what was added and without any object's body."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.shell import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, quiet = logging.getLogger(), {name: logging.getLogger(name).level for name in logs.QUIET}
    before = (list(root.handlers), root.level)
    target = io.StringIO()
    root.handlers = []  # pytest's own handlers would be closed by setup(force=True)
    logs.setup("info", target)
    yield target
    root.handlers, root.level = before
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_with_its_extras(stream: io.StringIO) -> None:
    logging.getLogger("penstock.loop").info(
        "turn %d\ndone", 7, extra={"namespace": "ml", "name_": "churn", "seconds": 0.25}
    )
    (line,) = lines(stream)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "penstock.loop",
        "msg": "turn 7\ndone",
        "namespace": "ml",
        "name_": "churn",
        "seconds": 0.25,
    }


def test_bodies_stay_inside(stream: io.StringIO) -> None:
    body = {"spec": {"env": [{"name": "PASSWORD", "value": "hunter2"}]}}
    logging.getLogger("penstock").warning("x" * 9000, extra={"body": body, "items": [body], "rate": float("nan")})
    logging.getLogger("kopf.objects").info("Handler %s for %r", "on_event", body)
    (line,) = lines(stream)
    assert len(line["msg"]) == 2000 and "body" not in line and "items" not in line and line["rate"] == "nan"
    assert "hunter2" not in stream.getvalue()


def test_only_what_our_own_code_wraps_passes_with_its_structure(stream: io.StringIO) -> None:
    look = {"answers": {"errorRate": {"counts": [1, 30, 0, 570]}}, "text": "x" * 9000}
    logging.getLogger("penstock.looks").info("a look", extra={"look": logs.Structure(look), "other": look})
    (line,) = lines(stream)
    assert line["look"] == look and "other" not in line


def test_an_exception_brings_its_trace_on_the_same_line(stream: io.StringIO) -> None:
    try:
        raise KeyError("spec")
    except KeyError:
        logging.getLogger("penstock").exception("a bug")
    (line,) = lines(stream)
    assert line["level"] == "error" and "KeyError: 'spec'" in line["trace"] and "\n" in line["trace"]


def test_the_object_that_kopf_names_is_found(stream: io.StringIO) -> None:
    reference = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment", "name": "churn", "namespace": "ml"}
    logging.getLogger("kopf.objects").warning("slow", extra={"k8s_ref": reference, "noise": object()})
    (line,) = lines(stream)
    assert (line["kind"], line["namespace"], line["name"]) == ("ModelDeployment", "ml", "churn")
