"""Field selectors, for the few fields of a kind that the real server indexes; any other is refused, as there."""

from typing import Any

from penstock.model.faults import Rejected

Object = dict[str, Any]
ALWAYS = ("metadata.name", "metadata.namespace")
SELECTABLE = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    )
}


def has_fields(live: Object, selector: str) -> bool:
    """Whether the object has the values that the selector wants."""
    return all(_holds(live, term) for term in selector.split(",") if term)


def check_fields(kind: str, selector: str) -> None:
    """Raise `Rejected` for a field that the server does not know to select by."""
    for path in (_split(term)[0] for term in selector.split(",") if term):
        if path not in ALWAYS + SELECTABLE.get(kind, ()):
            raise Rejected("ApiInvalid", f"{kind}: field label not supported: {path}")


def _holds(live: Object, term: str) -> bool:
    path, wanted, equal = _split(term)
    found: Any = live
    for key in path.split("."):
        found = (found or {}).get(key)
    return ((found or "") == wanted) == equal


def _split(term: str) -> tuple[str, str, bool]:
    path, sign, value = term.partition("!=")
    if not sign:
        path, _, value = term.replace("==", "=").partition("=")
    return path, value, not sign
