"""`replace`, as of dataclasses, without asking each field: a World has fifty, of which a turn changes one at a time."""

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(value: Any, /, **fields: Any) -> Any:
        """A copy with these fields changed; a name that is no field is an error of the type checker only."""
        known = getattr(value, "__dict__", None)
        if known is None or hasattr(value, "__post_init__"):
            return dataclasses.replace(value, **fields)
        made = object.__new__(type(value))
        made.__dict__.update(known, **fields)
        return made
