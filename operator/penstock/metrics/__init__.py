"""Adapters to metric sources, the only place that asks them. To add one, write the file and one line here.

Each offers `async ask(question) -> Counts | Silence` and never raises for what a source may do.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import aiohttp

from penstock.api.fields import seconds
from penstock.metrics.prometheus import Prometheus
from penstock.model.measure import Answer, Question


class Source(Protocol):
    """What a metric source must offer."""

    async def ask(self, question: Question) -> Answer:
        """Counts, or Silence with the reason."""


def _prometheus(name: str, options: Mapping[str, Any], session: aiohttp.ClientSession) -> Source:
    return Prometheus(name, options["url"], session, seconds(options["timeout"]))


SOURCES: dict[str, Callable[[str, Mapping[str, Any], aiohttp.ClientSession], Source]] = {
    "prometheus": _prometheus,
}
