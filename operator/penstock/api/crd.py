"""Pydantic models -> CustomResourceDefinitions that the API server accepts as structural.

`python -m penstock.api.crd DIR` writes one file per resource. Pydantic's JSON Schema uses references, null unions and
inlined enums with titles; a structural schema knows none of them, so each is rewritten here and nowhere else.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from penstock.api.runtime import RuntimeSpec
from penstock.api.spec import Spec
from penstock.api.status import Status

Schema = dict[str, Any]
GROUP, VERSION = "penstock.dev", "v1alpha1"
# Defaults are not in the CRD: they are in the descriptions and act when the operator reads. So an upgrade changes no
# stored object, no hash of a revision and no diff of a GitOps tool.
_DROPPED = ("title", "additionalProperties", "$defs", "default")


def structural(model: type[BaseModel]) -> Schema:
    """The model as one self-contained structural schema."""
    schema = model.model_json_schema(by_alias=True)
    return _rewrite(schema, schema.get("$defs", {}))


def _rewrite(node: Schema, defs: dict[str, Schema]) -> Schema:
    node = _resolve(node, defs)
    if node.get("type") == "integer":
        node = {"format": "int64" if node.get("maximum", 1 << 40) > (1 << 31) else "int32", **node}
    made = {k: v for k, v in node.items() if k not in _DROPPED}
    if node.get("x-kubernetes-int-or-string"):
        made = {k: v for k, v in made.items() if k not in ("type", "maxLength")}
    if "properties" in node:
        made["properties"] = {name: _rewrite(value, defs) for name, value in node["properties"].items()}
    if "items" in node:
        made["items"] = _rewrite(node["items"], defs)
    if isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = _rewrite(node["additionalProperties"], defs)
    return _bounded(made)


def _resolve(node: Schema, defs: dict[str, Schema]) -> Schema:
    """Follow references and drop `null` from unions: in Kubernetes an absent key says it. The nearer text wins."""
    if "anyOf" in node:
        (inner,) = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        rest = {k: v for k, v in node.items() if k != "anyOf"}
        return _resolve({**inner, **rest}, defs)
    if "$ref" in node:
        inner = defs[node["$ref"].rsplit("/", 1)[1]]
        rest = {k: v for k, v in node.items() if k != "$ref"}
        return _resolve({**inner, **rest}, defs)
    return node


def _bounded(node: Schema) -> Schema:
    """Every string, list and map has an upper bound, which also keeps CEL's cost estimate finite."""
    if node.get("type") == "string" and "enum" not in node and node.get("format") != "date-time":
        node.setdefault("maxLength", 1024)
    if node.get("type") == "array":
        node.setdefault("maxItems", 64)
    return node


def _column(name: str, path: str, kind: str = "string", **extra: Any) -> Schema:
    return {"name": name, "type": kind, "jsonPath": path, **extra}


_READY = '.status.conditions[?(@.type=="Ready")]'
COLUMNS = [
    _column("Ready", _READY + ".status"),
    _column("Reason", _READY + ".reason"),
    _column("Stable", ".status.stable.version"),
    _column("Candidate", ".status.candidate.version"),
    _column("Weight", ".status.candidate.weight", "integer"),
    _column("Replicas", ".status.replicas", "integer"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Observed", ".status.candidate.observedShare", priority=1),
    _column("Model", ".spec.model.uri", priority=1),
    _column("URL", ".status.url", priority=1),
    _column("Message", _READY + ".message", priority=1),
]


def model_deployment() -> Schema:
    """The ModelDeployment CRD."""
    status = structural(Status)
    status["properties"]["observedGeneration"]["default"] = -1
    status["default"] = {"observedGeneration": -1}
    root = _root(structural(Spec), "A model that is deployed, rolled out and taken back by itself.")
    root["properties"]["status"] = status
    root["x-kubernetes-validations"] = [
        {
            "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 50",
            "message": "metadata.name must be at most 50 characters of a-z, 0-9 and -, starting with a letter:"
            " Services are named after it",
        }
    ]
    names = {"kind": "ModelDeployment", "plural": "modeldeployments", "shortNames": ["mdep"]}
    return _crd(names, "Namespaced", {"columns": COLUMNS, "schema": root, "subresources": {"status": {}}})


def model_runtime() -> Schema:
    """The ModelRuntime CRD."""
    columns = [
        _column("Formats", ".spec.formats"),
        _column("Protocol", ".spec.protocol"),
        _column("Image", ".spec.container.image"),
        _column("Age", ".metadata.creationTimestamp", "date"),
    ]
    root = _root(structural(RuntimeSpec), "A model server: how it is run, and what its metrics mean.")
    names = {"kind": "ModelRuntime", "plural": "modelruntimes", "shortNames": ["mrt"]}
    return _crd(names, "Cluster", {"columns": columns, "schema": root, "subresources": {}})


def _root(spec: Schema, description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "penstock.dev/v1alpha1."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": {"type": "object"},  # the API server refuses even a description here
            "spec": spec,
        },
    }


def _crd(names: Schema, scope: str, parts: Schema) -> Schema:
    names = {**names, "singular": names["kind"].lower(), "listKind": names["kind"] + "List", "categories": ["penstock"]}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": parts["columns"],
        "schema": {"openAPIV3Schema": parts["schema"]},
        **({"subresources": parts["subresources"]} if parts["subresources"] else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": scope, "versions": [version]},
    }


def render() -> dict[str, str]:
    """File name -> text of every generated CRD."""
    made = {"modeldeployments.yaml": model_deployment(), "modelruntimes.yaml": model_runtime()}
    head = "# Generated by `make generate` from operator/penstock/api; do not edit.\n"
    return {name: head + yaml.safe_dump(crd, sort_keys=False, width=110) for name, crd in made.items()}


if __name__ == "__main__":
    for file, text in render().items():
        Path(sys.argv[1], file).write_text(text)
