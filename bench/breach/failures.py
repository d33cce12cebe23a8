"""Each failed answer with what the gateway's log says of it: who was asked, and how the connection ended.

A bad model answers with a 500 of its own. Everything else is strange and must be explained: 0 is no answer within the
client's patience or a broken connection, 503 is the gateway's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.breach.clients import Told
from bench.breach.facts import Record
from bench.breach.parts import SERVER_ERROR
from bench.breach.witnesses import unix

Line = dict[str, Any]
KEPT = (
    "response_code",
    "response_flags",
    "response_code_details",
    "duration",
    "upstream_host",
    "connection_termination_details",
)
NEAR = 1.0  # seconds between sending and the gateway's start of a request, at most


def failures(record: Record) -> list[Line]:
    """All failed answers of all rollouts, each with its line of the gateway's log and the revision that was asked."""
    logged = _by_object(record.logged)
    made = []
    for name, told in record.told.items():
        off = record.facts[name].audit["acted_at"] if name in record.facts else None
        for each in sorted((one for one in told if one.status != 200), key=lambda one: one.sent):
            line = _take(logged.get(name, []), each)
            made.append(_row(name, each, off) | _said(line, record.pods))
    return made


def strange(rows: Iterable[Line]) -> list[Line]:
    """Those that are no answer of the model's own."""
    return [row for row in rows if row["status"] != SERVER_ERROR]


def _by_object(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines by the object that the request was for: /v2/models/NAME/infer."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(str(line["x-envoy-origin-path"]).split("/")[3], []).append(line)
    return found


def _take(lines: list[Line], told: Told) -> Line:
    """The line that fits best, which is then no other answer's."""
    fitting = [line for line in lines if told.status in (0, line["response_code"]) and _distance(line, told) < NEAR]
    best = min(fitting, key=lambda line: _distance(line, told), default=None)
    if best is None:
        return {}
    lines.remove(best)
    return best


def _distance(line: Line, told: Told) -> float:
    return abs(unix(line["start_time"]) - told.sent)


def _row(name: str, told: Told, off: float | None) -> Line:
    return {
        "run": name,
        "status": told.status,
        "sent": round(told.sent, 3),
        "after_weight_0": None if off is None else round(told.sent - off, 3),
        "seconds": round(told.seconds, 3),
        "why": told.why,
    }


def _said(line: Line, pods: Mapping[str, str]) -> Line:
    address = str(line.get("upstream_host") or "").rsplit(":", 1)[0]
    return {"revision": pods.get(address, ""), "gateway": {key: line[key] for key in KEPT if line.get(key)}}
