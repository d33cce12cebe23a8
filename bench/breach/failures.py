"""Each failed answer with what the gateway's log says of it: who was asked, how the connection ended, and so why.

A bad model answers with a 500 of its own. Everything else must be explained: 0 is no answer within the client's
patience or a broken connection, 404 and 503 are the gateway's own. What nobody can explain is strange.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.breach.clients import Told
from bench.breach.facts import Record
from bench.breach.parts import SERVER_ERROR
from bench.breach.witnesses import unix
from examples.demo.records import OK

Line = dict[str, Any]
KEPT = (
    "response_code",
    "response_flags",
    "response_code_details",
    "duration",
    "upstream_host",
    "upstream_local_address",
    "connection_termination_details",
)
OWN = "the model's own answer"
CLOSED = "the bad version's server closed the connection after it had answered 500, and said so to nobody"
EARLY = "the gateway had said that it has the route, and did not have it yet"
UNKNOWN = ""
CUT, UNROUTED = "UC", ("NR", "NC")  # the gateway's words for: upstream cut the connection; no route, no cluster
NEAR = 1.0  # seconds between sending and the gateway's start of a request, at most


def failures(record: Record) -> list[Line]:
    """All failed answers of all rollouts, each with its line of the gateway's log and its cause."""
    logged = _by_object(record.logged)
    made = []
    for name, told in record.told.items():
        off = record.facts[name].audit["acted_at"] if name in record.facts else None
        rows: list[Line] = []
        for each in sorted((one for one in told if one.status != OK), key=lambda one: one.sent):
            row = _row(name, each, off) | _said(_take(logged.get(name, []), each), record.pods)
            rows.append(row | {"cause": _cause(row, rows, min(one.ended for one in told if one.status == OK))})
        made += rows
    return made


def strange(rows: Iterable[Line]) -> list[Line]:
    """Those that nobody can explain."""
    return [row for row in rows if row["cause"] == UNKNOWN]


def _cause(row: Line, before: list[Line], first: float) -> str:
    """Why it failed, given the failures before it and when the first answer of the object came."""
    if row["status"] == SERVER_ERROR:
        return OWN
    flags, way = row["gateway"].get("response_flags"), _way(row)
    if flags == CUT and any(_way(one) == way and one["status"] == SERVER_ERROR for one in before):
        return CLOSED
    return EARLY if flags in UNROUTED and row["sent"] < first else UNKNOWN


def _way(row: Line) -> tuple[Any, Any]:
    """The gateway's connection to a pod."""
    return row["gateway"].get("upstream_local_address"), row["gateway"].get("upstream_host")


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
