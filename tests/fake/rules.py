"""What the API server refuses, as far as it is cheap to know: a sample of its validation, never stricter."""

import re
from typing import Any

from penstock.model.faults import Rejected

Object = dict[str, Any]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(LABEL.pattern + r"(\." + LABEL.pattern + ")*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
IMMUTABLE = {"Deployment": ("spec", "selector"), "ControllerRevision": ("data",)}


def check(manifest: Object, live: Object | None) -> None:
    """Raise `Rejected` as the server would for this write."""
    problem = _name(manifest) or _labels(manifest) or _content(manifest) or _event(manifest)
    problem = problem or (live and _immutable(manifest, live))
    if problem:
        where = f"{manifest['kind']}/{manifest['metadata']['name']}"
        raise Rejected("ApiInvalid", f"{where}: {problem}")


def _name(manifest: Object) -> str:
    name, kind = manifest["metadata"]["name"], manifest["kind"]
    if kind == "Service" and (len(name) > 63 or not LABEL.fullmatch(name)):
        return f'metadata.name: Invalid value: "{name}": must be a DNS label of at most 63 characters'
    if len(name) > 253 or not SUBDOMAIN.fullmatch(name):
        return f'metadata.name: Invalid value: "{name}": must be a lowercase RFC 1123 subdomain'
    return ""


def _labels(manifest: Object) -> str:
    for key, value in (manifest["metadata"].get("labels") or {}).items():
        if not isinstance(value, str) or len(value) > 63 or not LABEL_VALUE.fullmatch(value):
            return f"metadata.labels: Invalid value: {value!r} of {key}"
    return ""


def _content(manifest: Object) -> str:
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "Deployment":
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        offered = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        if not wanted or not wanted.items() <= offered.items():
            return "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
        if spec.get("replicas", 0) < 0:
            return "spec.replicas: Invalid value: must be greater than or equal to 0"
    if manifest["kind"] == "Service" and spec.get("clusterIP") != "None" and not spec.get("ports"):
        return "spec.ports: Required value"
    if manifest["kind"] == "Service":
        return _ports([port.get("name") for port in spec.get("ports") or []])
    if manifest["kind"] == "PodDisruptionBudget" and {"minAvailable", "maxUnavailable"} <= spec.keys():
        return "spec: Invalid value: minAvailable and maxUnavailable cannot be both set"
    if manifest["kind"] == "HorizontalPodAutoscaler" and spec.get("minReplicas", 1) < 1:
        return "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"
    return ""


def _ports(names: list[str | None]) -> str:
    if len(names) > 1 and None in names:
        return f"spec.ports[{names.index(None)}].name: Required value"
    twice = next((name for name in names if names.count(name) > 1), None)
    return f'spec.ports[{names.index(twice) + 1}].name: Duplicate value: "{twice}"' if twice else ""


def _event(manifest: Object) -> str:
    if manifest["kind"] != "Event":
        return ""
    if len(manifest.get("note", "").encode()) > 1024:
        return 'message: Invalid value: "": can have at most 1024 characters'
    if manifest.get("series", {"count": 2})["count"] < 2:
        return 'series.count: Invalid value: "": should be at least 2'
    return ""


def _immutable(manifest: Object, live: Object) -> str:
    if live.get("immutable") and any(manifest.get(key) != live.get(key) for key in ("immutable", "data", "binaryData")):
        return "data: Forbidden: field is immutable when `immutable` is set"
    path = IMMUTABLE.get(manifest["kind"], ())
    before: Any = live
    after: Any = manifest
    for key in path:
        before, after = (before or {}).get(key), (after or {}).get(key)
    return f"{'.'.join(path)}: Invalid value: field is immutable" if path and before != after else ""
