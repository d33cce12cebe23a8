"""The operator as a process of its own, as in a pod: with its command line, its configuration file and its JSON log.

It must not reach into the package: what cannot be seen from outside is not tested with it.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
START = 30.0
WARMUP_IMAGE = "penstock.local/operator:1"
COUNTED = r'penstock_api_requests_total\{code="\d+",kind="(\w+)",verb="(\w+)"\} ([0-9.e+]+)'


@dataclass(frozen=True)
class Running:
    """A running operator."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str) -> str:
        """What its web port says; an `urllib` error for anything but 200."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def requests(self) -> dict[tuple[str, str], int]:
        """Requests to the Kubernetes API so far, by (verb, kind), as its own metrics count them."""
        found: dict[tuple[str, str], int] = {}
        for kind, verb, count in re.findall(COUNTED, self.get("/metrics")):
            found[verb, kind] = found.get((verb, kind), 0) + int(float(count))
        return found

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=10)


@dataclass(frozen=True)
class Command:
    """How an operator is started."""

    words: list[str]
    port: int
    environment: dict[str, str]


def make_command(folder: Path, kubeconfig: Path, settings: dict[str, object], source: str) -> Command:
    """With its configuration in that folder, a free port, and one metric source."""
    port, config = free_port(), folder / "config.yaml"
    sources = {"default": {"type": "prometheus", "url": source, "timeout": "1s"}}
    told = {"port": port, "metricSources": sources, "warmupImage": WARMUP_IMAGE, **settings}
    config.write_text(yaml.safe_dump(told))
    words = [sys.executable, "-m", "penstock.main", "--config", str(config), "--kubeconfig", str(kubeconfig)]
    return Command(words, port, {**os.environ, "PYTHONPATH": str(ROOT / "operator")})


@contextmanager
def running_operator(
    kubeconfig: Path,
    namespace: str = "",
    lease_namespace: str = "default",
    source: str = "http://127.0.0.1:9",
    auth: dict[str, object] | None = None,
) -> Iterator[Running]:
    """Started, seen to have read the whole cluster, and stopped by SIGTERM, which must end it with exit code 0."""
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, object] = {"namespace": namespace}
        if auth:
            told["metricSources"] = {"default": {"type": "prometheus", "url": source, "timeout": "1s", "auth": auth}}
        made, log = make_command(Path(folder), kubeconfig, told, source), Path(folder, "log.jsonl")
        environment = made.environment | {"POD_NAMESPACE": lease_namespace}
        with log.open("wb") as out:
            process = subprocess.Popen(made.words, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            running = Running(process, made.port, log)
            _await_synchronised(running)
            yield running
        finally:
            killed = process.poll() == -signal.SIGKILL
            process.terminate()
            code = _ended(process, log)
        assert killed or code == 0, log.read_text()[-4000:]


def _ended(process: subprocess.Popen[bytes], log: Path) -> int:
    """The exit code; with its last words where it does not end in time."""
    try:
        return process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"SIGTERM has not ended it: {log.read_text()[-4000:]}") from None


def _await_synchronised(running: Running) -> None:
    """Its log is the only place that says so."""
    end = time.monotonic() + START
    while '"synchronised"' not in running.log.read_text():
        if running.process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the operator did not come up:\n{running.log.read_text()[-4000:]}")
        time.sleep(0.1)  # polls a file; what is awaited is the line, not the time
