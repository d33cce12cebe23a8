"""What an answer of the API server means: the one place where HTTP status codes become faults.

It knows no client and no connection, only numbers, headers and the `Status` object. It must never carry a response
body on: a message is the API's own sentence, cut short, because it ends in conditions, Events and logs.
"""

import json
from collections.abc import Mapping
from typing import Any

from penstock.model.faults import Rejected, Retry, Stale

MESSAGE_LIMIT = 300
DEFAULT_WAIT = 1.0
LONGEST_WAIT = 300.0

# The server-side apply code answers 500 to a manifest that does not fit the schema; that is a refusal, not an outage.
SCHEMA_COMPLAINTS = ("failed to create typed patch object", "failed to create manager for")

# Nor does an object shrink by itself, though the store's refusal of a large one comes as a 500.
TOO_LARGE = "etcdserver: request is too large"

# HTTP status -> the condition reason of a refusal; every other 4xx is `ApiRefused` (webhooks may pick any code).
REFUSALS = {400: "ApiInvalid", 403: "ApiForbidden", 404: "ApiKindMissing", 413: "ApiTooLarge", 422: "ApiInvalid"}


def fault_of(where: str, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    """The fault to raise for a failed request about `where` (`Kind/name`)."""
    said = _status_object(body)
    message = cut(f"{where}: {said.get('message') or f'HTTP {status}'}")
    if status == 409 or _is_gone(status, said) or _is_namesake(said):
        return Stale(message)
    if _is_refusal(status, said):
        return Rejected(_reason(status, said), message)
    return Retry(_wait(headers, said), message, asked=_asked(headers, said) is not None)


def cut(message: str) -> str:
    """A message short enough for a condition, on one line."""
    flat = " ".join(message.split())
    return flat if len(flat) <= MESSAGE_LIMIT else flat[: MESSAGE_LIMIT - 3] + "..."


def _is_gone(status: int, said: Mapping[str, Any]) -> bool:
    """An object that is gone is named in the answer; a kind that does not exist is not, since nobody knows it."""
    details = said.get("details") or {}
    return status == 404 and bool(details.get("name")) and details.get("kind") != "namespaces"


def _is_namesake(said: Mapping[str, Any]) -> bool:
    """The write named a uid and another object has the name now: most kinds answer 409 to that, custom ones 422."""
    return "metadata.uid" in _causes(said, "field")


def _is_refusal(status: int, said: Mapping[str, Any]) -> bool:
    if status == 500:
        return str(said.get("message", "")).startswith((*SCHEMA_COMPLAINTS, TOO_LARGE))
    # 401 is a credential in rotation, 408 and 429 ask for patience, 410 is an expired list: all heal by themselves.
    return 400 <= status < 500 and status not in (401, 408, 410, 429)


def _reason(status: int, said: Mapping[str, Any]) -> str:
    details = said.get("details") or {}
    if "NamespaceTerminating" in _causes(said):
        return "NamespaceTerminating"
    if status == 404 and details.get("kind") == "namespaces":
        return "NamespaceMissing"
    if status == 403 and "exceeded quota" in str(said.get("message", "")):
        return "QuotaExceeded"
    if str(said.get("message", "")).startswith(TOO_LARGE):
        return "ApiTooLarge"
    return REFUSALS.get(status, "ApiInvalid" if status == 500 else "ApiRefused")


def _causes(said: Mapping[str, Any], key: str = "reason") -> set[str]:
    details = said.get("details") or {}
    return {str(cause.get(key)) for cause in details.get("causes") or []}


def _wait(headers: Mapping[str, str], said: Mapping[str, Any]) -> float:
    return min(max(_asked(headers, said) or DEFAULT_WAIT, DEFAULT_WAIT), LONGEST_WAIT)


def _asked(headers: Mapping[str, str], said: Mapping[str, Any]) -> float | None:
    """The seconds that the server asks for."""
    asked = headers.get("Retry-After") or (said.get("details") or {}).get("retryAfterSeconds")
    try:
        return float(asked) if asked else None
    except (TypeError, ValueError):  # the header may hold a date; our clock may differ from the server's, so ignore it
        return None


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("kind") == "Status" else {}
