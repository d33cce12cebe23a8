"""Progress for people: one line per finished step with the time it took, on stderr so that stdout stays parseable."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """One line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def begin(text: str) -> None:
    """Announces something that takes minutes."""
    say(f"     ...  {text}")


@contextmanager
def step(text: str) -> Iterator[None]:
    """Times the block; a step that raises says nothing, since the error line will."""
    began = time.monotonic()
    yield
    say(f"{time.monotonic() - began:7.1f}s  {text}")
