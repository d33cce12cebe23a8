"""What the cluster itself says of a rollout: logs of operator and gateway as they are written, samples of Prometheus.

Reads only. Logs are followed, since kubectl shows the current file only and the gateway's are turned over.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from bench.breach.facts import Scraped
from examples.demo.kube import Kubectl
from tests.e2e.stories.scene import NAMESPACE

PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
OPERATOR = ("--namespace=penstock-system", "deployment/penstock")
GATEWAY = (
    "--namespace=envoy-gateway-system",
    f"--selector=gateway.envoyproxy.io/owning-gateway-namespace={NAMESPACE}",
    "--container=envoy",
)
ALL = "--tail=-1"  # with a selector kubectl shows ten lines only, unless it is told otherwise


@dataclass
class Tape:
    """The log of something, followed into a file."""

    kubectl: Kubectl
    what: tuple[str, ...]
    path: Path

    def __enter__(self) -> Self:
        self._file = self.path.open("w")
        line = [self.kubectl.program, "--kubeconfig", self.kubectl.kubeconfig, "logs", "--follow", ALL, *self.what]
        self._stream = subprocess.Popen(line, stdout=self._file, stderr=subprocess.DEVNULL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.terminate()
        self._stream.wait()
        self._file.close()

    def lines(self) -> Iterator[dict[str, Any]]:
        """What is JSON of all that was written so far."""
        with self.path.open() as file:
            for line in file:
                if line.startswith("{") and line.endswith("\n"):
                    yield json.loads(line)


def audit(tape: Tape, name: str, reason: str) -> dict[str, Any]:
    """The operator's line about a transition of one object, for a reason that begins so; empty while there is none."""
    found = (line for line in tape.lines() if line.get("logger") == "penstock.audit" and line.get("name") == name)
    return next((line for line in found if line["reason"].startswith(reason)), {})


def moments(line: dict[str, Any]) -> dict[str, float]:
    """The turn's moments in an audit line, in unix seconds."""
    return {key: unix(text) for key, text in line.items() if key.endswith("_at")}


def unix(text: str) -> float:
    """Seconds of an RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def samples(kubectl: Kubectl, revision: str) -> Scraped:
    """All that Prometheus holds of the inference requests of a revision."""
    matchers = f'namespace="{NAMESPACE}",penstock_dev_revision="{revision}",method="POST",path=~"/v2/models/.+/infer"'
    query = quote(f"rest_server_requests_total{{{matchers}}}[15m]")
    answer = json.loads(kubectl.run("get", "--raw", f"{PROMETHEUS}?query={query}"))
    return Scraped(tuple(map(_series, answer["data"]["result"])))


def _series(item: dict[str, Any]) -> tuple[bool, tuple[tuple[float, float], ...]]:
    found = tuple((float(at), float(value)) for at, value in item["values"])
    return item["metric"]["status_code"].startswith("5"), found
