"""Asks the API server questions while a cluster starts, with the standard library alone.

It must stay a reader with a deadline: what is created goes through kubectl apply.
"""

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster import build
from cluster.errors import ClusterError

_PAUSE_SECONDS = 0.05


class Api:
    """GET requests as the user of a kubeconfig that `certs` wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        said = json.loads(kubeconfig.read_text())
        cluster, user = said["clusters"][0]["cluster"], said["users"][0]["user"]
        self._host = cluster["server"].removeprefix("https://")
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 when nobody answers."""
        connection = http.client.HTTPSConnection(self._host, context=self._tls, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def read(self, path: str) -> Any:
        """The parsed body, or None for anything but 200."""
        status, body = self.get(path)
        return json.loads(body) if status == 200 else None


def wait_for(what: str, asked: Callable[[], bool], seconds: float) -> None:
    """Returns as soon as the condition holds; says which one did not in time."""
    until = time.monotonic() + seconds
    while not asked():
        if time.monotonic() > until:
            raise ClusterError(f"gave up after {seconds:.0f}s waiting for {what}")
        time.sleep(_PAUSE_SECONDS)


def kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> str:
    """Runs our kubectl and returns what it prints."""
    command = [str(build.program("kubectl")), "--kubeconfig", str(kubeconfig), *words]
    done = subprocess.run(command, input=stdin, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"kubectl {words[0]}: {done.stderr.strip()}")
    return done.stdout


def condition(seen: Any, name: str) -> bool:
    """Whether an object says that a condition of its status is True."""
    conditions = ((seen or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == name and each["status"] == "True" for each in conditions)
