"""The label selectors of the operator's watches: what loses the label is told as gone, as the API server does.

Its last words are then the older ones, those that fitted, at the version of the change.
"""

from typing import Any, Protocol

from penstock.shell.watch import selector

Object = dict[str, Any]


class Hears(Protocol):
    """Who watches."""

    def deliver(self, event: str, live: Object) -> None:
        """What a watch tells."""


class Selecting:
    """What the API server remembers of watches, to which everything that happens is told."""

    def __init__(self, to: Hears) -> None:
        self.to = to
        self.fitted: dict[str, Object] = {}

    def see(self, event: str, live: Object) -> None:
        """Something has happened to an object."""
        meta, label = live["metadata"], selector(live["kind"])
        before = self.fitted.pop(meta["uid"], None)
        if not label or label in (meta.get("labels") or {}):
            if event != "DELETED":
                self.fitted[meta["uid"]] = live
            self.to.deliver(event, live)
        elif before:
            version = {"resourceVersion": meta["resourceVersion"]}
            self.to.deliver("DELETED", before | {"metadata": before["metadata"] | version})
