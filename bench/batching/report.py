"""The results as a page for docs/reports; numbers only from the results."""

from typing import Any


def report(results: dict[str, Any]) -> str:
    """Markdown."""
    return str(results)
