"""What tests of several folders share: real control planes, started for the tests and gone after them.

Nothing here skips: where a control plane cannot start, the tests that need one fail and say why.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.addons import charts, schemas

ROOT = Path(__file__).parents[1]


@cache
def program(name: str) -> str:
    """Path of one of the project's own programs; built on first use."""
    return _cluster("path", name)


def _cluster(*arguments: str) -> str:
    command = (sys.executable, "-m", "cluster", *arguments)
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def helm(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One call of helm, without anything of this user's own configuration."""
    with tempfile.TemporaryDirectory() as home:
        own = dict.fromkeys(("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"), home)
        command, environment = [program("helm"), *arguments], {**os.environ, **own}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"helm {' '.join(arguments)}: {done.stderr}")
    return done


@dataclass(frozen=True)
class ControlPlane:
    """A real Kubernetes API with its controllers and pretended nodes."""

    kubeconfig: Path

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess gives it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """One call of kubectl. A failure raises with what kubectl said, unless it is the subject (`check` off)."""
        command = [program("kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, cwd=ROOT, input=input, check=False, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done

    def install_crds(self) -> None:
        """The CRDs of the repository, ready for use."""
        self.kubectl("apply", "--filename", "crds")
        self.await_crds()

    def install_gateway_api(self) -> None:
        """The CRDs of the Gateway API and Envoy Gateway, in the release of the e2e tests; no gateway runs here."""
        options = [
            f"--set=crds.{one}"
            for one in ("gatewayAPI.enabled=true", "gatewayAPI.channel=standard", "envoyGateway.enabled=true")
        ]
        crds = helm("template", "gateway-api", str(charts.folder("gateway-crds-helm")), *options).stdout
        self.kubectl("apply", "--server-side", "--filename", "-", input=crds)
        self.await_crds()

    def install_schemas(self) -> None:
        """The CRDs of VirtualServices and ScaledObjects; neither Istio nor KEDA runs here."""
        for file, kind in ((schemas.istio(), "VirtualService"), (schemas.keda(), "ScaledObject")):
            self.install_crd(file, kind)

    def install_crd(self, file: Path, kind: str) -> None:
        """The CRD of one kind out of a file that has several."""
        every = yaml.safe_load_all(file.read_text())
        (crd,) = [each for each in every if each and each["spec"]["names"]["kind"] == kind]
        self.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump(crd))
        self.await_crds()

    def await_crds(self) -> None:
        """Wait until all CRDs are. `kubectl wait` gives up on one that has no conditions at all yet."""
        end = time.monotonic() + 30
        while late := [crd for crd in self._crds() if not _is_established(crd)]:
            assert time.monotonic() < end, f"not established: {[crd['metadata']['name'] for crd in late]}"
            time.sleep(0.1)

    def _crds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "crd", "-o", "json").stdout)["items"]
        return found


def _is_established(crd: dict[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@contextmanager
def new_control_plane(purpose: str) -> Iterator[ControlPlane]:
    """A control plane of one's own, without any CRD."""
    name = f"{purpose}-{os.getpid()}"
    try:
        _cluster("up", "--control-plane", "--name", name)
        yield ControlPlane(Path(_cluster("kubeconfig", "--name", name)))
    finally:
        _cluster("down", "--name", name)


@contextmanager
def furnished(purpose: str) -> Iterator[ControlPlane]:
    """A control plane of one's own with the CRDs of Penstock, the Gateway API, Istio and KEDA."""
    with new_control_plane(purpose) as made:
        made.install_crds()
        made.install_gateway_api()
        made.install_schemas()
        yield made


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One for all, with all CRDs; tests have namespaces of their own."""
    with furnished("tests") as made:
        yield made
