"""Placeholders in what a platform team or a user writes about the server.

Literal ones only: no expressions, so nothing that anybody writes is evaluated.
"""

from penstock.model.values import World


def fill(text: str, world: World) -> str:
    """The text with {{model.path}}, {{model.name}} and {{model.version}} filled in."""
    assert world.spec and world.runtime
    known = {"path": world.runtime[1].container.model_path, "name": world.name, "version": world.spec.model.version}
    for key, value in known.items():
        text = text.replace("{{model." + key + "}}", value)
    return text
