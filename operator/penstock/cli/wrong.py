"""Input that cannot be used, and how a file or standard input is read. Nothing here knows what is in it."""

import sys
from pathlib import Path


class Wrong(Exception):
    """Said in one line, with what to do about it; the command ends with 2."""


def read(name: str) -> str:
    """The text of a file, or of standard input for `-`; bytes that are no text become marks."""
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode(errors="replace")
        return Path(name).read_bytes().decode(errors="replace")
    except OSError as error:
        raise Wrong(f"{name}: {error.strerror or error}") from error
