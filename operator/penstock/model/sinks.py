"""Where requests and answers may be sent, as the administrator says; nothing of it is a user's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sink:
    """A Service that takes CloudEvents over HTTP."""

    namespace: str
    service: str
    port: int
