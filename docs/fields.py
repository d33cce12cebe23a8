"""A CustomResourceDefinition as a page of field tables; knows schemas, and nothing of what the fields mean."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def page(definition: Schema) -> str:
    """All fields of one resource, with the rules that hold between them."""
    (version,) = definition["spec"]["versions"]
    root, names = version["schema"]["openAPIV3Schema"], definition["spec"]["names"]
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    usual, wide = (_columns(version, shown) for shown in (False, True))
    lines = [
        f"# {names['kind']}",
        "",
        root["description"],
        "",
        f"`{definition['spec']['group']}/{version['name']}`, {definition['spec']['scope'].lower()}; short name {short}."
        f" `kubectl get` shows {usual}{f'; with `-o wide` also {wide}' if wide else ''}.",
        f"The same text comes from `kubectl explain {names['singular']}.spec`. A field in **bold** is required.",
    ]
    for part in ("spec", "status"):
        if part in root["properties"]:
            lines += ["", *_part(part, root["properties"][part])]
    return "\n".join([*lines, "", *(message + "." for _, message in _own_rules("", root))]).strip()


def _columns(version: Schema, wide: bool) -> str:
    return ", ".join(c["name"].upper() for c in version["additionalPrinterColumns"] if bool(c.get("priority")) == wide)


def _part(name: str, schema: Schema) -> list[str]:
    rows = [_row(path, child, required) for path, child, required in _fields(name, schema)]
    lines = [f"## {name}", "", one_line(schema["description"]), "", "| field | type | |", "|---|---|---|", *rows]
    rules = [f"| `{path}` | {one_line(message)} |" for path, message in _rules(name, schema)]
    return lines + (
        ["", f"### Rules of {name}", "", "| where | what must hold |", "|---|---|", *rules] if rules else []
    )


def _fields(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Every property below a schema, parents first."""
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, child, name in schema.get("required", [])
        inner = child.get("items") or child
        yield from _fields(here + ("[]" if "items" in child else ""), inner)


def _row(path: str, schema: Schema, required: bool) -> str:
    name = path.partition(".")[2]
    return f"| {f'**`{name}`**' if required else f'`{name}`'} | {_type(schema)} | {one_line(schema['description'])} |"


def _type(schema: Schema) -> str:
    """The type, with its bounds where they say more than that there is one."""
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}, at most {schema['maxItems']}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_type(schema['additionalProperties'])}"
    if schema["type"] == "integer" and "maximum" in schema:
        return f"integer, {schema['minimum']} to {schema['maximum']}"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    yield from _own_rules(path, schema)
    for name, child in schema.get("properties", {}).items():
        yield from _rules(f"{path}.{name}", child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _rules(f"{path}[]", schema[key])


def _own_rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule["message"]


def one_line(text: str) -> str:
    """Text that stays in its table cell."""
    return " ".join(text.split()).replace("|", "\\|")
