"""The three ways in which the outside world may fail a turn; every other exception is a bug and must look like one.

Adapters raise these, the loop catches them, nothing in between does. They carry what the loop needs to go on and no
more: no client exception, no response body.
"""


class Retry(Exception):
    """The other side cannot answer now; the same request may well succeed after `after` seconds.

    Where it has `asked` for that time itself, nothing is a reason to come back sooner.
    """

    def __init__(self, after: float, message: str, asked: bool = False) -> None:
        super().__init__(message)
        self.after = after
        self.asked = asked
        self.message = message


class Rejected(Exception):
    """The other side understood and refused; it becomes a condition, since no retry helps until something changes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Stale(Exception):
    """The turn looked at a world that has moved on: drop it and take it up again at once."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
