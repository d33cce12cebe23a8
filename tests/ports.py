"""A port of loopback for a program that is about to start."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """One that nobody has, and that no outgoing connection gets before or between its uses: those have higher ports."""
    for port in random.sample(range(10_000, 20_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
