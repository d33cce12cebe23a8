"""What a rollout pins of the spec, beside its steps, so that later edits act on the next one. Shapes only."""

from penstock.api.fields import ShortText, Tolerant


class PlannedSticky(Tolerant):
    """How users keep the revision that they were given, for one rollout."""

    cookie: ShortText
    """Name of the cookie."""
    draw: ShortText
    """Name of this rollout's draw; a cookie of another one counts for nothing."""
    max_age: ShortText
    """How long a browser keeps the cookie."""
