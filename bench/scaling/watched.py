"""Every HorizontalPodAutoscaler of the stories' namespace, from its making to its end: who followed what, and when."""

import subprocess
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from examples.demo.kube import Kubectl, changes
from tests.e2e.stories.scene import NAMESPACE

PATH = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
Moment = tuple[float, str, frozenset[str]]


@dataclass
class Autoscalers:
    """What a watch has shown since it began."""

    kubectl: Kubectl
    moments: list[Moment] = field(default_factory=list)
    """At each change: when, of which Deployment, and the autoscalers that follow it from then on."""
    stream: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.stream = self.kubectl.watch(PATH)
        threading.Thread(target=self._follow, args=(self.stream,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.stream
        self.stream.terminate()
        self.stream.wait()

    def _follow(self, stream: subprocess.Popen[str]) -> None:
        for change, seen in changes(stream):
            deployment, name = seen["spec"]["scaleTargetRef"]["name"], seen["metadata"]["name"]
            before = self.now(deployment)
            after = before - {name} if change == "DELETED" else before | {name}
            if after != before:
                self.moments.append((time.time(), deployment, frozenset(after)))

    def now(self, deployment: str) -> set[str]:
        """The autoscalers that follow a Deployment."""
        return next((set(names) for _, of, names in reversed(self.moments) if of == deployment), set())

    def gap(self, deployment: str) -> float:
        """Seconds for which nobody followed a Deployment, before the last one came."""
        times = [at for at, of, names in self.moments if of == deployment and not names]
        came = [at for at, of, names in self.moments if of == deployment and names]
        return came[-1] - times[-1] if times and came else 0.0

    def most_at_once(self) -> int:
        """The most autoscalers that ever followed one Deployment."""
        return max((len(names) for _, _, names in self.moments), default=0)

    def names(self) -> set[str]:
        """All that there have been."""
        return {name for _, _, names in self.moments for name in names}
