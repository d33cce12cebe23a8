"""JSON lines on stdout, one per record, so that a log store can be asked by namespace and name.

It must never let an object's body out: only short scalar extras pass, and what our own code wraps as a Structure; long
messages are cut, and kopf, which logs whole bodies, is held at WARNING whatever level we run at.
"""

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TextIO

MESSAGE_LIMIT = 2000
QUIET = ("kopf", "kopf.objects", "aiohttp.access", "asyncio")
KOPF = {"settings", "k8s_ref", "k8s_skip"}
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"} | KOPF

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Structure:
    """The one nested extra that passes, uncut: made by us field by field, never an object's body."""

    content: Mapping[str, object]


class JsonLines(logging.Formatter):
    """One record as one line of JSON: ts, level, logger, msg, then what the caller added."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _cut(record.getMessage()),
        }
        line |= _object_of(record) | _extras(record) | _structures(record)
        if record.exc_info and record.exc_info[0] is not None:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def setup(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Make the root logger write JSON lines, and nothing else write anything."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _object_of(record: logging.LogRecord) -> dict[str, Scalar]:
    """The object that a record of kopf is about, which it names in one nested field."""
    reference = getattr(record, "k8s_ref", None)
    if not isinstance(reference, dict):
        return {}
    return {key: str(reference[key]) for key in ("kind", "namespace", "name") if reference.get(key)}


def _extras(record: logging.LogRecord) -> dict[str, Scalar]:
    added = {key: value for key, value in vars(record).items() if key not in STANDARD}
    return {key: _plain(value) for key, value in added.items() if isinstance(value, Scalar)}


def _structures(record: logging.LogRecord) -> dict[str, object]:
    return {key: value.content for key, value in vars(record).items() if isinstance(value, Structure)}


def _plain(value: Scalar) -> Scalar:
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no NaN
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 3] + "..."
