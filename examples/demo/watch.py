"""Follows the model's objects through watches, as a live view does: nothing is polled, no change in between is lost.

A watch that ends is an error of the run: what nobody saw cannot be judged.
"""

import queue
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from examples.demo import DemoError
from examples.demo.kube import Kubectl, changes

NAMESPACE = "digits"
MODEL = "ModelDeployment"
ROUTE = "HTTPRoute"
EVENT = "Event"
PATHS = {
    MODEL: f"/apis/penstock.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments",
    ROUTE: f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes",
    EVENT: f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events",
}


@dataclass(frozen=True)
class Sighting:
    """An object as it was at a moment of our own clock, the one that the load client's records use too."""

    at: float
    kind: str
    seen: dict[str, Any]


class Watches:
    """One watch per kind, all into one queue."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._queue: queue.Queue[Sighting | str] = queue.Queue()
        self._streams = [(kind, kubectl.watch(path)) for kind, path in PATHS.items()]
        self._threads = [threading.Thread(target=self._follow, args=each, daemon=True) for each in self._streams]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, stream in self._streams:
            stream.terminate()
            stream.wait()

    def next(self, seconds: float) -> Sighting | None:
        """The next sighting, or None when nothing happened for `seconds`."""
        try:
            found = self._queue.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(found, str):
            raise DemoError(f"the watch on {found} objects ended")
        return found

    def _follow(self, kind: str, stream: subprocess.Popen[str]) -> None:
        for change, seen in changes(stream):
            if change in ("ADDED", "MODIFIED"):
                self._queue.put(Sighting(time.time(), kind, seen))
        self._queue.put(kind)
