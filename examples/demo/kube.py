"""The cluster as any user has it: kubectl and a kubeconfig. Applies files, asks, watches; nothing else writes."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from examples.demo import DemoError


@dataclass(frozen=True)
class Kubectl:
    """One program, one cluster."""

    program: str
    kubeconfig: str

    def run(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints; what it complains about becomes one line."""
        done = subprocess.run(self._line(*words), input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DemoError(f"kubectl {' '.join(words[:4])}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifests: str) -> None:
        """`kubectl apply`, the only way in which the demonstration acts on the model."""
        self.run("apply", "-f", "-", given=manifests)

    def get(self, *words: str) -> dict[str, Any]:
        """One object or a list."""
        found: dict[str, Any] = json.loads(self.run("get", *words, "-o", "json"))
        return found

    def watch(self, path: str) -> subprocess.Popen[str]:
        """A watch on an API path: what is there now, then every change, one JSON object per line."""
        line = self._line("get", "--raw", f"{path}?watch=1&timeoutSeconds=7200")
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _line(self, *words: str) -> list[str]:
        return [self.program, "--kubeconfig", self.kubeconfig, *words]


def changes(stream: subprocess.Popen[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, object) of each watch event until the stream ends."""
    assert stream.stdout is not None
    for line in stream.stdout:
        event = json.loads(line)
        yield event["type"], event["object"]
