"""Adapters to metric sources, the only place that asks them. To add one, write the file and one line here.

Each offers `async ask(questions) -> answers` and never raises for what a source may do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from penstock.metrics.cloudwatch import make_cloudwatch
from penstock.metrics.datadog import make_datadog
from penstock.metrics.http import UnixClock
from penstock.metrics.prometheus import make_prometheus
from penstock.metrics.web import make_web
from penstock.model.measure import Answer, Question


class Source(Protocol):
    """What a metric source must offer."""

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question, in their order; Silence with the reason where there is none."""


SOURCES: dict[str, Callable[[str, Mapping[str, Any], aiohttp.ClientSession, UnixClock], Source]] = {
    "prometheus": make_prometheus,
    "datadog": make_datadog,
    "cloudwatch": make_cloudwatch,
    "json": make_web,
}
